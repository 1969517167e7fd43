//! Dialogues for the parsers of encryption: captures of real clients and servers.

use std::hint::black_box;

use gdprport_core::posture::{Protocol, Side, Tracker};

use super::case::Item;

/// PostgreSQL's client, TLS 1.3 from the first byte.
pub(super) const TLS13: &str = include_str!("../../core/src/posture/tests/captures/pg-direct.txt");
/// PostgreSQL's client, upgraded to TLS 1.3.
pub(super) const PG_TLS: &str = include_str!("../../core/src/posture/tests/captures/pg-tls13.txt");
/// PostgreSQL's client, without TLS.
pub(super) const PG_PLAIN: &str = include_str!("../../core/src/posture/tests/captures/pg-disable.txt");
/// An HTTP/1 request and its response.
pub(super) const HTTP: &str = include_str!("../../core/src/posture/tests/captures/http1.txt");

/// A piece of a direction.
#[derive(Debug)]
pub(super) struct Segment {
    pub from: Side,
    pub offset: u32,
    pub bytes: Vec<u8>,
}

/// The first segments of a capture as the kernel side hands them over: at most four of each direction, the first 512
/// bytes of each.
pub(super) fn segments(capture: &str) -> Vec<Segment> {
    let mut sent = [(0_u32, 0); 2];
    let mut segments = Vec::new();
    for line in capture.lines().filter(|line| !line.starts_with('#')) {
        let (side, digits) = line.split_once(' ').expect("a side and bytes");
        let byte =
            |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("digits");
        let bytes: Vec<u8> = digits.as_bytes().chunks_exact(2).map(byte).collect();
        let from = if side == "C" { Side::Client } else { Side::Server };
        let (offset, count) = &mut sent[usize::from(from == Side::Server)];
        if *count < 4 {
            let kept = bytes[..bytes.len().min(512)].to_vec();
            segments.push(Segment { from, offset: *offset, bytes: kept });
        }
        *count += 1;
        *offset += bytes.len() as u32;
    }
    segments
}

/// One item: a flow's first segments, and its end.
pub(super) fn dialogue(service: &str, capture: &'static str) -> Item {
    let protocol = Protocol::by_id(service);
    let segments = segments(capture);
    Box::new(move |_| {
        let mut tracker = Tracker::new(protocol);
        for segment in &segments {
            if tracker.wants_more() {
                black_box(tracker.segment(segment.from, u64::from(segment.offset), &segment.bytes));
            }
        }
        black_box(tracker.conclude());
    })
}
