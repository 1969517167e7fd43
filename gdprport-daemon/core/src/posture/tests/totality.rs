//! Any bytes, in any order: no panic, no growth, always the same result, and none without evidence.

use proptest::prelude::*;

use super::captures::CASES;
use super::dialogues::{every, pieces};
use super::*;
use crate::catalog;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn declared() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of((0..catalog::SERVICES.len()).prop_map(|index| catalog::SERVICES[index].id))
}

/// The segments of a capture or a written dialogue, with some bytes changed.
fn damaged(edits: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Segment>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), edits);
    let which = 0..CASES.len() + every().count();
    (which, edits).prop_map(|(which, edits)| {
        let mut segments = match which.checked_sub(CASES.len()) {
            None => segments(&script(CASES[which].capture.1)),
            Some(written) => pieces(every().nth(written).expect("one of them").1),
        };
        for (at, byte) in edits {
            let length: usize = segments.iter().map(|(_, _, bytes)| bytes.len()).sum();
            let mut bytes = segments.iter_mut().flat_map(|(_, _, bytes)| bytes);
            if let Some(changed) = (length > 0).then(|| bytes.nth(at.index(length))).flatten() {
                *changed = byte;
            }
        }
        segments
    })
}

/// Segments of random bytes anywhere, and of dialogues with bytes changed, in order or not.
fn any_segments() -> impl Strategy<Value = Vec<Segment>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    let offset = prop_oneof![Just(0), 0..3000_u64, any::<u64>()];
    let random = prop::collection::vec((side(), offset, bytes), 0..12);
    prop_oneof![random, damaged(0..6), damaged(0..6).prop_shuffle()]
}

/// What would count as encrypted.
pub(super) fn compliant(state: PostureState) -> bool {
    use PostureState::{EncryptedOther, StarttlsUpgraded, Tls12, Tls13};
    matches!(state, Tls12 | Tls13 | StarttlsUpgraded | EncryptedOther)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_segments_give_one_result_and_stay_bounded(declared in declared(), segments in any_segments()) {
        let protocol = declared.and_then(Protocol::by_id);
        let mut tracker = Tracker::new(protocol);
        let mut finished = false;
        for (side, offset, bytes) in &segments {
            let before = tracker.conclude();
            let reported = tracker.segment(*side, *offset, bytes);
            prop_assert!(tracker.held() <= Tracker::MAX_BYTES);
            prop_assert!(!(finished && (reported.is_some() || tracker.conclude() != before)), "settled is settled");
            finished = !tracker.wants_more();
            prop_assert!(!tracker.conclude().evidence.is_empty());
        }
        let concluded = tracker.conclude();
        prop_assert!(concluded.evidence.len() < 512 && !concluded.evidence.contains(char::is_control));
        prop_assert_eq!(play(declared, &segments), concluded);
    }

    #[test]
    fn without_a_hello_or_a_banner_nothing_counts_as_encrypted(declared in declared(), segments in any_segments()) {
        let has = |wanted: Side, parts: &[&[u8]]| {
            let mut joined: Vec<u8> = Vec::new();
            for (side, _, bytes) in &segments {
                if *side == wanted {
                    joined.extend(bytes);
                }
            }
            parts.iter().any(|part| joined.windows(part.len()).any(|window| window == *part))
        };
        let concluded = play(declared, &segments);
        if compliant(concluded.state) {
            let evidence = has(Side::Server, &[b"\x16\x03", b"SSH-2.0-", b"G", b"\x05\x04", b"\xFDSMB"]) || has(Side::Client, &[b"\x16\x03"]);
            prop_assert!(evidence, "{:?}", concluded);
        }
    }

    #[test]
    fn random_bytes_are_unknown(client in prop::collection::vec(any::<u8>(), 64..600),
                                server in prop::collection::vec(any::<u8>(), 0..600)) {
        let segments = [(Side::Client, 0, client), (Side::Server, 0, server)];
        let concluded = play(None, &segments);
        // By chance one in about 2^24 has a protocol's first bytes; none in practice has a hello.
        prop_assert!(!compliant(concluded.state), "{:?}", concluded);
    }

    #[test]
    fn cutting_random_dialogues_does_not_change_their_state(
        whole in damaged(0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut pieces = whole.clone();
        for at in cuts {
            if pieces.is_empty() {
                break;
            }
            let index = at.index(pieces.len());
            let (side, offset, bytes) = pieces[index].clone();
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            pieces[index].2 = first.to_vec();
            pieces.insert(index + 1, (side, offset + first.len() as u64, second.to_vec()));
        }
        let (whole, pieces) = (play(None, &whole), play(None, &pieces));
        prop_assert_eq!(core(&pieces), core(&whole));
    }
}
