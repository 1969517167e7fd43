//! Sinks that run: stopping them, within a bound.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::board::Row;
use super::cursor::CursorFile;

/// A sink that runs.
pub(super) struct Running {
    pub(super) row: Row,
    pub(super) cursor: Arc<Mutex<CursorFile>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: JoinHandle<()>,
}

/// Asks sinks to stop and waits until they have, at most so long. One that has not sends nothing any more, but where it is may not
/// be in its cursor: its write waits for a disk, on the blocking pool, and may still be done.
pub(super) async fn stop_all(sinks: &mut [Running], within: Duration) {
    for running in &mut *sinks {
        let _ = running.stop.send(true);
    }
    let until = Instant::now() + within;
    for running in sinks {
        if timeout_at(until, &mut running.task).await.is_err() {
            running.task.abort();
            tracing::warn!(
                sink = %running.row.sink.name,
                "the disk does not answer: its cursor was not written, and what was sent since it was may come again, with the \
                 same ids, should the deliverer end now"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use gdprport_core::delivery::Delivery;
    use gdprport_core::written::Source;
    use jiff::Timestamp;

    use super::*;
    use crate::control::api::SinkTotals;
    use crate::deliver::cursor::{Kept, Place};
    use crate::deliver::standing::Standing;

    /// A sink whose cursor is being written and never is.
    fn hangs(name: &str) -> Running {
        let text = format!(
            "[[sink]]\nname = \"{name}\"\ntype = \"syslog\"\naddress = \"tcp://{name}.example:601\"\n"
        );
        let mut read = Delivery::parse(Source { name: "x".to_owned(), text }).expect("valid");
        let sink = read.sinks.remove(0);
        let kept =
            Kept { place: Place::default(), totals: SinkTotals::since(Timestamp::UNIX_EPOCH), unread: None };
        let standing = Standing::new(&sink.name, "new".to_owned(), kept);
        let cursor = Arc::new(Mutex::new(CursorFile::new(std::path::Path::new("/nonexistent"), &sink)));
        let row = Row { sink, standing, problems: None };
        Running { row, cursor, stop: watch::channel(false).0, task: tokio::spawn(std::future::pending()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_holds_up_no_reload() {
        let begun = Instant::now();
        let mut all = [hangs("a"), hangs("b"), hangs("c")];
        stop_all(&mut all, Duration::from_secs(5)).await;
        assert_eq!(begun.elapsed().as_secs(), 5, "all of them together");
        for running in all {
            assert!(running.task.await.is_err_and(|error| error.is_cancelled()));
        }
    }
}
