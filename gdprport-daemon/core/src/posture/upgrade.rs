//! What follows once a client has asked to go on with TLS, in any protocol.
//!
//! Belongs here: the outcomes that all in-band upgrades share, and their evidence.

use super::reading::{Awaits, Dialogue, Reading};
use super::tls::{self, Handshake};
use crate::model::{Posture, PostureState};

/// Reads what both sides sent behind the upgrade: of `dialogue`, the two rests `client` and `server`. `how` says how
/// it was asked for. `None` if the client's bytes are something else than TLS.
pub(super) fn after(how: &str, dialogue: &Dialogue<'_>, client: &[u8], server: &[u8]) -> Option<Reading> {
    Some(match tls::read(client, server, dialogue.cut) {
        Handshake::Not if !client.is_empty() => return None,
        Handshake::Contradicted(what) => unrecognised(format!("{how}, then TLS ClientHello, {what}")),
        Handshake::Not | Handshake::Open => {
            Reading::Open(format!("{how}; the TLS handshake was not seen").into())
        }
        Handshake::Offered(text) => {
            let posture = Posture::new(PostureState::StarttlsUpgraded, format!("{how}, then {text}"));
            Reading::Seen { posture, awaits: Awaits::ServerHello { offer: client.len() } }
        }
        Handshake::Refused { text, settled: true } => Reading::Never(format!("{how}, then {text}").into()),
        Handshake::Refused { text, settled: false } => Reading::Open(format!("{how}, then {text}").into()),
        Handshake::Chosen(choice) => {
            Reading::Seen { posture: choice.posture(Some(how)), awaits: choice.awaits }
        }
    })
}

/// The server refused `what`, and the client `went_on` in plaintext or has not yet.
pub(super) fn refused(what: &str, went_on: bool) -> Reading {
    let evidence = if went_on {
        format!("{what} refused by the server, the client went on in plaintext")
    } else {
        format!("{what} refused by the server")
    };
    let posture = Posture::new(PostureState::StarttlsRefused, evidence);
    if went_on { Reading::settled(posture) } else { Reading::so_far(posture) }
}

/// The server agreed to `what`, and what the client sent then is not TLS.
pub(super) fn ignored(what: &str) -> Reading {
    plaintext(format!("{what} accepted by the server, the client went on in plaintext"))
}

/// Nothing was encrypted.
pub(super) fn plaintext(evidence: impl Into<String>) -> Reading {
    Reading::settled(Posture::new(PostureState::Plaintext, evidence))
}

/// No TLS, and nothing else that is known.
pub(super) fn unrecognised(evidence: impl Into<String>) -> Reading {
    Reading::settled(Posture::new(PostureState::Unrecognised, evidence))
}
