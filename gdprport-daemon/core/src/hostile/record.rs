//! Records of the ring buffer.

use gdprport_common::{ExecHeader, FILE_CAP, FlowRecord, PATH_CAP, PAYLOAD_LONG, RECORD_CAP};

use zerocopy::IntoBytes as _;

use crate::decode::{
    ConnectionRecord, DecodeError, IdentityRecord, ListenerRecord, Record, SocketEvent, decode,
};
use crate::executed::{Executable, ExecutedFile};

/// The length of a record about a socket.
const FLOW: usize = size_of::<FlowRecord>();

/// Room for the longest record.
const ROOM: usize = if EXEC + FILE_CAP > 24 + PAYLOAD_LONG { EXEC + FILE_CAP } else { 24 + PAYLOAD_LONG };

/// The length of a record about an executable without its file.
const EXEC: usize = size_of::<ExecHeader>();

/// Any bytes are a record whose values are within their bounds, or an error, and the same
/// when they are cut or filled up to the lengths that records have.
pub fn record(bytes: &[u8]) {
    // As in the ring buffer, where records begin at multiples of eight.
    let mut room = [0_u64; ROOM / 8];
    let aligned = room.as_mut_bytes();
    let given = bytes.len().min(ROOM);
    aligned[..given].copy_from_slice(&bytes[..given]);
    for length in [given, FLOW, RECORD_CAP, EXEC, EXEC + FILE_CAP] {
        check(&aligned[..length], decode(&aligned[..length]));
    }
}

fn check(bytes: &[u8], decoded: Result<Record<'_>, DecodeError>) {
    match decoded {
        Err(DecodeError::Kind(kind)) => assert_eq!(bytes.first().copied().unwrap_or(0), kind),
        Err(DecodeError::Length { len, .. }) => assert_eq!(len, bytes.len()),
        Err(DecodeError::Field { field, .. }) => assert!(!field.is_empty()),
        Ok(Record::Identity(
            IdentityRecord::Exec(Executable { name: path, .. }) | IdentityRecord::Cgroup { path, .. },
        )) => {
            assert!(path.is_none_or(|path| (1..PATH_CAP - 1).contains(&path.len())));
            if let Ok(Record::Identity(IdentityRecord::Exec(exec))) = decoded {
                executed(&exec.file.proves());
            }
        }
        Ok(Record::Listener(
            ListenerRecord::Opened(event) | ListenerRecord::Closed(event) | ListenerRecord::Denied(event),
        )) => socket(&event),
        Ok(Record::Connection(record)) => connection(&record),
    }
}

fn executed(file: &ExecutedFile) {
    if let ExecutedFile::Proven(path) | ExecutedFile::Claimed { path, .. } = file {
        assert!(path.starts_with('/') || path.starts_with("$'/"), "{path}");
    }
}

fn connection(record: &ConnectionRecord<'_>) {
    match record {
        // Of an acceptor any cookie and any owner is possible.
        ConnectionRecord::Acceptor { .. } => {}
        ConnectionRecord::Payload { bytes, .. } => assert!(bytes.len() <= PAYLOAD_LONG),
        ConnectionRecord::Connected(event)
        | ConnectionRecord::Arrived(event)
        | ConnectionRecord::Accepted(event) => socket(event),
        ConnectionRecord::Ended(event, end)
        | ConnectionRecord::Failed(event, end)
        | ConnectionRecord::Refused(event, end) => {
            socket(event);
            assert!(end.rtt_us != Some(u32::MAX), "an eighth of what is measured");
        }
    }
}

fn socket(event: &SocketEvent) {
    for end in [event.local, event.peer] {
        assert_eq!(end.ip, end.ip.to_canonical(), "an IPv4 address is never reported as a mapped one");
    }
}
