//! Promises of this module: real captures and written dialogues, however they are cut, and any bytes at all.
//!
//! Belongs here: playing a dialogue into a tracker. The captures are of real clients and servers on loopback (psql,
//! mariadb, redis-cli, curl, openssl, lpstat), at most 1600 bytes of each direction; a `#` line names what.

mod captures;
mod dialogues;
mod handshakes;
mod long;
mod pieces;
mod pretenders;
mod proofs;
mod totality;
mod written;
mod written_layers;
mod written_services;

use gdprport_common::{
    PAYLOAD_BUDGET, PAYLOAD_CAP, PAYLOAD_COST, PAYLOAD_COST_SMALL, PAYLOAD_LONG, PAYLOAD_LONG_BUDGET,
    PAYLOAD_SMALL, PAYLOAD_TINY,
};

use super::{Protocol, Side, Tracker};
use crate::model::{Posture, PostureState, Proof, TlsVersion};

/// Who sent what, in order.
pub(super) type Script = Vec<(Side, Vec<u8>)>;

/// A captured file.
macro_rules! capture {
    ($name:literal) => {
        ($name, include_str!(concat!("captures/", $name, ".txt")))
    };
}
pub(super) use capture;

/// Reads a capture: `C` or `S`, a blank, hexadecimal digits.
pub(super) fn script(text: &str) -> Script {
    let byte = |pair: &[u8]| {
        let digits = str::from_utf8(pair).expect("digits");
        u8::from_str_radix(digits, 16).expect("hexadecimal")
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (side, bytes) = line.split_once(' ').expect("a side and bytes");
            let side = if side == "C" { Side::Client } else { Side::Server };
            (side, bytes.as_bytes().chunks_exact(2).map(byte).collect())
        })
        .collect()
}

/// A segment with its offset within its direction.
pub(super) type Segment = (Side, u64, Vec<u8>);

/// Gives every piece of a script its offset.
pub(super) fn segments(script: &Script) -> Vec<Segment> {
    let mut sent = [0; 2];
    script
        .iter()
        .map(|(side, bytes)| {
            let sent = &mut sent[usize::from(*side == Side::Server)];
            let offset = *sent;
            *sent += bytes.len() as u64;
            (*side, offset, bytes.clone())
        })
        .collect()
}

/// What the kernel side sends of a dialogue's segments; as `gdprport-ebpf/src/payload.rs` decides it.
pub(super) fn captured(segments: &[Segment]) -> Vec<Segment> {
    let mut spent = [0; 2];
    let captured = segments.iter().filter_map(|(side, offset, bytes)| {
        let spent: &mut u8 = &mut spent[usize::from(*side == Side::Server)];
        let kept =
            if *spent < PAYLOAD_LONG_BUDGET && more_may_matter(bytes) { PAYLOAD_LONG } else { PAYLOAD_CAP };
        let sent =
            (*spent < PAYLOAD_BUDGET).then(|| (*side, *offset, bytes[..bytes.len().min(kept)].to_vec()));
        *spent = spent.saturating_add(cost(bytes.len()));
        sent
    });
    captured.collect()
}

fn cost(length: usize) -> u8 {
    if length <= PAYLOAD_TINY {
        1
    } else if length <= PAYLOAD_SMALL {
        PAYLOAD_COST_SMALL
    } else {
        PAYLOAD_COST
    }
}

fn more_may_matter(bytes: &[u8]) -> bool {
    match *bytes {
        [20..=24, 3, ..] => bytes[0] == 22 && bytes.get(5) == Some(&1),
        _ => bytes.len() <= PAYLOAD_LONG || bytes.starts_with(b"\r\n\r\n\0\r\nQ"),
    }
}

/// A direction's bytes in segments of at most so many.
pub(super) fn in_segments(side: Side, bytes: &[u8], segment: usize) -> Vec<Segment> {
    let begins = (0..).step_by(segment);
    begins.zip(bytes.chunks(segment)).map(|(offset, bytes)| (side, offset, bytes.to_vec())).collect()
}

/// Plays segments in this order and concludes.
pub(super) fn play<'a>(declared: Option<&str>, segments: impl IntoIterator<Item = &'a Segment>) -> Posture {
    let protocol = declared.map(|id| Protocol::by_id(id).expect("in the catalog"));
    let mut tracker = Tracker::new(protocol);
    let mut reported = None;
    for (side, offset, bytes) in segments {
        reported = tracker.segment(*side, *offset, bytes).or(reported);
    }
    let concluded = tracker.conclude();
    match reported {
        Some(last) if last.state != PostureState::Unknown => {
            assert_eq!(last, concluded, "what was reported last is concluded");
        }
        // Only that something is no TLS may be decided by its end.
        _ => assert!(!totality::compliant(concluded.state), "what was decided is reported: {concluded:?}"),
    }
    concluded
}

/// The same segments, each byte one of its own.
pub(super) fn bytes_apart(segments: &[Segment]) -> Vec<Segment> {
    let apart = |(side, offset, bytes): &Segment| -> Vec<Segment> {
        (*offset..).zip(bytes).map(|(offset, byte)| (*side, offset, vec![*byte])).collect()
    };
    segments.iter().flat_map(apart).collect()
}

/// What must not depend on the order in which segments are read.
pub(super) fn core(posture: &Posture) -> (PostureState, Option<TlsVersion>, Option<&str>) {
    (posture.state, posture.version, posture.cipher.as_deref())
}

/// The first bytes of both sides in a capture of TLS 1.3.
pub(super) fn tls13() -> (Vec<u8>, Vec<u8>) {
    let mut script = script(capture!("tls13").1).into_iter();
    let (_, client) = script.next().expect("a ClientHello");
    let (_, server) = script.next().expect("a ServerHello");
    (client, server)
}
