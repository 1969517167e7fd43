//! A client that follows the events, as a sink of the daemon's loop: a bounded queue of lines that marks its losses.
//!
//! Does not belong here: how a client comes to follow (`handle`) and how lines reach it (`server`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::counters::Counters;
use super::limits::FOLLOWER_QUEUE;

/// One client that follows the events.
#[derive(Debug)]
pub(crate) struct FollowerSink {
    lines: mpsc::Sender<Bytes>,
    /// Lines not queued since the last one that was.
    lost: u64,
    counters: Arc<Counters>,
}

impl FollowerSink {
    /// A sink, and the lines that its client is sent.
    pub(super) fn new(counters: &Arc<Counters>) -> (Self, mpsc::Receiver<Bytes>) {
        let (lines, receiver) = mpsc::channel(FOLLOWER_QUEUE);
        (Self { lines, lost: 0, counters: Arc::clone(counters) }, receiver)
    }

    /// Offers one event: a line of JSON with its newline. Never waits: a follower that is behind loses the
    /// line, which is counted, and finds a `stream.lost` line in its place. Returns whether the client is
    /// still there; drop the sink if it is not.
    #[must_use]
    pub(crate) fn offer(&mut self, line: &Bytes) -> bool {
        if self.lost > 0 {
            let notice = Bytes::from(format!(
                "{{\"schema\":\"gdprport.stream/1\",\"kind\":\"stream.lost\",\"lost\":{}}}\n",
                self.lost
            ));
            match self.lines.try_send(notice) {
                Ok(()) => self.lost = 0,
                // Until the notice of a gap is out, nothing may follow it.
                Err(TrySendError::Full(_)) => return self.lose(),
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        match self.lines.try_send(line.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => self.lose(),
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Whether the client has gone.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        self.lines.is_closed()
    }

    /// Counts one line as lost; the client is still there.
    fn lose(&mut self) -> bool {
        self.lost += 1;
        self.counters.follower_lost.fetch_add(1, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> Bytes {
        Bytes::from(format!("{{\"seq\":{n}}}\n"))
    }

    #[tokio::test]
    async fn a_follower_that_is_behind_finds_a_notice_of_its_loss() {
        let counters = Arc::default();
        let (mut follower, mut lines) = FollowerSink::new(&counters);
        for n in 0..FOLLOWER_QUEUE + 3 {
            assert!(follower.offer(&line(n)));
        }
        for n in 0..FOLLOWER_QUEUE {
            assert_eq!(lines.recv().await, Some(line(n)));
        }
        assert!(follower.offer(&line(9)));
        let notice = lines.recv().await.expect("a notice");
        assert!(std::str::from_utf8(&notice).expect("text").contains("\"lost\":3}"));
        assert_eq!(lines.recv().await, Some(line(9)));
        assert_eq!(counters.snapshot().follower_lost, 3);
        assert!(!follower.is_gone());
        drop(lines);
        assert!(follower.is_gone() && !follower.offer(&line(10)));
    }
}
