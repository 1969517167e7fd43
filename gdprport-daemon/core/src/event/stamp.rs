//! Putting envelopes around the bodies of events: identity, sequence and origin.

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use super::body::Body;
use super::envelope::{Agent, Event, Host};
use super::version::SchemaName;
use crate::shared::Shared;

/// The part of an envelope that does not depend on the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// UUIDv7, unique.
    pub id: Uuid,
    /// Counts the events of a run.
    pub seq: u64,
    /// When the daemon received it.
    pub time: Timestamp,
    /// The host it happened on.
    pub host: &'a Shared<Host>,
    /// The program that made it.
    pub agent: &'a Shared<Agent>,
}

/// Puts envelopes around bodies. One per run of the daemon, so that `seq` has no gap and `id` no duplicate.
#[derive(Debug)]
pub struct Stamper {
    host: Shared<Host>,
    agent: Shared<Agent>,
    seq: u64,
    random: u64,
}

impl Stamper {
    /// `agent.run` must be a random UUID (version 7 or 4) of this run: the ids' random bits grow from its own.
    #[must_use]
    pub fn new(host: Host, agent: Agent) -> Self {
        let (high, low) = agent.run.as_u64_pair();
        Self {
            host: Shared::new(host),
            agent: Shared::new(agent),
            seq: 0,
            random: high.rotate_left(32) ^ low,
        }
    }

    /// Another one of the same host and program, with a run of its own: for events that only one reader gets, so that they leave
    /// no gap in the `seq` of the others. `run` as in [`new`](Self::new).
    #[must_use]
    pub fn of_run(&self, run: Uuid) -> Self {
        let agent = Agent { run, ..Agent::clone(&self.agent) };
        Self { host: Shared::clone(&self.host), ..Self::new(Host::clone(&self.host), agent) }
    }

    /// This run of the program.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The next event of this run, which happened at `time`.
    pub fn stamp(&mut self, time: Timestamp, body: Body) -> Event {
        let head = self.head(time);
        Event {
            schema: SchemaName,
            id: head.id,
            seq: head.seq,
            time,
            severity: body.severity(),
            host: Shared::clone(head.host),
            agent: Shared::clone(head.agent),
            body,
        }
    }

    /// The head of the next event of this run, for encoding it without making an [`Event`] of it.
    pub fn head(&mut self, time: Timestamp) -> Head<'_> {
        self.seq += 1;
        Head { id: self.next_id(time), seq: self.seq, time, host: &self.host, agent: &self.agent }
    }

    /// A UUIDv7 (RFC 9562 §5.7) whose first twelve random bits are the fraction of the millisecond (§6.2,
    /// method 3), so that ids sort by time to a quarter of a microsecond. The other 62 bits must differ between
    /// runs and events, but need not be a secret: a generator that was seeded once does.
    fn next_id(&mut self, time: Timestamp) -> Uuid {
        let nanos = u64::try_from(time.as_nanosecond()).unwrap_or(0);
        let fraction = (nanos % 1_000_000) * 4096 / 1_000_000;
        let mut bits = [0; 10];
        bits[..2].copy_from_slice(&u16::try_from(fraction).unwrap_or(u16::MAX).to_be_bytes());
        bits[2..].copy_from_slice(&self.next_random().to_be_bytes());
        Builder::from_unix_timestamp_millis(nanos / 1_000_000, &bits).into_uuid()
    }

    /// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): full period,
    /// so that no value repeats within 2⁶⁴ events.
    const fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::event::samples;

    #[test]
    fn ids_are_version_7_unique_and_sort_by_time() {
        let mut stamper = samples::stamper();
        let mut seen = HashSet::new();
        let (mut last, mut seq) = (Uuid::nil(), 0);
        for micro in 0..10_000 {
            let time = Timestamp::from_microsecond(1_795_440_000_000_000 + micro).expect("in range");
            let event = stamper.stamp(time, samples::body(crate::event::Kind::DaemonStop));
            assert_eq!(event.id.get_version_num(), 7);
            assert!(event.id > last, "{} after {last}", event.id);
            assert!(seen.insert(event.id));
            (last, seq) = (event.id, event.seq);
        }
        assert_eq!(seq, 10_000);
    }

    #[test]
    fn events_of_the_same_instant_differ() {
        let mut stamper = samples::stamper();
        let ids: HashSet<Uuid> = (0..1_000)
            .map(|_| stamper.stamp(Timestamp::UNIX_EPOCH, samples::body(crate::event::Kind::DaemonStop)).id)
            .collect();
        assert_eq!(ids.len(), 1_000);
    }
}
