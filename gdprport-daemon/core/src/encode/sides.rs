//! A flow as other formats see it: from a source, who connected, to a destination, who was called.

use crate::event::FlowEvent;
use crate::model::{Direction, Endpoint, Process};

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    /// Its socket's address and port, as this host sees them.
    pub(super) at: Endpoint,
    /// The name by which the policy knows the address.
    pub(super) name: Option<&'a str>,
    /// Who has the socket, where that is known.
    pub(super) process: Option<&'a Process>,
    /// Payload that it sent to the other end, in total until now, in bytes.
    pub(super) bytes: Option<u64>,
}

/// Both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) source: Side<'a>,
    pub(super) destination: Side<'a>,
}

impl<'a> Sides<'a> {
    /// The ends of a flow.
    pub(super) fn of(event: &'a FlowEvent) -> Self {
        let flow = &event.flow;
        let local =
            Side { at: flow.local, name: None, process: event.process.as_deref(), bytes: flow.bytes_sent };
        let peer = Side {
            at: Endpoint { ip: flow.peer.ip, port: flow.peer.port },
            name: flow.peer.name.as_deref(),
            process: event.peer_process.as_deref(),
            bytes: flow.bytes_received,
        };
        match flow.direction {
            Direction::In => Self { source: peer, destination: local },
            Direction::Out => Self { source: local, destination: peer },
        }
    }
}

/// A user or group id, if it is one: not the kernel's invalid id.
pub(super) fn id(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

/// A process id, if it is one.
pub(super) fn pid(process: &Process) -> Option<u32> {
    (process.pid != 0).then_some(process.pid)
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}
