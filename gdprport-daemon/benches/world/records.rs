//! Records as the kernel side writes them: a loopback connection, client and server each with its socket.

use gdprport_common::{
    CloseTail, FLAG_PEER_FIN, FlowRecord, FlowTail, OpenTail, PayloadHeader, RecordKind, SocketRole,
};
use zerocopy::IntoBytes as _;

/// The watched port.
pub(super) const PORT: u16 = 5432;

/// A process as records name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub tgid: u32,
    pub exec_id: u64,
    pub cgroup_id: u64,
    pub comm: &'static [u8; 16],
}

/// The server: accepts.
pub(super) const SERVER: Owner =
    Owner { tgid: 812, exec_id: 5, cgroup_id: 61, comm: b"postgres\0\0\0\0\0\0\0\0" };
/// The client: connects.
pub(super) const CLIENT: Owner =
    Owner { tgid: 4_711, exec_id: 6, cgroup_id: 62, comm: b"orders-api\0\0\0\0\0\0" };
/// One that no rule allows.
pub(super) const STRANGER: Owner =
    Owner { tgid: 4_712, exec_id: 7, cgroup_id: 63, comm: b"bash\0\0\0\0\0\0\0\0\0\0\0\0" };

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub cookie: u64,
    pub owner: Owner,
    pub local_port: u16,
    pub peer_port: u16,
    pub active: bool,
}

/// Both ends of connection `number`: the client's, then the server's.
pub(super) fn ends(number: u64, client: Owner) -> [End; 2] {
    let port = 32_768 + (number % 28_000) as u16;
    let end =
        |cookie, owner, local_port, peer_port, active| End { cookie, owner, local_port, peer_port, active };
    [end(2 * number + 4_096, client, port, PORT, true), end(2 * number + 4_097, SERVER, PORT, port, false)]
}

/// When connection `number` begins, nanoseconds of `CLOCK_BOOTTIME`: one every 50 µs.
pub(super) const fn begins(number: u64) -> u64 {
    7_200_000_000_000 + number * 50_000
}

impl End {
    fn record(&self, kind: RecordKind, role: SocketRole, time_ns: u64, tail: FlowTail) -> FlowRecord {
        let loopback = [u32::from_ne_bytes([127, 0, 0, 1]), 0, 0, 0];
        FlowRecord {
            kind: kind as u8,
            family: 4,
            role: role as u8,
            old_state: 0,
            flags: 0,
            error: 0,
            decision: 0,
            reserved: 0,
            time_ns,
            cookie: self.cookie,
            netns_cookie: 1,
            exec_id: self.owner.exec_id,
            cgroup_id: self.owner.cgroup_id,
            local: loopback,
            peer: loopback,
            local_port: self.local_port,
            peer_port: self.peer_port,
            tgid: self.owner.tgid,
            uid: 0,
            gid: 0,
            euid: 0,
            egid: 0,
            tail,
        }
    }

    fn living(&self, kind: RecordKind, role: SocketRole, time_ns: u64) -> FlowRecord {
        let (low, high) = self.owner.comm.split_at(8);
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        let tail = OpenTail { comm: [word(low), word(high)], start_ns: 3_600_000_000_000, parent_tgid: 1 };
        self.record(kind, role, time_ns, FlowTail::open(tail))
    }

    /// It is established.
    pub(super) fn opened(&self, time_ns: u64) -> FlowRecord {
        if self.active {
            self.living(RecordKind::ActiveEstablished, SocketRole::Connected, time_ns)
        } else {
            self.living(RecordKind::PassiveEstablished, SocketRole::Bound, time_ns)
        }
    }

    /// Its acceptor is known.
    pub(super) fn accepted(&self, time_ns: u64) -> FlowRecord {
        self.living(RecordKind::Accepted, SocketRole::Accepted, time_ns)
    }

    /// It is closed; the client closes first.
    pub(super) fn closed(&self, time_ns: u64, since_ns: u64) -> FlowRecord {
        let tail =
            CloseTail { bytes_acked: 1_840, bytes_received: 412, srtt_us_x8: 240, retransmits: 0, since_ns };
        let role = if self.active { SocketRole::Connected } else { SocketRole::Accepted };
        let mut record = self.record(RecordKind::Closed, role, time_ns, FlowTail::close(tail));
        record.old_state = if self.active { 5 } else { 9 };
        record.flags = FLAG_PEER_FIN;
        record
    }

    /// The record of a payload segment, in the smaller of the two sizes that fits.
    pub(super) fn payload(&self, sent: bool, offset: u32, bytes: &[u8], time_ns: u64) -> Vec<u8> {
        let header = PayloadHeader {
            kind: RecordKind::Payload as u8,
            sent: u8::from(sent),
            len: bytes.len() as u16,
            offset,
            time_ns,
            cookie: self.cookie,
        };
        let mut record = header.as_bytes().to_vec();
        record.extend_from_slice(bytes);
        record
    }
}
