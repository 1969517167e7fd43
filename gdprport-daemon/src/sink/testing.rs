//! What the tests of sinks share.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Batch, SinkStats};
use gdprport_core::encode::Encoder;
use gdprport_core::event::{Event, Kind, samples};

/// Events with `seq` from 1, each in a batch of its own.
pub(super) fn published(count: usize) -> Vec<Arc<Batch>> {
    let mut stamper = samples::stamper();
    let events = (0..count).map(|_| stamper.stamp(samples::now(), samples::body(Kind::FlowOpen)));
    events.map(|event| batch([event])).collect()
}

/// The same in one batch.
pub(super) fn together(count: usize) -> Arc<Batch> {
    let mut stamper = samples::stamper();
    batch((0..count).map(|_| stamper.stamp(samples::now(), samples::body(Kind::FlowOpen))))
}

/// These events in one batch.
pub(super) fn batch(events: impl IntoIterator<Item = Event>) -> Arc<Batch> {
    let (mut batch, mut encoder) = (Batch::default(), Encoder::default());
    for event in events {
        batch.add(|lines| encoder.native(&event, lines));
        batch.keep(event);
    }
    Arc::new(batch)
}

/// The losses that were counted.
pub(super) fn dropped(stats: &SinkStats) -> Vec<(&str, u64)> {
    stats.counts.dropped.iter().map(|(reason, &count)| (&**reason, count)).collect()
}

/// Whether the counters of a snapshot add up.
pub(super) fn adds_up(stats: &SinkStats) -> bool {
    let counts = &stats.counts;
    counts.received == counts.delivered + counts.queued + counts.dropped.values().sum::<u64>()
}

/// Waits for what another thread will do; gives up loudly.
pub(super) fn wait_until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it never happened");
        thread::sleep(Duration::from_millis(1));
    }
}

/// What a reader makes of NDJSON.
pub(super) struct NumberedLines {
    /// Lines that are whole events.
    pub(super) whole: usize,
    /// Lines that are not.
    pub(super) broken: usize,
    /// Whether `seq` only ever grew.
    pub(super) in_order: bool,
}

impl NumberedLines {
    pub(super) fn read(content: &[u8]) -> Self {
        let mut read = Self { whole: 0, broken: 0, in_order: true };
        let mut last = 0;
        for line in content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) => {
                    read.whole += 1;
                    read.in_order &= event.seq > last;
                    last = event.seq;
                }
                Err(_) => read.broken += 1,
            }
        }
        read
    }
}
