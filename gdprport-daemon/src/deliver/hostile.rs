//! What must hold for any bytes that a receiver answers, as assertions: used by the fuzzer (`fuzz/`) and by the property tests
//! below. Compiled for those two only.

use super::http::hostile::{self, RECEIVERS};

/// Any bytes as a receiver's answer: the first selects the receiver, the second the status, the third how many events were sent, the
/// rest is the body. The outcome keeps what every transport promises, and repeats no secret.
pub fn answer(bytes: &[u8]) {
    const STATUSES: [u16; 16] =
        [200, 204, 202, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 301, 299];
    let [which, status, length, body @ ..] = bytes else { return };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let length = usize::from(*length) % 9 + 1;
    hostile::answer(usize::from(*which) % RECEIVERS, status, length, body);
}

#[cfg(test)]
mod tests {
    use gdprport_core::hostile::seeds::seeds;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Pieces of what receivers write.
    const PIECES: [&str; 30] = [
        "{\"text\":\"",
        "\",\"code\":",
        "0",
        "6",
        "7",
        "-1",
        "99999999999999999999",
        ",\"invalid-event-number\":",
        ",\"ackId\":",
        "}",
        "{\"errors\":true,\"items\":[",
        "{\"create\":{\"status\":",
        "201",
        "400",
        "409",
        "429",
        ",\"error\":{\"type\":\"",
        "\",\"reason\":\"",
        "\"}}}",
        "]}",
        ",",
        "s3cr3t-t0ken",
        "\\u001b[2J",
        "\u{1b}\r\n",
        "\u{202e}",
        "{\"acks\":{\"0\":",
        "true",
        "timestamp too old",
        "{\"partialSuccess\":{\"rejectedLogRecords\":\"",
        "\x0a\x04\x08\x02\x12\x00",
    ];

    #[test]
    fn every_seed_of_a_receiver_holds_the_assertions() {
        seeds("receiver", answer);
    }

    proptest! {
        #[test]
        fn whatever_a_receiver_answers_the_contract_holds(
            head in any::<[u8; 3]>(),
            body in proptest::collection::vec(any::<u8>(), 0..300),
            pieces in proptest::collection::vec(select(PIECES.to_vec()), 0..24),
        ) {
            answer(&[&head[..], &body[..]].concat());
            answer(&[&head[..], pieces.concat().as_bytes()].concat());
        }
    }
}
