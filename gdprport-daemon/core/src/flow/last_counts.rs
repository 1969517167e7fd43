//! How a connection ended, derived from the counts of its socket when that was destroyed.
//!
//! Belongs here: the arithmetic. Does not belong here: how the counts are read (`host`).
//!
//! The kernel counts a SYN or FIN as a byte of the stream. At the end the TCP state, which would show
//! what is among the counts, is always CLOSE. The rest shows, as measured on Linux 6.18 for every order of
//! closing:
//!
//! - Our FIN was acknowledged exactly if one byte more than the payload was.
//! - The peer's FIN is in the queue of what was received until somebody reads the end of the stream, so one
//!   byte unread after an orderly end is this FIN. With nothing unread it was read by this end, which closed
//!   second; or it came after this end, which closed first, had left the rest to a `TIME_WAIT`.
//!
//! Not shown, and off by one: `bytes_received` of an end that shut its sending side down first, read the end
//! of the stream and then closed (one too many), of a connection that was reset after the peer's FIN (one
//! too many), and of an end that closed first where no `TIME_WAIT` was left, because the host has too many
//! or the peer sent on and was reset (one too few).

use super::found::Progress;
use crate::model::{Direction, Outcome};

/// What a socket had counted when it was destroyed (`struct tcp_info`, include/uapi/linux/tcp.h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastCounts {
    /// Bytes acknowledged by the peer, SYN and FIN among them.
    pub bytes_acked: u64,
    /// Bytes received in order, the peer's FIN among them if it came.
    pub bytes_received: u64,
    /// Bytes of payload sent, each once.
    pub payload_sent: u64,
    /// Bytes received and not read, the peer's FIN among them.
    pub unread: u32,
    /// Segments received and sent. None at all: the socket was reset from here and forgot its counts.
    pub segments: u64,
    /// Whether any segment was received.
    pub answered: bool,
    /// Smoothed round-trip time in microseconds, 0 if none was measured.
    pub rtt_us: u32,
    /// Segments sent again over its lifetime.
    pub retransmits: u32,
    /// Whether a `TIME_WAIT` took the connection over; `None` if that could not be asked.
    pub time_wait: Option<bool>,
}

impl LastCounts {
    /// The counts as application bytes, and how the connection ended. A connection reset from here shows
    /// nothing new about its bytes.
    #[must_use]
    pub fn ending(&self, direction: Direction) -> (Progress, Outcome) {
        if self.segments == 0 {
            return (Progress::default(), Outcome::Reset);
        }
        let acked = self.bytes_acked.saturating_sub(u64::from(direction == Direction::Out));
        let our_fin_acked = acked > self.payload_sent;
        let their_fin_came = our_fin_acked
            && match self.unread {
                0 => self.time_wait == Some(false),
                unread => unread == 1,
            };
        let progress = Progress {
            bytes_sent: Some(acked - u64::from(our_fin_acked)),
            bytes_received: Some(self.bytes_received.saturating_sub(u64::from(their_fin_came))),
            rtt_us: (self.rtt_us != 0).then_some(self.rtt_us),
            retransmits: Some(self.retransmits),
        };
        (progress, if our_fin_acked { Outcome::Closed } else { Outcome::Reset })
    }

    /// How a connect ended that was under way; `None` if it was answered, so that a connection has ended. A connect
    /// whose failure its caller received at once, as a blocking one does, has forgotten how it failed.
    #[must_use]
    pub const fn failure(&self) -> Option<Outcome> {
        if self.bytes_acked > 0 {
            None
        } else if self.segments == 0 {
            Some(Outcome::Lost)
        } else {
            Some(Outcome::of_attempt(self.answered, self.retransmits))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn last(acked: u64, received: u64, sent: u64, unread: u32, time_wait: bool) -> LastCounts {
        LastCounts {
            bytes_acked: acked,
            bytes_received: received,
            payload_sent: sent,
            unread,
            segments: 9,
            time_wait: Some(time_wait),
            ..LastCounts::default()
        }
    }

    /// The client sent 1234 bytes and the server 55; the counts are as the kernel gave them.
    #[test]
    fn application_bytes_are_exact_in_every_order_of_closing() {
        use Direction::{In, Out};
        use Outcome::{Closed, Reset};
        for (what, counts, direction, sent, received, outcome) in [
            ("the client closes first", last(1236, 55, 1234, 0, true), Out, 1234, 55, Closed),
            ("the server does not read the end", last(56, 1235, 55, 1, false), In, 55, 1234, Closed),
            ("the server reads the end", last(56, 1235, 55, 0, false), In, 55, 1234, Closed),
            ("the server closes first", last(56, 1234, 55, 0, true), In, 55, 1234, Closed),
            ("the client reads the end", last(1236, 56, 1234, 0, false), Out, 1234, 55, Closed),
            ("both close at once", last(1236, 56, 1234, 1, true), Out, 1234, 55, Closed),
            ("the peer resets", last(55, 1234, 55, 0, false), In, 55, 1234, Reset),
            ("the client leaves 7 bytes unread", last(1235, 62, 1234, 7, false), Out, 1234, 62, Reset),
            ("the client leaves 1 byte unread", last(1235, 56, 1234, 1, false), Out, 1234, 56, Reset),
            ("7 bytes are never acknowledged", last(55, 1234, 62, 0, false), In, 55, 1234, Reset),
        ] {
            let (progress, ended) = counts.ending(direction);
            assert_eq!(
                (progress.bytes_sent, progress.bytes_received),
                (Some(sent), Some(received)),
                "{what}"
            );
            assert_eq!(ended, outcome, "{what}");
        }
    }

    #[test]
    fn a_socket_without_counts_was_reset_and_reports_no_bytes() {
        assert_eq!(LastCounts::default().ending(Direction::In), (Progress::default(), Outcome::Reset));
    }

    /// Unless it was answered, or has forgotten.
    #[test]
    fn last_counts_show_how_a_connect_failed() {
        let attempt = LastCounts { segments: 3, ..LastCounts::default() };
        for (counts, outcome) in [
            (attempt, Some(Outcome::Aborted)),
            (LastCounts { retransmits: 2, ..attempt }, Some(Outcome::TimedOut)),
            (LastCounts { answered: true, ..attempt }, Some(Outcome::Refused)),
            (LastCounts::default(), Some(Outcome::Lost)),
            (LastCounts { answered: true, bytes_acked: 1, ..attempt }, None),
        ] {
            assert_eq!(counts.failure(), outcome, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn any_counts_have_an_ending(acked: u64, received: u64, sent: u64, unread: u32, tw: bool, out: bool) {
            let direction = if out { Direction::Out } else { Direction::In };
            let (progress, _) = last(acked, received, sent, unread, tw).ending(direction);
            prop_assert!(progress.bytes_sent.is_some_and(|bytes| bytes <= acked && acked - bytes <= 2));
            prop_assert!(progress.bytes_received.is_some_and(|bytes| received.saturating_sub(bytes) <= 1));
        }
    }
}
