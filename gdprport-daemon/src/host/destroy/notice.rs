//! The end of a socket as the kernel reports it, and reading that from the bytes of a message.
//!
//! A notice is a `struct inet_diag_msg` with a `tcp_info`, as in a reply of sock_diag(7). Does not belong here:
//! receiving them (`subscription`), what the counts mean (`core::flow`).

use netlink_packet_core::{NLM_F_REQUEST, NLMSG_ERROR, NetlinkBuffer, NlasIterator};
use netlink_packet_sock_diag::constants::{
    INET_DIAG_INFO, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY, TCP_FIN_WAIT2, TCP_TIME_WAIT,
};

use gdprport_core::flow::LastCounts;

/// `struct inet_diag_msg` (include/uapi/linux/inet_diag.h): its length, and where its fields are.
const HEADER: usize = 72;
const SOCKET_ID: std::ops::Range<usize> = 4..44;
const COOKIE: usize = 44;
const UNREAD: usize = 56;

/// The end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestroyNotice {
    pub cookie: u64,
    /// When it was received, at most some ten milliseconds after it happened; boottime ns.
    pub time_ns: u64,
    /// What it had counted; meaningless for a listener.
    pub last: LastCounts,
}

/// What a message of `SOCK_DIAG_BY_FAMILY` carries.
pub(super) fn payload(message: &[u8]) -> Option<&[u8]> {
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
pub(super) fn cookie(notice: &[u8]) -> Option<u64> {
    Some(u64::from(word(notice, COOKIE)?) | u64::from(word(notice, COOKIE + 4)?) << 32)
}

/// The counts in a notice, with a `tcp_info` of at least the fields of Linux 4.19; later kernels only append.
pub(super) fn last_counts(notice: &[u8]) -> Option<LastCounts> {
    let info = NlasIterator::new(notice.get(HEADER..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == INET_DIAG_INFO)?;
    let info = info.value();
    Some(LastCounts {
        bytes_acked: long(info, 120)?,
        bytes_received: long(info, 128)?,
        // Bytes of payload sent, less those retransmitted.
        payload_sent: long(info, 200)?.saturating_sub(long(info, 208)?),
        unread: word(notice, UNREAD)?,
        segments: u64::from(word(info, 136)?) + u64::from(word(info, 140)?),
        answered: word(info, 140)? > 0,
        rtt_us: word(info, 68)?,
        retransmits: word(info, 100)?,
        time_wait: None,
    })
}

/// The query for what has the addresses and ports of this notice: a `struct inet_diag_req_v2` with any cookie
/// and any state.
pub(super) fn query(notice: &[u8]) -> Option<Vec<u8>> {
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

/// Whether the reply names a `TIME_WAIT`; `None` if it is no reply. Where nothing has both addresses, the kernel
/// returns a listener on the local port.
pub(super) fn read_reply(message: &[u8]) -> Option<bool> {
    let message = NetlinkBuffer::new_checked(message).ok()?;
    match message.message_type() {
        SOCK_DIAG_BY_FAMILY => Some(matches!(*message.payload().get(1)?, TCP_FIN_WAIT2 | TCP_TIME_WAIT)),
        NLMSG_ERROR => (word(message.payload(), 0)? as i32 == -libc::ENOENT).then_some(false),
        _ => None,
    }
}

/// Any bytes as a notice, or as the reply to a query about one, are read or rejected.
#[cfg(any(test, fuzzing))]
pub(in crate::host) fn hostile(bytes: &[u8]) {
    let _ = read_reply(bytes);
    for notice in [Some(bytes), payload(bytes)].into_iter().flatten() {
        let (cookie, counts, query) = (cookie(notice), last_counts(notice), query(notice));
        assert!(counts.is_none() || cookie.is_some(), "counts come with a cookie");
        assert!(query.is_none_or(|query| query.len() == 72));
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
    fn only_an_unknown_connection_is_not_in_time_wait() {
        let message = |kind: u16, payload: &[u8]| {
            let length = u32::try_from(16 + payload.len()).expect("short");
            let kind = kind.to_ne_bytes();
            [&length.to_ne_bytes()[..], &kind, &[0; 10], payload].concat()
        };
        let error = |errno: i32| message(NLMSG_ERROR, &[&(-errno).to_ne_bytes()[..], &[0; 16]].concat());
        let socket = |state: u8| message(SOCK_DIAG_BY_FAMILY, &[&[2, state][..], &[0; 70]].concat());
        assert_eq!(read_reply(&error(libc::ENOENT)), Some(false));
        assert_eq!(read_reply(&error(libc::EPERM)), None);
        assert_eq!(read_reply(&socket(TCP_TIME_WAIT)), Some(true));
        assert_eq!(read_reply(&socket(TCP_FIN_WAIT2)), Some(true));
        assert_eq!(read_reply(&socket(10)), Some(false), "a listener");
    }

    proptest! {
        #[test]
        fn any_notice_is_read_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            hostile(&bytes);
        }

        #[test]
        fn any_tcp_info_is_read_or_rejected(info in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(last_counts(&notice(7, 1, &info)).is_some(), info.len() >= 216);
        }
    }
}
