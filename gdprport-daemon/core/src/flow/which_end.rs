//! Which end of its connection a socket is that was found open.
//!
//! Belongs here: the arithmetic, and what it proves. Does not belong here: how counts are read (`host`).
//!
//! Its ports do not show it: a client's own may be any number, by chance or by choice. Its SYN does: TCP counts it as a
//! byte once it is acknowledged, and an accepted socket begins after its own (`tcp_create_openreq_child`,
//! net/ipv4/tcp_minisocks.c). So what was sent is one byte more than the payload at the end that connected, also of two
//! that connected to each other, and equal to it at the end that accepted.
//!
//! Not shown: the end of a connection that was restored from a checkpoint (`TCP_REPAIR`), which has sent no SYN. It
//! counts as accepted.

use crate::model::Direction;

/// What a socket has sent (`struct tcp_info`, include/uapi/linux/tcp.h), each byte once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentCounts {
    /// Bytes that the peer acknowledged, SYN and FIN among them.
    pub acked: u64,
    /// Bytes that are on their way, the FIN among them.
    pub in_flight: u64,
    /// Bytes of payload.
    pub payload: u64,
    /// Whether the FIN was sent.
    pub fin: bool,
}

impl SentCounts {
    /// Which end sent this; `None` if the counts do not fit each other, as when they were read while they grew.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        let sent = self.acked.checked_add(self.in_flight)?;
        match sent.checked_sub(self.payload)?.checked_sub(u64::from(self.fin))? {
            0 => Some(Direction::In),
            1 => Some(Direction::Out),
            _ => None,
        }
    }

    /// Which end sent this, where the counts prove it or something else agrees. `has_listener`: whether a socket listens
    /// where this one may have been accepted. `None`: look again, unless this is the `last_look`; then it is not known.
    #[must_use]
    pub fn which_end(&self, has_listener: impl FnOnce() -> bool, last_look: bool) -> Option<Direction> {
        let direction = self.direction()?;
        // What is on its way is read a moment before the rest: one byte that arrives in between would show the other end.
        let agreed = self.in_flight == 0 || last_look || has_listener() == (direction == Direction::In);
        agreed.then_some(direction)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(acked: u64, in_flight: u64, payload: u64, fin: bool) -> SentCounts {
        SentCounts { acked, in_flight, payload, fin }
    }

    /// Of what the kernel counts in each state of a socket that has sent this payload.
    #[test]
    fn the_syn_shows_which_end_a_socket_is() {
        for payload in [0, 1, 1234] {
            for (direction, syn) in [(Direction::In, 0), (Direction::Out, 1)] {
                let all = payload + syn;
                for (what, counts) in [
                    ("at rest", counts(all, 0, payload, false)),
                    ("7 bytes are on their way", counts(all, 7, payload + 7, false)),
                    ("the FIN is on its way", counts(all, 1, payload, true)),
                    ("the FIN was acknowledged", counts(all + 1, 0, payload, true)),
                ] {
                    assert_eq!(counts.direction(), Some(direction), "{what}, {payload} bytes");
                }
            }
        }
    }

    #[test]
    fn counts_that_do_not_fit_show_no_end() {
        for counts in [
            counts(9, 0, 7, false),
            counts(7, 0, 8, false),
            counts(0, 0, 0, true),
            counts(u64::MAX, 1, 0, false),
        ] {
            assert_eq!(counts.direction(), None, "{counts:?}");
            assert_eq!(counts.which_end(|| true, true), None);
        }
    }

    #[test]
    fn a_listener_or_another_look_confirms_counts_on_their_way() {
        let (at_rest, moving) = (counts(8, 0, 7, false), counts(8, 9, 16, false));
        assert_eq!(at_rest.which_end(|| true, false), Some(Direction::Out), "proven by itself");
        assert_eq!(moving.which_end(|| false, false), Some(Direction::Out));
        assert_eq!(moving.which_end(|| true, false), None);
        assert_eq!(moving.which_end(|| true, true), Some(Direction::Out));
        let moving = counts(7, 9, 16, false);
        assert_eq!(moving.which_end(|| true, false), Some(Direction::In));
        assert_eq!(moving.which_end(|| false, false), None, "its listener may be closed: look again");
    }

    proptest! {
        #[test]
        fn any_counts_show_one_end_or_none(acked: u64, in_flight: u64, payload: u64, fin: bool) {
            let _ = counts(acked, in_flight, payload, fin).direction();
        }
    }
}
