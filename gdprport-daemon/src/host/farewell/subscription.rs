//! One network namespace's broadcast of destroyed TCP sockets: subscribing and reading the notices.
//!
//! A notice is a `struct inet_diag_msg` with a `tcp_info`, as in an answer of sock_diag(7), sent to the
//! multicast groups `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`
//! (include/uapi/linux/sock_diag.h). Listening sockets are among them; a `TIME_WAIT` is not.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_packet_sock_diag::constants::{INET_DIAG_INFO, IPPROTO_TCP};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use rustix::net::sockopt;
use thiserror::Error;

use super::Farewell;
use crate::host::clock::boottime_ns;
use gdprport_core::flow::LastCounts;

/// `SKNLGRP_INET_TCP_DESTROY`, as a multicast group.
const INET_TCP_DESTROY: u32 = 1;
/// `SKNLGRP_INET6_TCP_DESTROY`, as a multicast group.
const INET6_TCP_DESTROY: u32 = 3;

/// What the kernel may hold for us; it takes twice as much for its own books. Enough for some six thousand
/// notices: all connections of a service that ends, or what closes while sockets are listed.
const QUEUE: usize = 4 << 20;

/// A notice has about 400 bytes; `tcp_info` grows by some with each kernel.
const BUFFER: usize = 8 * 1024;

const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;

/// `struct inet_diag_msg` (include/uapi/linux/inet_diag.h): its length, and where its fields are.
const HEADER: usize = 72;
const SOCKET_ID: std::ops::Range<usize> = 4..44;
const COOKIE: usize = 44;
const UNREAD: usize = 56;

/// States of include/net/tcp_states.h of what stays of a connection that this end closed first.
const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;

/// The broadcast cannot be had, or not be read.
#[derive(Debug, Error)]
pub enum SubscriptionError {
    /// The netlink socket failed.
    #[error("cannot hear of TCP sockets that end: {0}; the kernel needs CONFIG_INET_DIAG (module tcp_diag)")]
    Netlink(#[from] io::Error),
    /// A notice makes no sense.
    #[error("cannot hear of TCP sockets that end: the kernel's notice of {0} bytes cannot be read")]
    Notice(usize),
}

impl SubscriptionError {
    /// True if notices were lost because they came too fast.
    pub(super) fn is_overrun(&self) -> bool {
        matches!(self, Self::Netlink(error) if error.raw_os_error() == Some(libc::ENOBUFS))
    }
}

/// A subscription to one network namespace, which it keeps alive. From its opening on nothing is missed:
/// what is not read yet waits in the kernel.
pub struct Subscription {
    notices: Socket,
    questions: Socket,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription")
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

impl Subscription {
    /// Subscribes to the caller's network namespace.
    ///
    /// # Errors
    /// [`SubscriptionError::Netlink`].
    pub fn open() -> Result<Self, SubscriptionError> {
        let mut questions = Socket::new(NETLINK_SOCK_DIAG)?;
        questions.bind_auto()?;
        questions.connect(&SocketAddr::new(0, 0))?;
        let mut notices = Socket::new(NETLINK_SOCK_DIAG)?;
        // Beyond the host's limit only with CAP_NET_ADMIN; up to that limit anybody may.
        if sockopt::set_socket_recv_buffer_size_force(&notices, QUEUE).is_err() {
            sockopt::set_socket_recv_buffer_size(&notices, QUEUE).map_err(io::Error::from)?;
        }
        notices.bind_auto()?;
        notices.add_membership(INET_TCP_DESTROY)?;
        notices.add_membership(INET6_TCP_DESTROY)?;
        Ok(Self { notices, questions })
    }

    /// Reads what waits, at most `max` notices, and adds those whose cookie is wanted to `out`. Never blocks.
    ///
    /// # Errors
    /// [`SubscriptionError`]; some notices are lost then.
    pub(super) fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        max: usize,
        mut wanted: impl FnMut(u64) -> bool,
        out: &mut Vec<Farewell>,
    ) -> Result<(), SubscriptionError> {
        buffer.resize(BUFFER, 0);
        for _ in 0..max {
            let received = self.notices.recv_from(&mut &mut buffer[..], libc::MSG_DONTWAIT);
            let (len, from) = match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                received => received?,
            };
            // Another process may be allowed to write to this socket; the kernel has port number 0.
            if from.port_number() != 0 {
                continue;
            }
            let bytes = buffer.get(..len).ok_or(SubscriptionError::Notice(len))?;
            let notice = payload(bytes).ok_or(SubscriptionError::Notice(len))?;
            let Some(cookie) = cookie(notice) else { return Err(SubscriptionError::Notice(len)) };
            if wanted(cookie) {
                let last = last_counts(notice).ok_or(SubscriptionError::Notice(len))?;
                let time_wait = question(notice).and_then(|question| self.time_wait(&question));
                out.push(Farewell { cookie, time_ns: boottime_ns(), last: LastCounts { time_wait, ..last } });
            }
        }
        Ok(())
    }

    /// Asks whether a `TIME_WAIT` has taken a connection over; `None` if the kernel does not say.
    fn time_wait(&self, question: &[u8]) -> Option<bool> {
        self.questions.send(question, 0).ok()?;
        // The kernel answers within the call that asks.
        let mut buffer = [0; BUFFER];
        let len = self.questions.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT).ok()?;
        answer(buffer.get(..len)?)
    }
}

/// What a message of `SOCK_DIAG_BY_FAMILY` carries.
fn payload(message: &[u8]) -> Option<&[u8]> {
    let message = NetlinkBuffer::new_checked(message).ok()?;
    (message.message_type() == SOCK_DIAG_BY_FAMILY).then(|| message.payload())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The cookie in a notice: two words, the lower one first.
fn cookie(notice: &[u8]) -> Option<u64> {
    Some(u64::from(word(notice, COOKIE)?) | u64::from(word(notice, COOKIE + 4)?) << 32)
}

/// The counts in a notice, with a `tcp_info` of at least the fields of Linux 4.19; later kernels only append.
fn last_counts(notice: &[u8]) -> Option<LastCounts> {
    let info = NlasIterator::new(notice.get(HEADER..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == INET_DIAG_INFO)?;
    let info = info.value();
    Some(LastCounts {
        bytes_acked: long(info, 120)?,
        bytes_received: long(info, 128)?,
        // Bytes of payload that left, less those that left again.
        payload_sent: long(info, 200)?.saturating_sub(long(info, 208)?),
        unread: word(notice, UNREAD)?,
        segments: u64::from(word(info, 136)?) + u64::from(word(info, 140)?),
        answered: word(info, 140)? > 0,
        rtt_us: word(info, 68)?,
        retransmits: word(info, 100)?,
        time_wait: None,
    })
}

/// The question what has the addresses and ports of this notice: a `struct inet_diag_req_v2` with any cookie
/// and any state.
fn question(notice: &[u8]) -> Option<Vec<u8>> {
    const LENGTH: u32 = 16 + 56;
    let mut message = Vec::with_capacity(LENGTH as usize);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([*notice.first()?, IPPROTO_TCP, 0, 0]);
    message.extend(u32::MAX.to_ne_bytes());
    message.extend(notice.get(SOCKET_ID)?);
    message.extend([0xff; 8]);
    Some(message)
}

/// Whether the answer names a `TIME_WAIT`; `None` if it is no answer. A listener on the local port is
/// answered where nothing has both addresses.
fn answer(message: &[u8]) -> Option<bool> {
    let message = NetlinkBuffer::new_checked(message).ok()?;
    match message.message_type() {
        SOCK_DIAG_BY_FAMILY => Some(matches!(*message.payload().get(1)?, FIN_WAIT2 | TIME_WAIT)),
        NLMSG_ERROR => (word(message.payload(), 0)? as i32 == -libc::ENOENT).then_some(false),
        _ => None,
    }
}

/// Any bytes as a notice, or as the answer to a question about one, are read or refused.
#[cfg(any(test, fuzzing))]
pub(in crate::host) fn hostile(bytes: &[u8]) {
    let _ = answer(bytes);
    for notice in [Some(bytes), payload(bytes)].into_iter().flatten() {
        let (cookie, counts, question) = (cookie(notice), last_counts(notice), question(notice));
        assert!(counts.is_none() || cookie.is_some(), "who has counts has a cookie");
        assert!(question.is_none_or(|question| question.len() == 72));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A notice of a socket with these counts, as the kernel writes it.
    fn notice(cookie: u64, unread: u32, info: &[u8]) -> Vec<u8> {
        let mut notice = vec![0; HEADER];
        notice[COOKIE..COOKIE + 4].copy_from_slice(&(cookie as u32).to_ne_bytes());
        notice[COOKIE + 4..COOKIE + 8].copy_from_slice(&((cookie >> 32) as u32).to_ne_bytes());
        notice[UNREAD..UNREAD + 4].copy_from_slice(&unread.to_ne_bytes());
        let length = u16::try_from(4 + info.len()).expect("short");
        notice.extend(length.to_ne_bytes());
        notice.extend(INET_DIAG_INFO.to_ne_bytes());
        notice.extend(info);
        notice
    }

    #[test]
    fn a_notice_is_read_field_by_field() {
        let mut info = [0; 280];
        for (at, value) in [(120, 1236), (128, 55), (200, 1300), (208, 66)] {
            info[at..at + 8].copy_from_slice(&u64::to_ne_bytes(value));
        }
        for (at, value) in [(68, 180), (100, 3), (136, 4), (140, 5)] {
            info[at..at + 4].copy_from_slice(&u32::to_ne_bytes(value));
        }
        let bytes = notice(0x1_0000_0002, 1, &info);
        assert_eq!(cookie(&bytes), Some(0x1_0000_0002));
        assert_eq!(
            last_counts(&bytes),
            Some(LastCounts {
                bytes_acked: 1236,
                bytes_received: 55,
                payload_sent: 1234,
                unread: 1,
                segments: 9,
                answered: true,
                rtt_us: 180,
                retransmits: 3,
                time_wait: None,
            })
        );
        assert_eq!(last_counts(&notice(1, 0, &info[..200])), None, "a tcp_info from before Linux 4.19");
    }

    #[test]
    fn only_what_the_kernel_does_not_know_is_no_time_wait() {
        let message = |kind: u16, payload: &[u8]| {
            let length = u32::try_from(16 + payload.len()).expect("short");
            let kind = kind.to_ne_bytes();
            [&length.to_ne_bytes()[..], &kind, &[0; 10], payload].concat()
        };
        let refusal = |errno: i32| message(NLMSG_ERROR, &[&(-errno).to_ne_bytes()[..], &[0; 16]].concat());
        let socket = |state: u8| message(SOCK_DIAG_BY_FAMILY, &[&[2, state][..], &[0; 70]].concat());
        assert_eq!(answer(&refusal(libc::ENOENT)), Some(false));
        assert_eq!(answer(&refusal(libc::EPERM)), None);
        assert_eq!(answer(&socket(TIME_WAIT)), Some(true));
        assert_eq!(answer(&socket(FIN_WAIT2)), Some(true));
        assert_eq!(answer(&socket(10)), Some(false), "a listener");
    }

    proptest! {
        #[test]
        fn any_notice_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            hostile(&bytes);
        }

        #[test]
        fn any_tcp_info_is_read_or_refused(info in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(last_counts(&notice(7, 1, &info)).is_some(), info.len() >= 216);
        }
    }
}
