//! First bytes that were captured, and that TCP may not have taken.

use super::*;
use crate::model::PostureState;

/// The posture at the end of a flow that received these pieces at its beginning; an empty one reports that.
fn concluded(pieces: &[&[u8]]) -> (PostureState, String) {
    let mut fixture = Fixture::new(10);
    fixture.ingest(arrived(1, 10, 1));
    fixture.ingest(accepted(1, 11, 1));
    for bytes in pieces {
        fixture.ingest(ConnectionRecord::Payload { cookie: 1, sent: false, offset: 0, bytes });
        assert!(fixture.table.undecided_fit());
    }
    let event = event(1, 20, SocketRole::Accepted, 1, NEAR, FAR);
    let closed = fixture.ingest(ConnectionRecord::Ended(event, ending(Outcome::Closed))).pop();
    let posture = closed.and_then(|closed| closed.flow.posture.clone()).expect("known at the end");
    (posture.state, posture.evidence.to_string())
}

#[test]
fn first_bytes_that_tcp_may_not_have_taken_decide_nothing() {
    let (hello, request) = (&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], &b"GET / HTTP/1.1\r\n\r\n"[..]);
    let twice = "the same bytes came twice, with different contents";
    for pieces in [&[hello, b"", request][..], &[hello, request], &[b"", request], &[hello, b""]] {
        let (state, evidence) = concluded(pieces);
        assert_eq!((state, &*evidence), (PostureState::Unknown, twice), "{pieces:?}");
    }
    assert_eq!(concluded(&[request, b"", hello]).0, PostureState::Plaintext, "that was decided before");
}
