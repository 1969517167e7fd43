//! How many TCP sockets the kernel counts in the caller's network namespace: what a list is compared with.
//!
//! The count is kept where sockets enter and leave the hash tables that are listed (`sock_prot_inuse_add`,
//! net/ipv4/inet_hashtables.c), and is read without walking them. Listeners and connections count, what remains of a
//! connection (`TIME_WAIT`) does not.

use std::fs::read_to_string;

/// The sockets of each family: IPv4, IPv6; `None` where the kernel does not say.
pub(super) type InUse = [Option<u64>; 2];

/// Reads the counts of the network namespace that the calling thread is in.
pub(super) fn read() -> InUse {
    let count =
        |file: &str, key: &str| parse(&read_to_string(format!("/proc/thread-self/net/{file}")).ok()?, key);
    [count("sockstat", "TCP:"), count("sockstat6", "TCP6:")]
}

/// The number after `inuse` in the line that begins with `key`.
pub(in crate::host) fn parse(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start().strip_prefix("inuse ")?.split_ascii_whitespace().next()?.parse().ok()
}

/// Sockets that a list lacks that was taken between two counts: those that were there at both, and more than may have
/// come and gone meanwhile.
pub(super) fn missing(before: InUse, listed: [u64; 2], after: InUse) -> u64 {
    let of = |at: usize| {
        let (Some(before), Some(after)) = (before[at], after[at]) else { return 0 };
        let there = before.min(after);
        let lacking = there.saturating_sub(listed[at]);
        if lacking > CHURN + there / CHURN_SHARE { lacking } else { 0 }
    };
    of(0) + of(1)
}

/// Sockets that may close while a list is written, which takes some milliseconds, and be replaced by others behind it:
/// so many, and one in so many.
const CHURN: u64 = 16;
const CHURN_SHARE: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_its_line_only() {
        let text = "sockets: used 32\nTCP: inuse 3 orphan 0 tw 31942 alloc 3 mem 0\nUDP: inuse 9 mem 0\n";
        assert_eq!(parse(text, "TCP:"), Some(3));
        assert_eq!(parse("TCP6: inuse 12\nUDP6: inuse 0\n", "TCP6:"), Some(12));
        for text in ["", "TCP:", "TCP: orphan 0", "TCP: inuse x", "UDP: inuse 3"] {
            assert_eq!(parse(text, "TCP:"), None, "{text}");
        }
    }

    #[test]
    fn a_list_lacks_only_what_churn_does_not_explain() {
        let both = |v4: u64, v6: u64| [Some(v4), Some(v6)];
        assert_eq!(missing(both(90, 5), [90, 5], both(90, 5)), 0);
        assert_eq!(missing(both(90, 5), [10, 5], both(90, 5)), 80);
        assert_eq!(missing(both(90, 50), [90, 10], both(90, 50)), 40, "each family for itself");
        assert_eq!(missing(both(90, 50), [10, 50], both(20, 50)), 0, "the others ended meanwhile");
        assert_eq!(missing(both(10_000, 0), [9_800, 0], both(10_000, 0)), 0, "as many may come and go");
        assert_eq!(missing(both(10_000, 0), [9_600, 0], both(10_000, 0)), 400);
        assert_eq!(missing([None, Some(0)], [0, 0], both(90, 0)), 0, "nothing to compare with");
    }
}
