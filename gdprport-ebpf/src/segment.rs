//! A TCP segment as `cgroup_skb` sees it: its headers, and how much of its payload is captured.

use core::arch::asm;
use core::ptr::read_volatile;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use gdprport_common::{
    PAYLOAD_COST, PAYLOAD_COST_SMALL, PAYLOAD_LONG, PAYLOAD_SMALL, PAYLOAD_TINY, PayloadRecord,
};

/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// Length of an IPv4 header without options (RFC 791 3.1), and the first byte of one: the version and that length.
const IPV4_HEADER: usize = 20;
const IPV4_WITHOUT_OPTIONS: u8 = 0x45;
/// Length of an IPv6 header (RFC 8200 3).
const IPV6_HEADER: usize = 40;
/// Extension headers that may stand before TCP (RFC 8200 4): hop-by-hop options, routing, fragment, destination options.
/// A process may set some of them on its own sockets; in a user namespace of its own, all.
const EXTENSIONS: [u8; 4] = [0, 43, FRAGMENT, 60];
/// The one whose second byte is no length.
const FRAGMENT: u8 = 44;
/// The most of them that are followed.
const MAX_EXTENSIONS: usize = 6;
/// The flag of the first segment of a connection (RFC 9293 3.1).
const SYN: u8 = 2;
/// The flag of a segment that acknowledges, and that of a reset.
const ACK: u8 = 16;
const RST: u8 = 4;
/// Content type of a TLS record of handshake messages (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;
/// The first message of a TLS client (RFC 8446 4).
const CLIENT_HELLO: u8 = 1;
/// The beginning of a PROXY header of version 2. (One of version 1 is short.)
const PROXY: &[u8; 8] = b"\r\n\r\n\0\r\nQ";

/// The headers of a TCP packet; numbers in host byte order.
pub(crate) struct TcpSegment {
    /// Offset of its payload in the packet.
    pub start: u32,
    /// Bytes of its payload; 0 if it only acknowledges.
    pub len: u32,
    /// Its header: 20 bytes of the packet, which the verifier knows to be there.
    header: *const u8,
}

/// What is read only when it is needed: half of all packets have no payload, and then nothing more matters.
impl TcpSegment {
    /// Its sequence number.
    #[inline(always)]
    pub(crate) fn sequence(&self) -> u32 {
        // SAFETY: the header is complete.
        u32::from_be(unsafe { word::<4>(self.header) })
    }

    /// Its acknowledgement number.
    #[inline(always)]
    pub(crate) fn acknowledged(&self) -> u32 {
        // SAFETY: as above.
        u32::from_be(unsafe { word::<8>(self.header) })
    }

    /// The sender's port and the receiver's, as in the header: network byte order.
    #[inline(always)]
    pub(crate) fn ports(&self) -> u32 {
        // SAFETY: as above.
        unsafe { word::<0>(self.header) }
    }

    /// Whether it is the first segment of its direction.
    #[inline(always)]
    pub(crate) fn is_syn(&self) -> bool {
        // SAFETY: as above.
        unsafe { *self.header.add(13) & SYN != 0 }
    }

    /// Whether it asks for a connection.
    #[inline(always)]
    pub(crate) fn opens(&self) -> bool {
        // SAFETY: as above.
        unsafe { *self.header.add(13) & (SYN | ACK | RST) == SYN }
    }

    /// The port that it is sent to, host byte order.
    #[inline(always)]
    pub(crate) fn called_port(&self) -> u32 {
        u32::from(u16::from_be((self.ports() >> 16) as u16))
    }

    /// The port that it is sent from, host byte order.
    #[inline(always)]
    pub(crate) fn sender_port(&self) -> u32 {
        u32::from(u16::from_be(self.ports() as u16))
    }

    /// Returns true for one segment in sixteen, in whatever steps the acknowledgement number grows: by the upper bits
    /// of its product with 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
    #[inline(always)]
    pub(crate) fn is_sample(&self) -> bool {
        self.acknowledged().wrapping_mul(0x9e37_79b1) >> 28 == 0
    }
}

/// Parses the headers of a packet. Returns `None` if it is not TCP.
///
/// The headers are read in place, without a helper call: they are linear before these hooks run, because the kernel
/// pushed them itself (egress) or pulled them for the socket lookup (`tcp_v4_rcv`, `tcp_v6_rcv`).
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
pub(crate) unsafe fn parse_headers(skb: *mut __sk_buff) -> Option<TcpSegment> {
    // SAFETY: guaranteed by the caller; every byte that is read is before `end`, which the verifier checks.
    unsafe {
        let len = read_volatile(&raw const (*skb).len) as usize;
        let data = read_volatile(&raw const (*skb).data) as usize;
        let end = read_volatile(&raw const (*skb).data_end) as usize;
        // An IPv4 and a TCP header have 20 bytes each at least (RFC 791 3.1, RFC 9293 3.1).
        if data + 40 > end {
            return None;
        }
        let ip = data as *const u8;
        let version = *ip;
        let (ip_header, mut tcp) = if version == IPV4_WITHOUT_OPTIONS {
            // Nearly every packet. What was compared with the end covers the TCP header too.
            if *ip.add(9) != TCP {
                return None;
            }
            (IPV4_HEADER, data + IPV4_HEADER)
        } else {
            let ip_header = if version >> 4 == 4 {
                if *ip.add(9) != TCP {
                    return None;
                }
                usize::from(version & 15) * 4
            } else {
                let next = *ip.add(6);
                if next == TCP { IPV6_HEADER } else { behind_extensions(skb, next)? }
            };
            let tcp = data + ip_header;
            if tcp + 20 > end {
                return None;
            }
            (ip_header, tcp)
        };
        // The compiler would add both parts again here, to a pointer that the verifier has not seen compared.
        asm!("{tcp} = {tcp}", tcp = inout(reg) tcp, options(pure, nomem, nostack, preserves_flags));
        let header = tcp as *const u8;
        let start = ip_header + usize::from(*header.add(12) >> 4) * 4;
        let len = len.saturating_sub(start);
        Some(TcpSegment { start: start as u32, len: len as u32, header })
    }
}

/// Reads the word at `OFFSET` of a header, which may have any alignment: `read_unaligned` compiles to ten instructions for
/// this target, though the kernel allows one.
///
/// # Safety
/// The verifier knows that the word lies within the packet.
#[inline(always)]
unsafe fn word<const OFFSET: usize>(header: *const u8) -> u32 {
    let value: u64;
    // SAFETY: guaranteed by the caller; it only reads.
    unsafe {
        asm!("{value} = *(u32 *)({header} + {offset})", value = out(reg) value, header = in(reg) header,
            offset = const OFFSET, options(pure, readonly, nostack, preserves_flags));
    }
    value as u32
}

/// The offset of the TCP header behind the extension headers of an IPv6 packet, the first of which is of type `next`.
///
/// # Safety
/// `skb` is the program's context.
#[inline(always)]
unsafe fn behind_extensions(skb: *mut __sk_buff, mut next: u8) -> Option<usize> {
    let mut offset = IPV6_HEADER;
    for _ in 0..MAX_EXTENSIONS {
        if !EXTENSIONS.contains(&next) {
            return None;
        }
        let mut header = [0_u8; 2];
        // SAFETY: guaranteed by the caller.
        if unsafe { bpf_skb_load_bytes(skb.cast(), offset as u32, (&raw mut header).cast(), 2) } != 0 {
            return None;
        }
        offset += if next == FRAGMENT { 8 } else { (usize::from(header[1]) + 1) * 8 };
        next = header[0];
        if next == TCP {
            return Some(offset);
        }
    }
    None
}

/// What a segment with so many bytes of payload takes from the budget.
#[inline(always)]
pub(crate) fn cost(len: u32) -> u8 {
    if len <= PAYLOAD_TINY as u32 {
        1
    } else if len <= PAYLOAD_SMALL as u32 {
        PAYLOAD_COST_SMALL
    } else {
        PAYLOAD_COST
    }
}

/// Whether more than the first [`gdprport_common::PAYLOAD_CAP`] bytes of a segment may matter, see [`PAYLOAD_LONG`]. Of other records of
/// TLS they do not: what decides stands at the beginning of a ServerHello, and the rest is encrypted. Of a segment that
/// is longer still the end is not captured, so that a part more is of no use.
///
/// # Safety
/// `skb` is the program's context, and its payload has more than [`gdprport_common::PAYLOAD_CAP`] bytes from `start` on.
#[inline(always)]
pub(crate) unsafe fn more_may_matter(skb: *mut __sk_buff, start: u32, len: u32) -> bool {
    let mut first = [0_u8; 8];
    // SAFETY: guaranteed by the caller.
    if unsafe { bpf_skb_load_bytes(skb.cast(), start, (&raw mut first).cast(), first.len() as u32) } != 0 {
        return false;
    }
    let [content, major, _, _, _, message, ..] = first;
    if (20..=24).contains(&content) && major == 3 {
        content == HANDSHAKE && message == CLIENT_HELLO
    } else {
        len <= PAYLOAD_LONG as u32 || first == *PROXY
    }
}

/// The last segment with payload that reached a listener on this CPU.
#[repr(C)]
pub(crate) struct EarlySegment {
    /// TCP sequence number of its first byte of payload.
    pub sequence: u32,
    /// Its acknowledgement number; of a SYN without meaning.
    pub acknowledged: u32,
    /// The ports of the sender and of the listener, as in the TCP header, network byte order.
    pub ports: u32,
    /// Whether it is a SYN.
    pub syn: u32,
    /// Bytes of its payload, 0 if there is none or it was used.
    pub len: u32,
    /// How many of them are in `record`, at most [`PAYLOAD_LONG`].
    pub kept: u32,
    /// The record, without its header.
    pub record: PayloadRecord<PAYLOAD_LONG>,
}
