//! AMQP 0-8 to 0-9-1 and 1.0: both sides begin with a header of eight bytes; one of 1.0's asks for TLS (AMQP 1.0,
//! part 5.2).

use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// The header that asks for TLS, and that agrees to it.
const TLS: &[u8; 8] = b"AMQP\x02\x01\x00\x00";

/// AMQP of any version.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    match starts(dialogue.client, b"AMQP") {
        Some(true) => {}
        Some(false) => return Reading::Foreign,
        None => return Reading::open("AMQP: the client's header was not seen"),
    }
    let Some((header, client)) = dialogue.client.split_first_chunk::<8>() else {
        return Reading::open("AMQP: the client's header is cut");
    };
    match header[4..] {
        [2, 1, 0, 0] => tls(dialogue, client),
        [0, 0, 9, 1] => plaintext("AMQP 0-9-1 header without TLS"),
        [1, 1, _, _] => plaintext("AMQP 0-8 to 0-10 header without TLS"),
        [0, 1, 0, 0] => plaintext("AMQP 1.0 header without TLS"),
        [3, 1, 0, 0] => plaintext("AMQP 1.0 SASL header without TLS"),
        _ => Reading::Foreign,
    }
}

fn tls(dialogue: &Dialogue<'_>, client: &[u8]) -> Reading {
    let how = "AMQP TLS header";
    match starts(dialogue.server, TLS) {
        Some(true) => {
            let server = &dialogue.server[TLS.len()..];
            upgrade::after(how, dialogue, client, server).unwrap_or_else(|| upgrade::ignored(how))
        }
        Some(false) => upgrade::refused(how, !client.is_empty()),
        None => {
            let unseen = Reading::open("AMQP TLS header was sent, the answer was not seen");
            if client.is_empty() {
                unseen
            } else {
                upgrade::after(how, dialogue, client, &[]).unwrap_or(unseen)
            }
        }
    }
}
