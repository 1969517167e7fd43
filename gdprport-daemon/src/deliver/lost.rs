//! The events that the deliverer itself makes: what a sink lost, and tests.

use std::sync::Arc;

use gdprport_core::event::{Agent, Body, Bound, Event, Gap, Host, SinkLost, SinkRef, SinkTest, Stamper};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use gdprport_core::delivery::Sink;

/// Why a record of the spool did not become an event.
pub(super) const UNREADABLE: &str = "unreadable";

/// Another spool is there: what was in the one before and was not read is gone.
pub(super) const REPLACED: &str = "spool-replaced";

/// Events that a sink does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    /// The first index that is missing: with the spool it is what the event's id is made of.
    pub(super) from: u64,
    pub(super) events: u64,
    /// Whether they may be more.
    pub(super) at_least: bool,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) reason: &'static str,
}

impl Loss {
    /// How exact the number is.
    pub(super) fn bound(&self) -> Option<Bound> {
        self.at_least.then_some(Bound::AtLeast)
    }
}

/// Makes a sink's own events.
#[derive(Debug)]
pub(super) struct Maker {
    stamper: Stamper,
    sink: SinkRef,
}

impl Maker {
    /// One for a sink, with a run of its own: `seq` has no gap in its stream.
    pub(super) fn new(sink: &Sink, host: &Host) -> Self {
        let agent = Agent { version: env!("CARGO_PKG_VERSION").into(), run: Uuid::now_v7(), privacy: None };
        let name = Arc::clone(&sink.name);
        let sink = SinkRef { name, transport: sink.target.kind().as_str().into() };
        Self { stamper: Stamper::new(host.clone(), agent), sink }
    }

    /// A `sink.lost`. The same loss has the same id whenever it is made, so that a deliverer that was killed does not report it
    /// twice.
    pub(super) fn lost(&mut self, spool: Option<Uuid>, loss: &Loss) -> Event {
        let gap = Gap {
            from: loss.since,
            to: loss.until,
            lost: loss.events,
            bound: loss.bound(),
            summed: None,
            reason: loss.reason.into(),
        };
        let body = Body::SinkLost(Box::new(SinkLost { sink: self.sink.clone(), gap }));
        let mut event = self.stamper.stamp(loss.until, body);
        event.id = self.id(spool, loss);
        event
    }

    /// A `sink.test`.
    pub(super) fn test(&mut self, now: Timestamp) -> Event {
        self.stamper.stamp(now, Body::SinkTest(Box::new(SinkTest { sink: self.sink.clone() })))
    }

    /// A UUIDv7 whose random bits are a digest of what was lost where.
    fn id(&self, spool: Option<Uuid>, loss: &Loss) -> Uuid {
        let mut digest = Sha256::new();
        digest.update(spool.unwrap_or_default().as_bytes());
        digest.update(loss.from.to_le_bytes());
        digest.update(self.sink.name.as_bytes());
        digest.update(loss.reason.as_bytes());
        let digest = digest.finalize();
        let mut bits = [0; 10];
        bits.copy_from_slice(&digest[..10]);
        // That a spool was replaced is noticed at another time after a crash.
        let at = if loss.reason == REPLACED { loss.since } else { loss.until };
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(ms, &bits).into_uuid()
    }
}
