//! The kernel's connection tracking: the question for one connection, the answer, and what it says of a flow.
//!
//! Belongs here: the bytes of ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h) and the decision. Does not
//! belong here: sending and receiving (`host`).
//!
//! The kernel finds an entry by either of its tuples: by the *original* one (as the first packet had its addresses before
//! translation) or by the *reply* one (as answers have them before they are translated back). A socket that connected has
//! the original tuple; one that accepted has the reply tuple. The other tuple is what the other side sees.

use std::net::IpAddr;

use crate::model::{Direction, Endpoint, Nat, Translation};

/// `NFNL_SUBSYS_CTNETLINK`, as the upper byte of a message's type.
const SUBSYSTEM: u16 = 1 << 8;
/// `IPCTNL_MSG_CT_NEW`: an entry.
const NEW: u16 = SUBSYSTEM;
/// `IPCTNL_MSG_CT_GET`.
const GET: u16 = SUBSYSTEM | 1;
/// `IPCTNL_MSG_CT_GET_STATS`: how many entries there are.
const GET_STATS: u16 = SUBSYSTEM | 5;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// Lengths of a `struct nlmsghdr` and a `struct nfgenmsg`.
const HEADER: usize = 16;
const FAMILY: usize = 4;
/// `AF_INET` and `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;
/// `NLA_F_NESTED`, and all bits of an attribute's type that are no number.
const NESTED: u16 = 0x8000;
const FLAGS: u16 = 0xc000;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// `enum ctattr_type`.
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ZONE: u16 = 18;
/// `enum ctattr_tuple`.
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const TUPLE_ZONE: u16 = 3;
/// `enum ctattr_l4proto`.
const PROTO_NUM: u16 = 1;
const PROTO_SRC_PORT: u16 = 2;
const PROTO_DST_PORT: u16 = 3;
/// `ENOENT`: there is no such entry.
const NO_ENTRY: i32 = 2;

/// A connection to be asked about, as its socket on this host has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Cookie of the socket.
    pub cookie: u64,
    /// Whether it accepted or connected.
    pub direction: Direction,
    /// Its own end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
}

/// The addresses of the packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Where they come from.
    pub from: Endpoint,
    /// Where they go.
    pub to: Endpoint,
}

impl Tuple {
    const fn reversed(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// One connection as connection tracking has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked {
    /// Its packets in the direction of the first, before translation.
    pub original: Tuple,
    /// Those of the other direction, before they are translated back.
    pub reply: Tuple,
    /// True if it is, in one direction or both, in another zone than the default one: another entry of the same
    /// connection may be in the others.
    pub zoned: bool,
}

/// What the kernel said to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This entry.
    Tracked(Tracked),
    /// It tracks no such connection in the default zone.
    NoEntry,
    /// It refused, with this error number; 0 if what it sent cannot be read.
    Refused(i32),
}

/// What a datagram holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The number of the question that it answers.
    pub number: u32,
    /// The answer.
    pub answer: Answer,
}

/// Appends the question `number` for the connection of a socket.
pub fn ask(question: &Question, number: u32, to: &mut Vec<u8>) {
    let Question { direction, local, peer, .. } = *question;
    let begin = to.len();
    let family = if local.ip.is_ipv4() { INET } else { INET6 };
    message(GET, number, family, to);
    let which = if direction == Direction::In { TUPLE_REPLY } else { TUPLE_ORIG };
    nest(which, to, |to| {
        nest(TUPLE_IP, to, |to| {
            let [from, dest] = if local.ip.is_ipv4() { [1, 2] } else { [3, 4] };
            for (kind, ip) in [(from, local.ip), (dest, peer.ip)] {
                match ip {
                    IpAddr::V4(ip) => attribute(kind, &ip.octets(), to),
                    IpAddr::V6(ip) => attribute(kind, &ip.octets(), to),
                }
            }
        });
        nest(TUPLE_PROTO, to, |to| {
            attribute(PROTO_NUM, &[TCP], to);
            attribute(PROTO_SRC_PORT, &local.port.to_be_bytes(), to);
            attribute(PROTO_DST_PORT, &peer.port.to_be_bytes(), to);
        });
    });
    set_length(begin, 4, to);
}

/// The question whether this kernel answers at all. The answer is [`Answer::Refused`] if it does not.
#[must_use]
pub fn ask_for_statistics() -> Vec<u8> {
    let mut to = Vec::new();
    message(GET_STATS, 0, 0, &mut to);
    set_length(0, 4, &mut to);
    to
}

fn message(kind: u16, number: u32, family: u8, to: &mut Vec<u8>) {
    to.extend([0; 4]);
    to.extend(kind.to_ne_bytes());
    to.extend(REQUEST.to_ne_bytes());
    to.extend(number.to_ne_bytes());
    to.extend([0; 4]);
    to.extend([family, 0, 0, 0]);
}

fn attribute(kind: u16, value: &[u8], to: &mut Vec<u8>) {
    let begin = to.len();
    to.extend([0; 2]);
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    set_length(begin, 2, to);
    to.resize(begin + (to.len() - begin).next_multiple_of(4), 0);
}

fn nest(kind: u16, to: &mut Vec<u8>, inside: impl FnOnce(&mut Vec<u8>)) {
    let begin = to.len();
    to.extend([0; 2]);
    to.extend((kind | NESTED).to_ne_bytes());
    inside(to);
    set_length(begin, 2, to);
}

/// Writes the length of what stands from `begin` on there, in its first `size` bytes.
fn set_length(begin: usize, size: usize, to: &mut [u8]) {
    let length = (to.len() - begin) as u32;
    match size {
        2 => to[begin..begin + 2].copy_from_slice(&(length as u16).to_ne_bytes()),
        _ => to[begin..begin + 4].copy_from_slice(&length.to_ne_bytes()),
    }
}

/// Reads a datagram of the kernel, which answers one question; `None` if it answers none.
#[must_use]
pub fn read_reply(datagram: &[u8]) -> Option<Reply> {
    let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
    let number = u32::from_ne_bytes(*datagram.get(8..)?.first_chunk()?);
    let payload = datagram.get(HEADER..length)?;
    let answer = match kind {
        ERROR => match i32::from_ne_bytes(*payload.first_chunk()?).saturating_neg() {
            NO_ENTRY => Answer::NoEntry,
            error => Answer::Refused(error),
        },
        NEW => payload.get(FAMILY..).and_then(read_entry).map_or(Answer::Refused(0), Answer::Tracked),
        // The reply to the question for statistics.
        _ if kind & 0xff00 == SUBSYSTEM => Answer::NoEntry,
        _ => return None,
    };
    Some(Reply { number, answer })
}

fn read_entry(attributes: &[u8]) -> Option<Tracked> {
    let (mut original, mut reply, mut zoned) = (None, None, false);
    for (kind, value) in Attributes(attributes) {
        match kind {
            TUPLE_ORIG => original = Some(read_tuple(value, &mut zoned)?),
            TUPLE_REPLY => reply = Some(read_tuple(value, &mut zoned)?),
            ZONE => zoned |= value.iter().any(|byte| *byte != 0),
            _ => {}
        }
    }
    Some(Tracked { original: original?, reply: reply?, zoned })
}

fn read_tuple(attributes: &[u8], zoned: &mut bool) -> Option<Tuple> {
    let (mut ips, mut ports, mut protocol) = ([None; 2], [None; 2], None);
    for (kind, value) in Attributes(attributes) {
        match kind {
            TUPLE_IP => {
                for (kind, value) in Attributes(value) {
                    match kind {
                        1 | 2 => {
                            ips[usize::from(kind) - 1] = Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?));
                        }
                        3 | 4 => {
                            ips[usize::from(kind) - 3] =
                                Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?));
                        }
                        _ => {}
                    }
                }
            }
            TUPLE_PROTO => {
                for (kind, value) in Attributes(value) {
                    match kind {
                        PROTO_NUM => protocol = value.first().copied(),
                        PROTO_SRC_PORT | PROTO_DST_PORT => {
                            let port = u16::from_be_bytes(value.try_into().ok()?);
                            ports[usize::from(kind - PROTO_SRC_PORT)] = Some(port);
                        }
                        _ => {}
                    }
                }
            }
            TUPLE_ZONE => *zoned |= value.iter().any(|byte| *byte != 0),
            _ => {}
        }
    }
    if protocol != Some(TCP) {
        return None;
    }
    let end = |at: usize| Some(Endpoint::new(ips[at]?, ports[at]?));
    Some(Tuple { from: end(0)?, to: end(1)? })
}

/// The attributes of a message, as far as they can be read.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [length, kind] = [0, 2].map(|at| Some(u16::from_ne_bytes(*self.0.get(at..)?.first_chunk()?)));
        let length = usize::from(length?);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind? & !FLAGS, value))
    }
}

/// What an answer says of the connection that was asked about; `None`: it is not translated here.
///
/// A translated connection has an entry for as long as its packets pass, and for a time after its end. So where the
/// kernel has none in the default zone, the connection is not translated there. An entry that does not fit the question,
/// or that lies in other zones too, decides nothing.
#[must_use]
pub fn translation(question: &Question, answer: &Answer) -> Option<Nat> {
    let Question { direction, local, peer, .. } = *question;
    let tracked = match answer {
        Answer::NoEntry => return None,
        Answer::Refused(_) => return Some(Nat::Unknown),
        Answer::Tracked(tracked) if tracked.zoned => return Some(Nat::Unknown),
        Answer::Tracked(tracked) => tracked,
    };
    let own = Tuple { from: local, to: peer };
    let (ours, theirs) = match direction {
        Direction::In => (tracked.reply, tracked.original),
        Direction::Out => (tracked.original, tracked.reply),
    };
    if theirs == ours.reversed() && (ours == own || theirs == own) {
        // In the other order if tracking began in the middle of the connection.
        return None;
    }
    if ours != own {
        return Some(Nat::Unknown);
    }
    // What the other side sends from, and what it sends to.
    let (true_peer, called) = (theirs.from, theirs.to);
    let differing = |seen: Endpoint, own: Endpoint| (seen != own).then_some(seen);
    let seen_as = differing(called, local);
    let (destination, source) = match direction {
        Direction::In => (seen_as, None),
        Direction::Out => (None, seen_as),
    };
    Some(Nat::Translated(Box::new(Translation { peer: differing(true_peer, peer), destination, source })))
}

#[cfg(test)]
mod tests;
