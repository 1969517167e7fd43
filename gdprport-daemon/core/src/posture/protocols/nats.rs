//! NATS (its client protocol): the server begins with INFO, the client goes on with TLS or with CONNECT.

use super::line::{is_text, split};
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// NATS, clients and routes. A server that expects TLS before INFO is seen as direct TLS.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let client = dialogue.client;
    let known = [starts(client, b"CONNECT {"), starts(client, b"INFO {")];
    // Even if the server demands TLS: this is readable.
    if known.contains(&Some(true)) {
        return plaintext("NATS CONNECT in plaintext");
    }
    // Its first letters may become that.
    let waiting = known.contains(&None);
    if starts(dialogue.server, b"INFO {") == Some(false) && (client.is_empty() || !waiting) {
        return Reading::Foreign;
    }
    if waiting {
        return Reading::open("NATS: the client's first message was not seen");
    }
    // An INFO longer than what was captured has no end to look behind.
    let server = match split(dialogue.server) {
        Some((_, rest)) => rest,
        None if dialogue.server.len() > b"INFO {".len() && is_text(dialogue.server) => &[],
        None if (1..=b"INFO {".len()).contains(&dialogue.server.len()) => {
            return Reading::open("NATS: too few bytes of the server's INFO");
        }
        None => return Reading::Foreign,
    };
    upgrade::after("NATS INFO", dialogue, client, server).unwrap_or(Reading::Foreign)
}
