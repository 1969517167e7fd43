//! Whether this host may translate the address that a connect calls: whether somebody has made rules for that.
//!
//! Belongs here: looking in this process's network namespace, which is the host's. What a translation means for a decision is
//! `gdprport_core::enforce`'s; how single connections are translated is [`super::conntrack`]'s.

use std::io;
use std::path::Path;

use netlink_sys::{Socket, SocketAddr};

/// `NETLINK_NETFILTER` (include/uapi/linux/netlink.h).
const NETLINK_NETFILTER: isize = 12;
/// `NFNL_SUBSYS_NFTABLES` and `NFT_MSG_GETCHAIN` (include/uapi/linux/netfilter/nf_tables.h): a type of netlink messages.
const GET_CHAIN: u16 = 10 << 8 | 4;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NFTA_CHAIN_TYPE`.
const CHAIN_TYPE: u16 = 7;

/// The kernel fills at most 32 KiB per reply of a dump (net/netlink/af_netlink.c).
const BUFFER: usize = 64 * 1024;

/// Replies that are read; as many chains as this have no host.
const REPLIES: usize = 4_096;

/// Tables of iptables where it is not a layer upon nf_tables, and the services of IPVS.
const TABLES: [&str; 2] = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];
const IPVS: &str = "/proc/net/ip_vs";

/// Whether this host may translate addresses. What cannot be looked at may.
#[must_use]
pub(crate) fn translates() -> bool {
    TABLES.iter().any(|table| names_nat(Path::new(table))) || has_services(Path::new(IPVS)) || has_nat_chain()
}

fn names_nat(table: &Path) -> bool {
    match std::fs::read_to_string(table) {
        Ok(names) => names.lines().any(|name| name == "nat"),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Behind three lines of heading.
fn has_services(table: &Path) -> bool {
    match std::fs::read_to_string(table) {
        Ok(services) => services.lines().count() > 3,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn has_nat_chain() -> bool {
    match nat_chains() {
        Ok(found) => found,
        // A kernel without nf_tables knows neither the protocol nor the kind of question.
        Err(error) => !matches!(
            error.raw_os_error(),
            Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL | libc::EAFNOSUPPORT)
        ),
    }
}

fn nat_chains() -> io::Result<bool> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    // From now on nobody but the kernel can send to it.
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&question(), 0)?;
    let mut buffer = vec![0; BUFFER];
    let mut found = false;
    for _ in 0..REPLIES {
        let length = socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC)?;
        let Some(reply) = buffer.get(..length) else { return Ok(true) };
        match read(reply)? {
            Read::More(nat) => found |= nat,
            Read::Last(nat) => return Ok(found || nat),
        }
    }
    Ok(true)
}

/// `struct nlmsghdr` and `struct nfgenmsg`: of all families.
fn question() -> Vec<u8> {
    let mut message = Vec::with_capacity(20);
    message.extend_from_slice(&20_u32.to_ne_bytes());
    message.extend_from_slice(&GET_CHAIN.to_ne_bytes());
    message.extend_from_slice(&DUMP.to_ne_bytes());
    message.extend_from_slice(&[0; 12]);
    message
}

/// What a datagram says: whether one of its chains is of the type `nat`, and whether it is the last one.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    More(bool),
    Last(bool),
}

fn read(mut datagram: &[u8]) -> io::Result<Read> {
    let mut nat = false;
    while let Some((length, kind)) = header(datagram) {
        let Some(message) = datagram.get(16..length) else { break };
        match kind {
            NLMSG_DONE => return Ok(Read::Last(nat)),
            NLMSG_ERROR => {
                let code = message.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            _ => nat |= message.get(4..).is_some_and(is_nat),
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Read::More(nat))
}

fn header(datagram: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
    (length >= 16).then_some((length, kind))
}

/// Whether the attributes of a chain say that it translates.
fn is_nat(mut attributes: &[u8]) -> bool {
    while let (Some(length), Some(kind)) =
        (attributes.first_chunk(), attributes.get(2..).and_then(<[u8]>::first_chunk))
    {
        let (length, kind) = (usize::from(u16::from_ne_bytes(*length)), u16::from_ne_bytes(*kind) & 0x3fff);
        let Some(value) = attributes.get(4..length) else { return false };
        if kind == CHAIN_TYPE {
            return value == b"nat\0";
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(16 + payload.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn chain(of: &[u8]) -> Vec<u8> {
        let payload = [vec![0; 4], attribute(3, b"output\0"), attribute(CHAIN_TYPE, of)].concat();
        message(10 << 8 | 3, &payload)
    }

    #[test]
    fn a_chain_that_translates_is_found_among_others() {
        let done = message(NLMSG_DONE, &[0; 4]);
        assert_eq!(
            read(&[chain(b"filter\0"), chain(b"route\0")].concat()).expect("chains"),
            Read::More(false)
        );
        assert_eq!(read(&[chain(b"filter\0"), chain(b"nat\0")].concat()).expect("chains"), Read::More(true));
        assert_eq!(read(&[chain(b"nat\0"), done.clone()].concat()).expect("chains"), Read::Last(true));
        assert_eq!(read(&done).expect("no chain"), Read::Last(false));
        let refused = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(read(&refused).expect_err("an error").raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn bytes_that_are_no_message_end_the_reading() {
        for length in 0..40 {
            assert_eq!(read(&vec![0xff; length]).expect("nothing"), Read::More(false));
            assert_eq!(read(&vec![0; length]).expect("nothing"), Read::More(false));
        }
    }

    #[test]
    fn a_table_that_is_not_there_translates_nothing() {
        assert!(!names_nat(Path::new("/nowhere/names")) && !has_services(Path::new("/nowhere/ip_vs")));
        assert!(names_nat(Path::new("/proc")), "what cannot be read may");
    }
}
