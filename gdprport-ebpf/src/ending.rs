//! How a socket ended: what its last state, its counters and its error say, as a record.

use core::arch::asm;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{
    BPF_TCP_CLOSE_WAIT, BPF_TCP_CLOSING, BPF_TCP_FIN_WAIT2, BPF_TCP_LAST_ACK, BPF_TCP_LISTEN,
    BPF_TCP_SYN_RECV, BPF_TCP_SYN_SENT, bpf_sock, bpf_sock_ops,
};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use gdprport_common::{
    CloseTail, FLAG_FIN_UNACKED, FLAG_GROUPED, FLAG_PEER_FIN, FLAG_PEER_REPLIED, FlowRecord, FlowTail,
    RecordKind, SOCKET_DECISION, SOCKET_GROUPED, SocketOwner, SocketRole,
};

use crate::flow::SocketTuple;
use crate::{fin, flow, socket_error};

/// What the state, the owner and the error of a socket say about its end.
#[derive(Clone, Copy)]
pub(crate) struct Signs {
    pub kind: RecordKind,
    /// The state before.
    pub old: u8,
    /// Those of the record.
    pub flags: u8,
    pub error: u8,
}

impl Signs {
    /// As a number, which is not 0. Not those of a listener, whose end is in no group.
    ///
    /// The verifier must not know the number: it would go on for each that it can be. So one is added that it does not know,
    /// and subtracted.
    #[inline(always)]
    pub(crate) fn pack(self, unknown: u64) -> u32 {
        let mut packed = u64::from(u32::from_be_bytes([self.kind as u8, self.old, self.flags, self.error]));
        // SAFETY: it only calculates.
        unsafe {
            asm!("{packed} += {unknown}", "{packed} -= {unknown}", packed = inout(reg) packed,
                unknown = in(reg) unknown, options(pure, nomem, nostack, preserves_flags));
        }
        packed as u32
    }

    #[inline(always)]
    pub(crate) fn unpack(packed: u32) -> Self {
        let [kind, old, flags, error] = packed.to_be_bytes();
        let failed = kind == RecordKind::Failed as u8;
        Self { kind: if failed { RecordKind::Failed } else { RecordKind::Closed }, old, flags, error }
    }

    /// Whether it is that of a connect that failed.
    #[inline(always)]
    pub(crate) fn failed(self) -> bool {
        self.kind as u8 == RecordKind::Failed as u8
    }
}

/// The end of a socket.
pub(crate) struct End {
    pub signs: Signs,
    /// What the kernel counted, SYN and FIN included.
    pub acked: u64,
    pub received: u64,
    srtt: u32,
    retransmits: u32,
    pub tuple: SocketTuple,
    pub now: u64,
    cookie: u64,
}

impl End {
    /// Reads the end of a socket that leaves the state `old`. `flags` is what is known of its owner.
    ///
    /// # Safety
    /// `ops` is the program's context, of a change of state, and `sk` its socket and not null.
    #[inline(always)]
    pub(crate) unsafe fn read(
        ops: *mut bpf_sock_ops,
        sk: *mut bpf_sock,
        old: u32,
        owner: &SocketOwner,
        flags: u8,
    ) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let acked = read_volatile(&raw const (*ops).bytes_acked);
            let received = read_volatile(&raw const (*ops).bytes_received);
            let srtt = read_volatile(&raw const (*ops).srtt_us);
            let retransmits = read_volatile(&raw const (*ops).total_retrans);
            let segs_in = read_volatile(&raw const (*ops).segs_in);
            let rcv_nxt = read_volatile(&raw const (*ops).rcv_nxt);
            let tuple = flow::tuple(ops);
            let now = bpf_ktime_get_boot_ns();
            let cookie = bpf_get_socket_cookie(ops.cast());
            let peer_fin = match old {
                BPF_TCP_CLOSE_WAIT | BPF_TCP_LAST_ACK | BPF_TCP_CLOSING => FLAG_PEER_FIN,
                BPF_TCP_FIN_WAIT2 => fin::peer_fin_flags(owner, received, rcv_nxt),
                _ => 0,
            };
            // Both ends called at the same moment, and the peer's SYN is all that came, or a reply to ours too. The
            // socket of a server is never Connected.
            let crossed = old == BPF_TCP_SYN_RECV && owner.role == SocketRole::Connected as u8;
            let failed = old == BPF_TCP_SYN_SENT || crossed;
            let is_listener = old == BPF_TCP_LISTEN;
            let fin_unacked = if fin::is_unacked(ops, old) { FLAG_FIN_UNACKED } else { 0 };
            let replied = if segs_in <= crossed as u32 { 0 } else { FLAG_PEER_REPLIED };
            let error = if is_listener || failed {
                0
            } else {
                socket_error::at_end(sk, old, owner, fin_unacked != 0)
            };
            let grouped = if owner.flags & SOCKET_GROUPED == 0 { 0 } else { FLAG_GROUPED };
            let flags = replied | peer_fin | fin_unacked | grouped | flags;
            let kind = if is_listener {
                RecordKind::ListenerClosed
            } else if failed {
                RecordKind::Failed
            } else {
                RecordKind::Closed
            };
            let signs = Signs { kind, old: old as u8, flags, error };
            Self { signs, acked, received, srtt, retransmits, tuple, now, cookie }
        }
    }

    /// Reads the end of a socket again, of which the signs are known.
    ///
    /// # Safety
    /// `ops` is the program's context.
    #[inline(always)]
    pub(crate) unsafe fn again(ops: *mut bpf_sock_ops, signs: Signs) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe {
            Self {
                signs,
                acked: read_volatile(&raw const (*ops).bytes_acked),
                received: read_volatile(&raw const (*ops).bytes_received),
                srtt: read_volatile(&raw const (*ops).srtt_us),
                retransmits: read_volatile(&raw const (*ops).total_retrans),
                tuple: flow::tuple(ops),
                now: bpf_ktime_get_boot_ns(),
                cookie: bpf_get_socket_cookie(ops.cast()),
            }
        }
    }

    /// Its record.
    #[inline(always)]
    pub(crate) fn record(&self, owner: &SocketOwner) -> FlowRecord {
        let tail = if self.signs.failed() {
            let retransmits = if self.retransmits > 255 { 255 } else { self.retransmits as u8 };
            flow::fail_tail(owner, self.now, retransmits)
        } else {
            FlowTail::close(CloseTail {
                bytes_acked: self.acked,
                bytes_received: self.received,
                srtt_us_x8: self.srtt,
                retransmits: self.retransmits,
                since_ns: owner.since_ns,
            })
        };
        FlowRecord {
            old_state: self.signs.old,
            flags: self.signs.flags,
            error: self.signs.error,
            decision: owner.flags & SOCKET_DECISION,
            ..flow::record(
                self.signs.kind,
                self.cookie,
                &self.tuple,
                &owner.caller,
                owner.role,
                self.now,
                tail,
            )
        }
    }
}
