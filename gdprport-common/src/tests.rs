//! Every tail unpacks to what was packed, and every number is a kind, a role or none.

use super::{
    CloseTail, FailTail, FileState, FlowTail, MountOwner, OpenTail, PortFlags, RecordKind, SocketRole,
};

/// The limits of every range, and a number whose bytes all differ.
const SAMPLES: [u64; 5] = [0, 1, u64::MAX, 1 << 63, 0x0123_4567_89ab_cdef];

#[test]
fn every_tail_unpacks_to_what_was_packed() {
    for long in SAMPLES {
        for short in SAMPLES.map(|long| long as u32) {
            let open = OpenTail { comm: [long, !long], start_ns: long, parent_tgid: short };
            assert_eq!(FlowTail::open(open).as_open(), open);
            let close = CloseTail {
                bytes_acked: long,
                bytes_received: !long,
                srtt_us_x8: short,
                retransmits: !short,
                since_ns: long,
            };
            assert_eq!(FlowTail::close(close).as_close(), close);
            let fail = FailTail {
                comm: [long, !long],
                start_ns: long,
                parent_tgid: short,
                elapsed_ms: short & FailTail::ELAPSED_MAX,
                retransmits: long as u8,
            };
            assert_eq!(FlowTail::fail(fail).as_fail(), fail);
            let longer = FailTail { elapsed_ms: u32::MAX, ..fail };
            assert_eq!(
                FlowTail::fail(longer).as_fail(),
                FailTail { elapsed_ms: FailTail::ELAPSED_MAX, ..fail },
                "a time above the maximum is cut to it and changes nothing else"
            );
        }
    }
}

#[test]
fn every_number_is_a_kind_and_a_role_or_none() {
    for raw in 0..=u8::MAX {
        assert!(RecordKind::from_raw(raw).is_none_or(|kind| kind as u8 == raw));
        assert!(SocketRole::from_raw(raw).is_none_or(|role| role as u8 == raw));
        assert!(FileState::from_raw(raw).is_none_or(|state| state as u8 == raw));
        assert!(MountOwner::from_raw(raw).is_none_or(|owner| owner as u8 == raw));
    }
}

#[test]
fn port_flags_are_independent() {
    let both = PortFlags::WATCHED.with(PortFlags::POSTURE);
    assert!(both.watched() && both.posture());
    assert!(!PortFlags::WATCHED.posture() && !PortFlags::POSTURE.watched());
    assert!(!PortFlags::default().watched() && !PortFlags::default().posture());
}

#[cfg(feature = "user")]
#[test]
fn records_convert_to_bytes_and_back() {
    use zerocopy::{FromBytes as _, IntoBytes as _};

    use super::{CgroupRecord, ExecHeader, ExecRecord, FlowRecord, PayloadHeader};

    fn round_trip<
        T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + PartialEq + core::fmt::Debug,
    >() {
        let bytes = core::array::from_fn::<u8, 1024, _>(|at| at as u8);
        let value = T::read_from_bytes(&bytes[..size_of::<T>()]).expect("every bit pattern is a value");
        assert_eq!(value.as_bytes(), &bytes[..size_of::<T>()]);
        assert_eq!(T::read_from_bytes(value.as_bytes()).expect("its own bytes"), value);
    }
    round_trip::<FlowRecord>();
    round_trip::<ExecHeader>();
    round_trip::<ExecRecord>();
    round_trip::<CgroupRecord>();
    round_trip::<PayloadHeader>();
    // In place, as the daemon reads them from the ring buffer.
    let words = [0x0101_0101_0101_0101_u64; size_of::<FlowRecord>() / 8];
    let record = FlowRecord::ref_from_bytes(words.as_bytes()).expect("aligned and of the right size");
    assert_eq!((record.kind, record.cookie), (1, words[0]));
}
