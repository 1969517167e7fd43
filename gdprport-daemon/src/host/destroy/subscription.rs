//! One network namespace's broadcast of destroyed TCP sockets: subscribing and reading the notices.
//!
//! A notice is a `struct inet_diag_msg` with a `tcp_info`, as in a reply of sock_diag(7), sent to the
//! multicast groups `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`
//! (include/uapi/linux/sock_diag.h). Listening sockets are among them; a `TIME_WAIT` is not.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use rustix::net::sockopt;
use thiserror::Error;

use super::notice::{self, DestroyNotice};
use crate::host::clock::boottime_ns;
use gdprport_core::flow::LastCounts;

/// `SKNLGRP_INET_TCP_DESTROY`, as a multicast group.
const INET_TCP_DESTROY: u32 = 1;
/// `SKNLGRP_INET6_TCP_DESTROY`, as a multicast group.
const INET6_TCP_DESTROY: u32 = 3;

/// What the kernel may hold for us; it takes twice as much for its own overhead. Enough for some six thousand
/// notices: all connections of a service that ends, or what closes while sockets are listed.
const QUEUE: usize = 4 << 20;

/// A notice has about 400 bytes; `tcp_info` grows by some with each kernel.
const BUFFER: usize = 8 * 1024;

/// Why notices cannot be received.
#[derive(Debug, Error)]
pub(crate) enum SubscriptionError {
    /// The netlink socket failed.
    #[error(
        "cannot receive notices of destroyed TCP sockets: {0}; the kernel needs CONFIG_INET_DIAG (module tcp_diag)"
    )]
    Netlink(#[from] io::Error),
    /// A notice makes no sense.
    #[error(
        "cannot receive notices of destroyed TCP sockets: the kernel's notice of {0} bytes cannot be read"
    )]
    Notice(usize),
}

impl SubscriptionError {
    /// True if notices were lost because they came too fast.
    pub(super) fn is_overrun(&self) -> bool {
        matches!(self, Self::Netlink(error) if error.raw_os_error() == Some(libc::ENOBUFS))
    }
}

/// A subscription to one network namespace, which it keeps alive. Nothing is missed from its opening on:
/// what is not read yet waits in the kernel.
#[derive(Debug)]
pub(crate) struct Subscription {
    notices: Socket,
    queries: Socket,
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
    pub(crate) fn open() -> Result<Self, SubscriptionError> {
        let mut queries = Socket::new(NETLINK_SOCK_DIAG)?;
        queries.bind_auto()?;
        queries.connect(&SocketAddr::new(0, 0))?;
        let mut notices = Socket::new(NETLINK_SOCK_DIAG)?;
        // Beyond the host's limit only with CAP_NET_ADMIN; up to that limit anybody may.
        if sockopt::set_socket_recv_buffer_size_force(&notices, QUEUE).is_err() {
            sockopt::set_socket_recv_buffer_size(&notices, QUEUE).map_err(io::Error::from)?;
        }
        notices.bind_auto()?;
        notices.add_membership(INET_TCP_DESTROY)?;
        notices.add_membership(INET6_TCP_DESTROY)?;
        Ok(Self { notices, queries })
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
        out: &mut Vec<DestroyNotice>,
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
            let notice = notice::payload(bytes).ok_or(SubscriptionError::Notice(len))?;
            let Some(cookie) = notice::cookie(notice) else { return Err(SubscriptionError::Notice(len)) };
            if wanted(cookie) {
                let last = notice::last_counts(notice).ok_or(SubscriptionError::Notice(len))?;
                let time_wait = notice::query(notice).and_then(|query| self.time_wait(&query));
                out.push(DestroyNotice {
                    cookie,
                    time_ns: boottime_ns(),
                    last: LastCounts { time_wait, ..last },
                });
            }
        }
        Ok(())
    }

    /// Whether a `TIME_WAIT` has taken a connection over; `None` if the kernel sends no usable reply.
    fn time_wait(&self, query: &[u8]) -> Option<bool> {
        self.queries.send(query, 0).ok()?;
        // The kernel replies within the call that sends the query.
        let mut buffer = [0; BUFFER];
        let len = self.queries.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT).ok()?;
        notice::read_reply(buffer.get(..len)?)
    }
}
