//! Rows that are added up, found by value, and what they come to when they are drained.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use foldhash::fast::RandomState;
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use super::drained::Drained;
use super::interned::Interned;
use super::left::Left;
use super::row::{DayRow, Hour, Place, Row, day_of, hour_of};
use super::seen::{Glance, Seen};
use crate::flow::Flow;
use crate::ledger::{Counts, EdgeKey, Identity, PortKey, PostureKey, VerdictKey};
use crate::model::{Direction, Process};
use crate::privacy::Truncate;
use crate::shared::Shared;

/// What identities may take together, bytes: every name in one may have 4 KiB, and whoever starts programs chooses them.
const IDENTITIES_BYTES: usize = 16 << 20;

/// What verdicts may take: of a policy with 10,000 rules each in ten forms, 10 MB.
const VERDICTS_BYTES: usize = 16 << 20;

/// What postures may take: there are a few hundred cipher suites.
const POSTURES_BYTES: usize = 1 << 20;

/// Rows that are kept after they were drained, because what happens in one second happens in the next.
const KEPT: usize = 8_192;

/// All that a row is found by. The addresses are those of values of which each is kept once.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Found {
    identity: usize,
    verdict: usize,
    posture: usize,
    port: usize,
    policy: usize,
    peer: IpNet,
    incoming: bool,
    hour: Hour,
}

/// The rows since the last drain.
#[derive(Debug)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// How often rows were forgotten: an index is of one generation.
    generation: u32,
    /// What left rows that were forgotten since.
    left: Left,
    most: usize,
    touched: Vec<u32>,
    places: HashMap<Found, u32, RandomState>,
    seen: Seen,
    identities: Interned<Identity>,
    verdicts: Interned<VerdictKey>,
    postures: Interned<PostureKey>,
    names: RandomState,
    /// Whether there are rows of more than one hour.
    mixed: bool,
    /// How much there is of peers' addresses; `None`: all.
    truncate: Option<Truncate>,
}

impl Rows {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            rows: Vec::new(),
            generation: 0,
            left: Left::default(),
            most,
            touched: Vec::new(),
            places: HashMap::default(),
            seen: Seen::default(),
            identities: Interned::new(IDENTITIES_BYTES),
            verdicts: Interned::new(VERDICTS_BYTES),
            postures: Interned::new(POSTURES_BYTES),
            names: RandomState::default(),
            mixed: false,
            truncate: None,
        }
    }

    /// Of peers' addresses there is only so much: they are networks.
    pub(super) fn truncated(&mut self, left: Option<Truncate>) {
        self.truncate = left;
    }

    /// The index of the row of a flow at `now`; `None` if there is no room for another one. `port` is its place among those that are
    /// watched, `policy` the one that has judged it.
    #[inline]
    pub(super) fn row(
        &mut self,
        flow: &Flow,
        (place, port): (usize, &Arc<PortKey>),
        policy: Option<&Arc<str>>,
        now: Timestamp,
    ) -> Option<u32> {
        let hour = hour_of(now);
        let glance = Glance::of(flow, place, hour);
        let index = match self.seen.get(&glance) {
            Some(index) => index,
            None => self.row_by_value(glance, flow, port, policy, hour)?,
        };
        self.touch(index, now).map(|_| index)
    }

    /// What is added up in a row.
    #[inline]
    pub(super) fn counts(&mut self, index: u32) -> Option<&mut Counts> {
        self.rows.get_mut(index as usize).map(|row| &mut row.counts)
    }

    /// A flow stands in a row from now on. Returns false if the row that it leaves finds no room: it is counted in both.
    #[inline]
    pub(super) fn stand(&mut self, place: &mut Option<Place>, index: u32, now: Timestamp) -> bool {
        let Some(row) = self.rows.get_mut(index as usize) else { return true };
        let generation = self.generation;
        if let Some(place) = place.as_mut().filter(|place| place.row.name == row.of.name) {
            (place.index, place.generation) = (index, generation);
            return true;
        }
        row.counts.flows += 1;
        let day = row.of.day;
        match place.replace(Place { row: Arc::clone(&row.of), index, generation }) {
            // On another day it stood there for good.
            Some(before) if before.row.day == day => self.leave(&before, now),
            _ => true,
        }
    }

    fn leave(&mut self, before: &Place, now: Timestamp) -> bool {
        if before.generation == self.generation
            && let Some(row) = self.touch(before.index, now)
        {
            row.counts.moved += 1;
            return true;
        }
        let room = self.most.saturating_sub(self.rows.len());
        self.left.add(&before.row, now, room)
    }

    /// The row of flows with a peer in this network, likewise.
    pub(super) fn row_within(
        &mut self,
        flow: &Flow,
        peer: IpNet,
        port: &Arc<PortKey>,
        policy: Option<&Arc<str>>,
        now: Timestamp,
    ) -> Option<&mut Row> {
        let index = self.find_by_value(flow, peer, port, policy, hour_of(now))?;
        self.touch(index, now)
    }

    #[inline]
    fn touch(&mut self, index: u32, now: Timestamp) -> Option<&mut Row> {
        let row = self.rows.get_mut(index as usize)?;
        if !row.touched {
            row.touched = true;
            row.first = now;
            self.touched.push(index);
        }
        row.last = now;
        Some(row)
    }

    #[cold]
    fn row_by_value(
        &mut self,
        glance: Glance,
        flow: &Flow,
        port: &Arc<PortKey>,
        policy: Option<&Arc<str>>,
        hour: Hour,
    ) -> Option<u32> {
        let index = self.find_by_value(flow, flow.known_peer().to_canonical().into(), port, policy, hour)?;
        self.seen.insert(glance, flow, index);
        Some(index)
    }

    fn find_by_value(
        &mut self,
        flow: &Flow,
        peer: IpNet,
        port: &Arc<PortKey>,
        policy: Option<&Arc<str>>,
        hour: Hour,
    ) -> Option<u32> {
        let identity = self.identity(flow.process.as_ref())?;
        let verdict = self.verdict(VerdictKey::from(&*flow.verdict))?;
        let posture = PostureKey::of(flow.posture.as_deref());
        let bytes = size_of::<PostureKey>() + posture.cipher.as_ref().map_or(0, |cipher| cipher.len());
        let posture = self.postures.intern(posture, bytes)?;
        let left = self.truncate.map(|left| left.network(peer.addr()));
        let peer = left.filter(|left| left.prefix_len() < peer.prefix_len()).unwrap_or(peer);
        let key = EdgeKey {
            port: Arc::clone(port),
            direction: flow.direction,
            identity,
            peer,
            verdict,
            posture,
            policy: policy.cloned(),
        };
        self.find_or_insert(key, hour)
    }

    fn find_or_insert(&mut self, key: EdgeKey, hour: Hour) -> Option<u32> {
        let place = Found {
            identity: Arc::as_ptr(&key.identity).addr(),
            verdict: Arc::as_ptr(&key.verdict).addr(),
            posture: Arc::as_ptr(&key.posture).addr(),
            port: Arc::as_ptr(&key.port).addr(),
            policy: key.policy.as_ref().map_or(0, |policy| Arc::as_ptr(policy).addr()),
            peer: key.peer,
            incoming: key.direction == Direction::In,
            hour,
        };
        if let Some(index) = self.places.get(&place) {
            return Some(*index);
        }
        if self.rows.len() + self.left.len() >= self.most {
            return None;
        }
        let index = u32::try_from(self.rows.len()).ok()?;
        self.mixed |= self.rows.first().is_some_and(|row| row.hour != hour);
        let day = day_of(hour);
        let name = self.name(&key, day);
        let of = Arc::new(DayRow { key, day, name });
        let (first, last) = (Timestamp::MIN, Timestamp::MIN);
        self.rows.push(Row { of, hour, counts: Counts::default(), first, last, touched: false });
        self.places.insert(place, index);
        Some(index)
    }

    fn name(&self, key: &EdgeKey, day: Date) -> u64 {
        let mut hasher = self.names.build_hasher();
        key.hash(&mut hasher);
        day.hash(&mut hasher);
        hasher.finish()
    }

    /// The identity of a process; `None` if there is no room for another one.
    pub(super) fn identity(&mut self, process: Option<&Shared<Process>>) -> Option<Arc<Identity>> {
        let identity = Identity::of(process.map(|process| &**process));
        let bytes = identity_bytes(&identity);
        self.identities.intern(identity, bytes)
    }

    /// The same for a verdict.
    pub(super) fn verdict(&mut self, verdict: VerdictKey) -> Option<Arc<VerdictKey>> {
        let role = match &verdict {
            VerdictKey::Declared { rule } => Some(rule),
            VerdictKey::Violation { nearest, .. } | VerdictKey::Undecided { nearest } => nearest.as_ref(),
        };
        let bytes = size_of::<VerdictKey>() + 16 + role.map_or(0, |role| role.len());
        self.verdicts.intern(verdict, bytes)
    }

    /// Forgets at a glance what was seen, because places of ports mean something else from now on.
    pub(super) fn forget_glances(&mut self) {
        self.seen.clear();
    }

    /// Takes what came together.
    pub(super) fn drain(&mut self) -> Drained {
        let several = self.mixed || self.left.len() > 0;
        let mut drained = Drained::new(self.touched.len() + self.left.len(), several);
        for index in self.touched.drain(..) {
            let Some(row) = self.rows.get_mut(index as usize) else { continue };
            row.touched = false;
            drained.take(row);
        }
        self.left.drain().for_each(|(row, left)| drained.take_left(&row, left));
        self.trim();
        drained
    }

    /// Forgets what is of no use any more, or too much to keep. All rows were drained.
    fn trim(&mut self) {
        let full =
            self.identities.is_half_full() || self.verdicts.is_half_full() || self.postures.is_half_full();
        if full || self.mixed || self.rows.len() > KEPT.min(self.most / 2) {
            self.forget();
        }
        if full {
            self.identities.clear();
            self.verdicts.clear();
            self.postures.clear();
        }
    }

    /// Forgets all rows. They were drained.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
        self.places.clear();
        self.rows.clear();
        self.mixed = false;
        self.generation = self.generation.wrapping_add(1);
    }
}

/// What an identity takes, bytes.
fn identity_bytes(identity: &Identity) -> usize {
    let Identity { exe, script, unit, user, group, container, .. } = identity;
    let container = container.iter().flat_map(|container| {
        [&container.runtime, &container.name, &container.image, &container.namespace, &container.workload]
    });
    let texts = [exe, script, unit, user, group].into_iter().chain(container);
    size_of::<Identity>() + texts.flatten().map(|text| text.len()).sum::<usize>()
}
