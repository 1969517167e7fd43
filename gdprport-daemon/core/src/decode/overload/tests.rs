//! What decoding of groups guarantees, on synthetic entries.

use gdprport_common::{FailTail, FlowRecord, FlowTail, RecordKind};
use proptest::prelude::*;

use super::super::tests::record;
use super::*;

const PEER: [u32; 4] = [u32::from_ne_bytes([10, 0, 0, 2]), 0, 0, 0];

fn key() -> OverloadKey {
    OverloadKey {
        epoch: 3,
        port: 5432,
        direction: OVERLOAD_OUT,
        family: 4,
        peer: PEER,
        exec_id: 3,
        cgroup_id: 4,
        uid: 1,
        gid: 2,
        euid: 5,
        egid: 6,
        level: OVERLOAD_PEERS,
        role: SocketRole::Connected as u8,
        withheld: 0,
        reserved: [0; 5],
    }
}

fn of(specimen: FlowRecord) -> RawGroup {
    let sums = OverloadSums { opened: 7, sent: 700, ..OverloadSums::default() };
    RawGroup { sums, first_ns: 10, last_ns: 20, specimen }
}

fn value() -> RawGroup {
    of(record(RecordKind::ActiveEstablished))
}

fn read(key: OverloadKey, value: RawGroup) -> Result<OverloadGroup, GroupError> {
    group(key.as_bytes(), value.as_bytes())
}

#[test]
fn a_group_carries_peer_owner_sums_and_specimen() {
    let group = read(key(), value()).expect("decoded");
    assert_eq!((group.level, group.port, group.direction), (OverloadLevel::Peer, 5432, Direction::Out));
    assert_eq!(group.peer.expect("one").to_string(), "10.0.0.2/32");
    let owner = group.owner.expect("one");
    assert_eq!((owner.exec_id, owner.cgroup_id), (3, 4));
    assert_eq!((owner.uid, owner.gid, owner.euid, owner.egid), (1, 2, 5, 6));
    assert_eq!((owner.role, owner.withheld), (SocketRole::Connected, None));
    assert_eq!((group.sums.opened, group.sums.sent), (7, 700));
    assert_eq!((group.first_ns, group.last_ns), (10, 20));
    assert_eq!(group.specimen.socket.peer.to_string(), "10.0.0.2:5432");
    assert_eq!((group.specimen.socket.owner.tgid, group.specimen.end), (12, None));
}

#[test]
fn a_coarser_group_claims_no_more_than_its_key() {
    let net =
        OverloadKey { level: OVERLOAD_NETWORKS, peer: [u32::from_ne_bytes([10, 0, 0, 0]), 0, 0, 0], ..key() };
    let group = read(net, value()).expect("decoded");
    assert_eq!(group.peer.expect("one").to_string(), "10.0.0.0/24");
    assert!(group.owner.is_some());
    let six = OverloadKey { family: 6, peer: [u32::from_be(0x2001_0db8), 0, 0, 0], ..net };
    assert_eq!(read(six, value()).expect("decoded").peer.expect("one").to_string(), "2001:db8::/48");
    let port = OverloadKey { level: OVERLOAD_PORTS, peer: [0; 4], ..key() };
    let group = read(port, value()).expect("decoded");
    assert_eq!((group.level, group.peer, group.owner), (OverloadLevel::Port, None, None));
}

#[test]
fn a_specimen_may_be_an_end() {
    let end = |kind| read(key(), of(record(kind))).expect("decoded").specimen.end;
    assert!(end(RecordKind::Closed).is_some());
    let fail =
        FlowTail::fail(FailTail { comm: [0; 2], start_ns: 0, parent_tgid: 0, elapsed_ms: 5, retransmits: 1 });
    let denied = of(FlowRecord { tail: fail, ..record(RecordKind::Denied) });
    let denied = read(key(), denied).expect("decoded").specimen;
    assert_eq!((denied.end.expect("one").retransmits, denied.socket.owner.tgid), (1, 12));
}

#[test]
fn what_no_group_can_hold_is_refused() {
    let mapped = [0, 0, u32::from_be(0xffff), PEER[0]];
    let refused = [
        ("level", OverloadKey { level: 3, ..key() }),
        ("direction", OverloadKey { direction: 2, ..key() }),
        ("address family", OverloadKey { family: 5, ..key() }),
        ("role", OverloadKey { role: 9, ..key() }),
        ("peer", OverloadKey { level: OVERLOAD_NETWORKS, ..key() }),
        ("peer", OverloadKey { family: 6, peer: mapped, ..key() }),
    ];
    for (field, key) in refused {
        assert_eq!(read(key, value()), Err(GroupError::Field(field)), "{key:?}");
    }
    for kind in [RecordKind::Listening, RecordKind::ListenerClosed, RecordKind::Accepted] {
        assert_eq!(read(key(), of(record(kind))), Err(GroupError::Field("specimen")), "{kind:?}");
    }
    let short = group(&key().as_bytes()[1..], value().as_bytes());
    assert_eq!(short, Err(GroupError::Length { key: 63, value: 248 }));
}

#[test]
fn the_last_time_is_never_before_the_first() {
    let raw = RawGroup { last_ns: 9, ..value() };
    assert_eq!(read(key(), raw).expect("decoded").last_ns, 10);
}

proptest! {
    #[test]
    fn any_bytes_are_a_sound_group_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..320)) {
        crate::hostile::group(&bytes);
    }

    /// The specimen is right, so that all else is reached.
    #[test]
    fn any_key_is_a_sound_group_or_an_error(mut key in prop::collection::vec(any::<u8>(), 64), level in 0..4_u8, way in 0..3_u8) {
        (key[6], key[7], key[56], key[57]) = (way, [4, 6][usize::from(level & 1)], level, key[57] % 6);
        crate::hostile::group(&[key.as_slice(), value().as_bytes()].concat());
    }
}
