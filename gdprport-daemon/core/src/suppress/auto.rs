//! `emit = "auto"`: events of a group are sent one by one while it is quiet, and summed up while it is not.
//!
//! A group goes over to summaries with the first event that would be more than its number a minute, and back after a whole
//! minute with at most half of that: between the two it stays as it is, so that it does not flap. The same holds for all
//! groups together that differ in the peer only, with three times the number: a hundred quiet clients are one busy pool.
//! A summary is sent once a minute, and once in five minutes of what is declared and stays busy (`sum`); with a quiet minute
//! it ends at once.
//! While these are busy, none of them is forgotten for an hour: a scan has so many new peers, and no more.
//!
//! Whoever is new is sent at once, however busy others are, unless a rule allows it: the first event of a group with another
//! verdict never goes into a summary.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::decision::With;
use super::groups::{Family, Groups, Level, Mode, Slot};
use super::kind::Class;
use super::minute::is_over;
use super::sum::Sum;
use crate::event::{Because, Body, Coarse, FlowEvent, FlowKind, FlowSummary, GaveUp, Summary, SummedUp};
use crate::shared::Shared;
use crate::verdict::{Reason, ReasonId, ReasonSet, Verdict};

/// How many times the number of one group all groups that differ in the peer only may send one by one.
pub(super) const TOGETHER: u32 = 3;

/// For how long a group of which nothing happens is kept while others that differ in the peer only are busy.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

/// Groups, and what of them is counted.
#[derive(Debug, Default)]
pub(super) struct Auto {
    groups: Groups,
}

impl Auto {
    /// True if an event is sent, with all that comes with it; otherwise it is counted. `most`: events a minute.
    pub(super) fn offer(
        &mut self,
        kind: FlowKind,
        with: With,
        event: &FlowEvent,
        most: u32,
        time: Timestamp,
    ) -> bool {
        let place = self.groups.find(event, most, time);
        let Groups { slots, families, .. } = &mut self.groups;
        // There is always a group; an event that had none would be sent.
        let Some(slot) = slots.get_mut(place) else { return true };
        let mut family = slot.family.and_then(|family| families.get_mut(family));
        let events = 1 + with.count();
        if let Some(family) = &mut family {
            family.minute.offer(events, time);
        }
        if let Mode::Single { since, sent } = &mut slot.mode {
            if is_over(*since, time) {
                (*since, *sent) = (time, 0);
            }
            let is_new_stranger = *sent == 0 && slot.class != Class::Declared;
            let together = family.as_ref().map_or(0, |family| family.minute.sent);
            let because = if *sent >= most {
                Because::Busy
            } else if !is_new_stranger && together >= most.saturating_mul(TOGETHER) {
                Because::BusyTogether
            } else {
                *sent += events;
                if let Some(family) = family {
                    family.minute.sent = family.minute.sent.saturating_add(events);
                }
                return true;
            };
            slot.mode = Mode::Summed(Sum::new(because, time));
            if let Some(peers) = &mut slot.peers {
                peers.clear();
            }
        }
        if let Mode::Summed(sum) = &mut slot.mode {
            sum.tally.add(kind, with, event, time);
            slot.reasons = slot.reasons.with(ReasonSet::from(&*event.verdict));
            if let Some(peers) = &mut slot.peers {
                peers.add(event.flow.peer.ip);
            }
        }
        false
    }

    /// Ends the minutes that are over, and with a summary for each that was counted the periods.
    pub(super) fn due(&mut self, now: Timestamp, summaries: &mut Vec<Body>) {
        self.end_periods(now, false, summaries);
    }

    /// Ends everything.
    pub(super) fn flush(&mut self, now: Timestamp, summaries: &mut Vec<Body>) {
        self.end_periods(now, true, summaries);
    }

    /// Begin of the oldest period in which something was counted.
    pub(super) fn counting_since(&self) -> Option<Timestamp> {
        let counting = |slot: &Slot| match &slot.mode {
            Mode::Summed(sum) if sum.tally.events() > 0 => Some(sum.from),
            _ => None,
        };
        self.groups.slots.iter().filter_map(counting).min()
    }

    fn end_periods(&mut self, now: Timestamp, all: bool, summaries: &mut Vec<Body>) {
        for place in 0..self.groups.slots.places() {
            let Groups { slots, families, .. } = &mut self.groups;
            let Some(slot) = slots.get_mut(place) else { continue };
            if !all && !is_over(slot.minute(), now) {
                continue;
            }
            let family = slot.family.and_then(|family| families.get_mut(family));
            let ends = all || slot.is_calm(family, now);
            if !ends && !slot.next_minute(now) {
                continue;
            }
            let family = slot.family.and_then(|family| families.get(family));
            summaries.extend(slot.summary(family, ends.then_some(now), now));
            if ends {
                self.groups.end(place);
            } else {
                slot.next_period(now);
            }
        }
        self.groups.tidy();
    }
}

impl Slot {
    /// When its minute began.
    const fn minute(&self) -> Timestamp {
        match &self.mode {
            Mode::Single { since, .. } => *since,
            Mode::Summed(sum) => sum.minute(),
        }
    }

    /// Begins another minute; true if the period is over with the one before.
    fn next_minute(&mut self, now: Timestamp) -> bool {
        match &mut self.mode {
            Mode::Single { .. } => true,
            Mode::Summed(sum) => sum.next_minute(now),
        }
    }

    /// True if it can be sent one by one again, or forgotten if it is. While others that differ in the peer only are busy it
    /// is kept, so that a scan does not make each peer a new stranger.
    fn is_calm(&self, family: Option<&mut Family>, now: Timestamp) -> bool {
        let together = u64::from(self.most) * u64::from(TOGETHER) / 2;
        let others_are_calm = family.is_none_or(|family| {
            family.minute.roll(now);
            family.is_one() || family.minute.is_calm(together)
        });
        let (events, last) = match &self.mode {
            Mode::Single { since, .. } => (0, *since),
            Mode::Summed(sum) => (sum.of_minute(), sum.tally.last()),
        };
        let is_forgotten = events == 0 && now.duration_since(last) >= FORGOTTEN;
        is_forgotten || others_are_calm && events <= u64::from(self.most) / 2
    }

    fn next_period(&mut self, now: Timestamp) {
        if let Mode::Summed(sum) = &mut self.mode {
            sum.next_period(now, self.class == Class::Declared);
        }
        self.reasons = ReasonSet::EMPTY;
        if let Some(peers) = &mut self.peers {
            peers.clear();
        }
    }

    /// What was counted in the period that ends at `now`. `until`: it is the last one.
    fn summary(&self, family: Option<&Family>, until: Option<Timestamp>, now: Timestamp) -> Option<Body> {
        let Mode::Summed(sum) = &self.mode else { return None };
        if sum.tally.events() == 0 && until.is_none() {
            return None;
        }
        let summary = Summary {
            group: family.map(|family| family.kind.group(self.peer)),
            auto: Some(SummedUp { because: sum.because, most: self.most, since: sum.since, until }),
            coarse: self.coarse(),
            ..sum.tally.summary(sum.from, now)
        };
        Some(Body::FlowSummary(Box::new(FlowSummary {
            port: Shared::clone(&self.port),
            summary,
            verdict: self.verdict(),
            accepted: self.accepted.clone(),
            policy: self.policy.clone(),
        })))
    }

    /// What it gave up.
    pub(super) fn coarse(&self) -> Option<Coarse> {
        self.peers.as_ref().map(|peers| Coarse {
            gave_up: match self.level {
                Level::Peer | Level::Network => vec![GaveUp::Peer],
                Level::Everybody => vec![GaveUp::Peer, GaveUp::Network],
                Level::Port => GaveUp::ALL.to_vec(),
            },
            peers_at_least: peers.at_least(),
        })
    }

    /// The verdict that what was counted has in common.
    pub(super) fn verdict(&self) -> Option<Shared<Verdict>> {
        const DETAIL: &str = "of flows of several peers that were summed up";
        if self.level == Level::Peer {
            return Some(Shared::clone(&self.verdict));
        }
        match &*self.verdict {
            Verdict::Declared { rule } => {
                let common = self.level != Level::Port;
                common.then(|| Verdict::Declared { rule: Arc::clone(rule) }.into())
            }
            Verdict::Undecided { .. } => {
                Some(Verdict::Undecided { missing: vec![DETAIL.to_owned()], nearest: None }.into())
            }
            Verdict::Violation { reasons, .. } => {
                // Of a period in which nothing was counted those of the first.
                let known =
                    if self.reasons.is_empty() { ReasonSet::from(&*self.verdict) } else { self.reasons };
                let reason = |id| Reason { id, detail: DETAIL.to_owned() };
                let mut reasons: Vec<Reason> = if known.is_empty() { reasons.clone() } else { Vec::new() };
                reasons.extend(ReasonId::ALL.into_iter().filter(|id| known.contains(*id)).map(reason));
                Some(Verdict::Violation { reasons, nearest: None }.into())
            }
        }
    }
}
