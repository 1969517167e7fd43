//! What decoding guarantees, on synthetic records.

use gdprport_common::{
    CloseTail, FLAG_FIN_UNACKED, FLAG_GROUPED, FLAG_PEER_FIN, FLAG_PEER_FIN_UNKNOWN, FLAG_PEER_REPLIED,
    FailTail, FlowTail, OpenTail, SOCKET_DENIED, SOCKET_UNKNOWN, SOCKET_WOULD_DENY,
};
use proptest::prelude::*;
use zerocopy::IntoBytes as _;

use super::ending::tcp;
use super::*;
use crate::executed::ExecutedFile;
use crate::model::{Direction, Outcome};

pub(super) fn record(kind: RecordKind) -> FlowRecord {
    FlowRecord {
        kind: kind as u8,
        family: 4,
        role: SocketRole::Connected as u8,
        old_state: 0,
        flags: 0,
        error: 0,
        decision: 0,
        reserved: 0,
        time_ns: 7,
        cookie: 9,
        netns_cookie: 0,
        exec_id: 3,
        cgroup_id: 4,
        local: [u32::from_ne_bytes([10, 0, 0, 1]), 0, 0, 0],
        peer: [u32::from_ne_bytes([10, 0, 0, 2]), 0, 0, 0],
        local_port: 40_000,
        peer_port: 5432,
        tgid: 12,
        uid: 1,
        gid: 2,
        euid: 0,
        egid: 2,
        tail: FlowTail::open(OpenTail {
            comm: [u64::from_ne_bytes(*b"psql\0\0\0\0"), 0],
            start_ns: 5,
            parent_tgid: 6,
        }),
    }
}

fn ended(state: u8, flags: u8, role: SocketRole, acked: u64, received: u64) -> ConnectionEnd {
    ended_by(0, state, flags, role, acked, received)
}

/// With an error of the socket.
fn ended_by(error: u8, state: u8, flags: u8, role: SocketRole, acked: u64, received: u64) -> ConnectionEnd {
    let tail = CloseTail {
        bytes_acked: acked,
        bytes_received: received,
        srtt_us_x8: 800,
        retransmits: 0,
        since_ns: 1,
    };
    let raw = FlowRecord {
        old_state: state,
        role: role as u8,
        flags: FLAG_PEER_REPLIED | flags,
        error,
        tail: FlowTail::close(tail),
        ..record(RecordKind::Closed)
    };
    match decode(raw.as_bytes()) {
        Ok(Record::Connection(ConnectionRecord::Ended(_, ending))) => ending,
        other => panic!("not an ending: {other:?}"),
    }
}

#[test]
fn a_living_record_carries_its_owner() {
    let raw = record(RecordKind::ActiveEstablished);
    let Ok(Record::Connection(ConnectionRecord::Connected(event))) = decode(raw.as_bytes()) else {
        panic!("not decoded");
    };
    assert_eq!(event.local.to_string(), "10.0.0.1:40000");
    assert_eq!(event.peer.to_string(), "10.0.0.2:5432");
    assert_eq!((event.owner.tgid, event.owner.parent_tgid, event.owner.start_ns), (12, 6, 5));
    assert_eq!(&event.owner.comm, b"psql\0\0\0\0\0\0\0\0\0\0\0\0");
}

/// It is known by the cookie.
#[test]
fn only_an_acceptor_may_lack_addresses() {
    let bare = |kind| FlowRecord { family: 0, role: SocketRole::Accepted as u8, ..record(kind) };
    let raw = bare(RecordKind::Accepted);
    let Ok(Record::Connection(ConnectionRecord::Acceptor { cookie, owner })) = decode(raw.as_bytes()) else {
        panic!("not decoded");
    };
    assert_eq!((cookie, owner.tgid, owner.start_ns), (9, 12, 5));
    assert_eq!((owner.role, owner.time_ns), (SocketRole::Accepted, 7));
    for kind in [
        RecordKind::ActiveEstablished,
        RecordKind::PassiveEstablished,
        RecordKind::Listening,
        RecordKind::BindDenied,
    ] {
        assert!(decode(bare(kind).as_bytes()).is_err(), "{kind:?}");
    }
}

#[test]
fn syn_and_fin_are_not_application_bytes() {
    let active = ended(tcp::FIN_WAIT2, FLAG_PEER_FIN, SocketRole::Connected, 102, 201);
    assert_eq!((active.bytes_sent(Direction::Out), active.bytes_received), (100, Some(200)));
    let passive = ended(tcp::LAST_ACK, FLAG_PEER_FIN, SocketRole::Accepted, 201, 101);
    assert_eq!((passive.bytes_sent(Direction::In), passive.bytes_received), (200, Some(100)));
    assert_eq!((active.outcome, active.rtt_us), (Outcome::Closed, Some(100)));
}

#[test]
fn an_end_that_does_not_wait_for_the_peers_fin_subtracts_none() {
    let ending = ended(tcp::FIN_WAIT2, 0, SocketRole::Connected, 102, 200);
    assert_eq!((ending.bytes_sent(Direction::Out), ending.bytes_received), (100, Some(200)));
}

#[test]
fn an_end_says_whether_its_opening_is_in_a_group() {
    let ending = |flags| ended(tcp::LAST_ACK, flags, SocketRole::Accepted, 1, 1);
    assert!(ending(FLAG_GROUPED | FLAG_PEER_FIN).grouped && !ending(FLAG_PEER_FIN).grouped);
}

#[test]
fn bytes_received_are_not_known_where_the_peers_fin_is_not() {
    let ending = ended(tcp::FIN_WAIT2, FLAG_PEER_FIN_UNKNOWN, SocketRole::None, 102, 200);
    assert_eq!((ending.bytes_sent(Direction::Out), ending.bytes_received), (100, None));
}

#[test]
fn a_reset_connection_has_no_fin_to_subtract() {
    let ending = ended(1, 0, SocketRole::Accepted, 50, 60);
    assert_eq!((ending.bytes_sent(Direction::In), ending.bytes_received), (50, Some(60)));
    assert_eq!(ending.outcome, Outcome::Reset);
}

/// Whether the error is TCP's own or that of an ICMP message which says why nobody answers; in every state.
#[test]
fn an_end_because_nobody_answers_is_timed_out() {
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;
    let outcome = |error, state, flags| ended_by(error, state, flags, SocketRole::Accepted, 50, 60).outcome;
    const ETIMEDOUT: u8 = 110;
    const EHOSTUNREACH: u8 = 113;
    for error in [ETIMEDOUT, EHOSTUNREACH] {
        for state in [ESTABLISHED, FIN_WAIT1, tcp::FIN_WAIT2] {
            assert_eq!(outcome(error, state, 0), Outcome::TimedOut, "{error} in {state}");
        }
        assert_eq!(outcome(error, tcp::LAST_ACK, FLAG_FIN_UNACKED), Outcome::TimedOut);
    }
    const ECONNRESET: u8 = 104;
    const EPIPE: u8 = 32;
    for error in [ECONNRESET, EPIPE] {
        assert_eq!(outcome(error, tcp::LAST_ACK, FLAG_FIN_UNACKED), Outcome::Reset);
        assert_eq!(outcome(error, tcp::FIN_WAIT2, 0), Outcome::Reset);
    }
    assert_eq!(outcome(0, ESTABLISHED, 0), Outcome::Reset, "by the process itself");
    assert_eq!(outcome(0, tcp::LAST_ACK, 0), Outcome::Closed);
}

#[test]
fn a_fin_that_was_not_acknowledged_is_not_subtracted() {
    for (flags, sent, outcome) in [(0, 49, Outcome::Closed), (FLAG_FIN_UNACKED, 50, Outcome::Reset)] {
        let ending = ended(tcp::LAST_ACK, flags | FLAG_PEER_FIN, SocketRole::Accepted, 50, 61);
        assert_eq!((ending.acked, ending.bytes_received, ending.outcome), (sent, Some(60), outcome));
    }
}

#[test]
fn failed_connects_are_distinguished() {
    let fail = |flags, retransmits, kind| {
        let tail = FailTail {
            comm: [u64::from_ne_bytes(*b"psql\0\0\0\0"), 0],
            start_ns: 5,
            parent_tgid: 6,
            elapsed_ms: u32::MAX,
            retransmits,
        };
        let raw = FlowRecord { flags, tail: FlowTail::fail(tail), ..record(kind) };
        match decode(raw.as_bytes()) {
            Ok(Record::Connection(ConnectionRecord::Failed(event, ending))) => {
                assert_eq!((event.owner.parent_tgid, event.owner.start_ns), (6, 5));
                assert_eq!(&event.owner.comm[..5], b"psql\0");
                ending.outcome
            }
            other => panic!("not an ending: {other:?}"),
        }
    };
    assert_eq!(fail(FLAG_PEER_REPLIED, 0, RecordKind::Failed), Outcome::Refused);
    assert_eq!(fail(0, 6, RecordKind::Failed), Outcome::TimedOut);
    assert_eq!(fail(0, 0, RecordKind::Failed), Outcome::Aborted);
    assert_eq!(fail(0, 0, RecordKind::Denied), Outcome::Denied);
}

#[test]
fn what_the_policy_denied_is_not_taken_for_another_denial() {
    let fail = |decision| {
        let record = FlowRecord { decision, ..record(RecordKind::Denied) };
        match decode(record.as_bytes()) {
            Ok(Record::Connection(ConnectionRecord::Failed(event, end))) => (end.outcome, event.would_deny),
            other => panic!("not a failed connect: {other:?}"),
        }
    };
    assert_eq!(fail(SOCKET_DENIED), (Outcome::DeniedByPolicy, false));
    assert_eq!(fail(SOCKET_DENIED | SOCKET_UNKNOWN), (Outcome::DeniedByPolicy, false));
    assert_eq!(fail(SOCKET_WOULD_DENY), (Outcome::Denied, true), "a firewall was first");
    assert_eq!(fail(SOCKET_UNKNOWN), (Outcome::Denied, false));
}

#[test]
fn a_syn_that_was_denied_is_no_connect_that_failed() {
    let decision = SOCKET_DENIED | SOCKET_UNKNOWN;
    let record = FlowRecord { decision, ..record(RecordKind::Refused) };
    match decode(record.as_bytes()) {
        Ok(Record::Connection(ConnectionRecord::Refused(event, end))) => {
            assert_eq!((end.outcome, event.would_deny), (Outcome::DeniedByPolicy, false));
        }
        other => panic!("not a refused SYN: {other:?}"),
    }
}

#[test]
fn a_name_that_may_have_been_cut_is_not_a_name() {
    let mut exec = ExecHeader { name_len: 9, tgid: 1, exec_id: 2, ..ExecHeader::UNKNOWN };
    exec.name = [b'x'; PATH_CAP];
    let path_of = |exec: &ExecHeader| match decode(exec.as_bytes()) {
        Ok(Record::Identity(IdentityRecord::Exec(exec))) => exec.name.map(<[u8]>::len),
        other => panic!("not an executable: {other:?}"),
    };
    assert_eq!(path_of(&exec), Some(9));
    exec.name_len = PATH_CAP as u8 - 1;
    assert_eq!(path_of(&exec), None);
    exec.name_len = PATH_CAP as u8 + 1;
    assert!(matches!(decode(exec.as_bytes()), Err(DecodeError::Field { .. })));
}

#[test]
fn a_file_is_decoded_as_long_as_it_was_sent() {
    let header = ExecHeader { file_len: 13, file_state: 1, file_mounts: 1, ..ExecHeader::UNKNOWN };
    let mut sent = header.as_bytes().to_vec();
    sent.extend(b"psql/bin/usr/");
    let decoded = decode(&sent);
    let Ok(Record::Identity(IdentityRecord::Exec(exec))) = decoded else { panic!("{decoded:?}") };
    assert_eq!(exec.file.proves(), ExecutedFile::Proven("/usr/bin/psql".into()));
    assert!(decode(&sent[..sent.len() - 1]).is_err(), "it is shorter than it says");
    for wrong in [
        ExecHeader { file_len: FILE_CAP as u16, ..header },
        ExecHeader { file_state: 5, ..header },
        ExecHeader { file_mounts: 4, ..header },
    ] {
        let bytes = [wrong.as_bytes(), &[b'/'; FILE_CAP]].concat();
        assert!(matches!(decode(&bytes), Err(DecodeError::Field { .. })), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_err(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..12) {
        let _ = decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        let _ = decode(&bytes);
        bytes.resize(128, 0);
        let _ = decode(&bytes);
        bytes.resize(272, 0);
        let _ = decode(&bytes);
        bytes.resize(800, 0);
        let _ = decode(&bytes);
    }
}

#[test]
fn a_record_shows_how_an_owner_withheld_itself() {
    for (flags, expected) in [
        (FLAG_OPTMEM_FULL, Some(Withheld::OptionMemory)),
        (FLAG_IO_WORKER, Some(Withheld::KernelThread)),
        (FLAG_PEER_REPLIED, None),
    ] {
        let raw = FlowRecord { flags, role: 0, ..record(RecordKind::ActiveEstablished) };
        let Ok(Record::Connection(ConnectionRecord::Connected(event))) = decode(raw.as_bytes()) else {
            panic!("not a connect")
        };
        assert_eq!(event.owner.withheld, expected);
    }
}
