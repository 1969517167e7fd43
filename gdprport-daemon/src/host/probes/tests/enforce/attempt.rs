//! Attempts to connect that nobody waits for, a server, and a SYN that is written by hand.

use std::mem::size_of_val;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};

use super::scene::Address;

/// A connect under way.
pub(super) struct Attempt(OwnedFd);

impl Attempt {
    /// Sends the SYN, from this address if there is one.
    pub(super) fn begin(to: &Address, from: Option<&Address>) -> Self {
        let (family, address, len) = to.parts();
        // SAFETY: system calls with values of their sizes; the descriptor is this function's.
        unsafe {
            let raw = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
            assert!(raw >= 0, "{}", std::io::Error::last_os_error());
            let attempt = Self(OwnedFd::from_raw_fd(raw));
            // No state stays behind that would use the ports up.
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            let size = size_of_val(&linger) as libc::socklen_t;
            libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size);
            if let Some((_, from, len)) = from.map(Address::parts) {
                assert_eq!(libc::bind(raw, from, len), 0, "{}", std::io::Error::last_os_error());
            }
            libc::connect(raw, address, len);
            attempt
        }
    }

    /// Whether it was answered.
    pub(super) fn is_connected(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: a value of its size.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents == libc::POLLOUT }
    }
}

/// Listens; only system calls. Negative: it failed.
pub(super) fn listen(at: &Address) -> i32 {
    let (family, address, len) = at.parts();
    let on = 1_i32;
    // SAFETY: system calls with values of their sizes.
    unsafe {
        let raw = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), 4);
        if libc::bind(raw, address, len) != 0 || libc::listen(raw, 128) != 0 {
            return -1;
        }
        raw
    }
}

/// Accepts and closes without end; only system calls.
pub(super) fn serve(listener: i32) {
    loop {
        // SAFETY: a system call without an address; what it returns is this function's.
        unsafe {
            let accepted =
                libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC);
            libc::close(accepted);
        }
    }
}

/// Sends a SYN from and to `::1`, behind so many headers with destination options (RFC 8200 4.6).
pub(super) fn send_syn(port: u16, headers: u8) {
    const OPTIONS: u8 = 60;
    const TCP: u8 = 6;
    static FROM: AtomicU16 = AtomicU16::new(20_000);
    let here = Ipv6Addr::LOCALHOST.octets();
    let mut tcp = Vec::new();
    tcp.extend_from_slice(&FROM.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    tcp.extend_from_slice(&port.to_be_bytes());
    tcp.extend_from_slice(&[0, 0, 0, 7, 0, 0, 0, 0, 5 << 4, 2, 4, 0, 0, 0, 0, 0]);
    let checksum = checksum(&[&here[..], &here[..], &[0, 0, 0, 20, 0, 0, 0, TCP], &tcp].concat());
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());

    let first = |left: u8| if left > 0 { OPTIONS } else { TCP };
    let mut packet = vec![6 << 4, 0, 0, 0, 0, 8 * headers + 20, first(headers), 64];
    packet.extend_from_slice(&here);
    packet.extend_from_slice(&here);
    for left in (0..headers).rev() {
        // One option that only fills (PadN).
        packet.extend_from_slice(&[first(left), 0, 1, 4, 0, 0, 0, 0]);
    }
    packet.extend_from_slice(&tcp);
    let to = Address::new(Ipv6Addr::LOCALHOST.into(), 0);
    let (_, address, len) = to.parts();
    // SAFETY: system calls with values of their sizes; the descriptor is this function's.
    unsafe {
        let raw = libc::socket(libc::AF_INET6, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW);
        assert!(raw >= 0, "{}", std::io::Error::last_os_error());
        let _socket = OwnedFd::from_raw_fd(raw);
        let sent = libc::sendto(raw, packet.as_ptr().cast(), packet.len(), 0, address, len);
        assert_eq!(sent, packet.len().cast_signed(), "{}", std::io::Error::last_os_error());
    }
}

/// The checksum of the Internet (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let (words, _) = bytes.as_chunks::<2>();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("16 bits")
}
