//! The groups of `emit = "auto"`, and of connections that there was no room to describe: which one an event belongs to, and
//! how many there may be.
//!
//! What finds no room is put together coarser: first all peers of a network, then all peers of one kind of events (port,
//! direction, process, verdict, encryption), then all events of a port with the same outcome. Outcomes are never mixed, and
//! each has room of its own, so that declared flows take none from strangers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use ipnet::IpNet;
use jiff::Timestamp;

use super::kind::{Class, Kind, PortId};
use super::member::Member;
use super::minute::Minute;
use super::peers::{Peers, everybody, network};
use super::seen::{Found, Glance, Seen};
use super::slab::Slab;
use super::sum::Sum;
use crate::event::{FlowEvent, PolicyRef, Port};
use crate::shared::Shared;
use crate::verdict::{Accepted, ReasonSet, Verdict};

/// Groups of one outcome on one port: two pools of a hundred peers fit, an address scan does not.
pub(super) const PORT_ROOM: u32 = 256;

/// Groups of one outcome over all ports: about 400 bytes each, hence 3 MB for all four outcomes.
pub(super) const ROOM: u32 = 2_048;

/// Networks of one kind of events.
pub(super) const NETWORKS: u16 = 16;

/// Peers of one kind of events that have groups of their own. Strangers are all sent at once as far as they have one, so
/// that they are fewer: more at a time is a scan, whose sums say more than its events.
pub(super) const fn peers_of_a_kind(class: Class) -> u16 {
    match class {
        Class::Declared | Class::Undecided => 128,
        Class::Violation | Class::Accepted => 16,
    }
}

/// How many groups there may be.
#[derive(Debug)]
pub(super) struct Bounds {
    /// Of one outcome on one port.
    pub(super) of_port: u32,
    /// Of one outcome over all ports.
    pub(super) all: u32,
    /// Peers of one kind of events.
    pub(super) peers: fn(Class) -> u16,
    /// Networks of one kind of events.
    pub(super) networks: u16,
}

/// Those of `emit = "auto"`.
static AUTO: Bounds = Bounds { of_port: PORT_ROOM, all: ROOM, peers: peers_of_a_kind, networks: NETWORKS };

/// How fine a group is, from fine to coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// One peer.
    Peer,
    Network,
    Everybody,
    /// The rest of a port.
    Port,
}

/// How the events of a group leave.
#[derive(Debug)]
pub(super) enum Mode {
    /// One by one: since when the minute runs, and how many were sent in it.
    Single { since: Timestamp, sent: u32 },
    /// Counted.
    Summed(Sum),
}

/// A group.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    pub(super) level: Level,
    /// Of the rest of a port there is none.
    pub(super) family: Option<u32>,
    pub(super) peer: IpNet,
    pub(super) class: Class,
    pub(super) port: Shared<Port>,
    pub(super) policy: Option<PolicyRef>,
    /// Of the first event.
    pub(super) verdict: Shared<Verdict>,
    pub(super) accepted: Option<Shared<Accepted>>,
    /// Of all events of the period.
    pub(super) reasons: ReasonSet,
    /// Of a coarse group.
    pub(super) peers: Option<Box<Peers>>,
    /// Events a minute.
    pub(super) most: u32,
    pub(super) mode: Mode,
}

/// Groups that differ in the peer only.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) kind: Arc<Kind>,
    pub(super) minute: Minute,
    slots: u32,
    peers: u16,
    networks: u16,
}

impl Family {
    /// True if there is a single one.
    pub(super) const fn is_one(&self) -> bool {
        self.slots == 1
    }
}

/// All groups.
#[derive(Debug)]
pub(super) struct Groups {
    bounds: &'static Bounds,
    pub(super) slots: Slab<Slot>,
    pub(super) families: Slab<Family>,
    kinds: HashMap<Arc<Kind>, u32, RandomState>,
    places: HashMap<(u32, IpNet), u32, RandomState>,
    rests: HashMap<(PortId, Class), u32, RandomState>,
    seen: Seen,
    ports: HashMap<PortId, [u32; Class::COUNT], RandomState>,
    room: [u32; Class::COUNT],
    created: u64,
}

impl Default for Groups {
    fn default() -> Self {
        Self::bounded(&AUTO)
    }
}

impl Groups {
    /// No more than so many.
    pub(super) fn bounded(bounds: &'static Bounds) -> Self {
        Self {
            bounds,
            slots: Slab::default(),
            families: Slab::default(),
            kinds: HashMap::default(),
            places: HashMap::default(),
            rests: HashMap::default(),
            seen: Seen::default(),
            ports: HashMap::default(),
            room: [0; Class::COUNT],
            created: 0,
        }
    }

    /// The place of an event's group. Nothing is allocated for one that is known.
    #[inline]
    pub(super) fn find(&mut self, event: &FlowEvent, most: u32, time: Timestamp) -> u32 {
        let glance = Glance::of(event);
        if let Some(found) = self.seen.get(&glance)
            && self.slots.get(found.place).is_some_and(|slot| slot.number == found.number)
        {
            return found.place;
        }
        self.find_by_value(glance, event, most, time)
    }

    #[cold]
    fn find_by_value(&mut self, glance: Glance, event: &FlowEvent, most: u32, time: Timestamp) -> u32 {
        let place = self.place((Level::Peer, event.flow.peer.ip.into()), &Member::from(event), most, time);
        let number = self.slots.get(place).map_or(0, |slot| slot.number);
        self.seen.insert(glance, event, Found { place, number });
        place
    }

    /// The place of the group of events that are no finer than this: of one peer, of a network, or of everybody.
    pub(super) fn place(
        &mut self,
        finest: (Level, IpNet),
        member: &Member<'_>,
        most: u32,
        time: Timestamp,
    ) -> u32 {
        self.in_family(finest, member, most, time)
            .unwrap_or_else(|| self.rest(member, finest.1.addr(), most, time))
    }

    /// `None`: there is no room.
    fn in_family(
        &mut self,
        (level, peer): (Level, IpNet),
        member: &Member<'_>,
        most: u32,
        time: Timestamp,
    ) -> Option<u32> {
        let kind = member.kind.as_ref()?;
        let room = self.has_room(kind);
        let family = match self.kinds.get(kind) {
            Some(family) => *family,
            None if room => self.begin_family(kind.clone(), time),
            None => return None,
        };
        let ip = peer.addr();
        if let Some(place) = self.places.get(&(family, peer)) {
            return Some(*place);
        }
        let &Family { peers, networks, .. } = self.families.get(family)?;
        let new = |level, peer| (level, Some(family), peer);
        if level == Level::Peer && room && peers < (self.bounds.peers)(kind.class) {
            return Some(self.begin(new(Level::Peer, peer), member, most, time));
        }
        if level <= Level::Network {
            let peer = if level == Level::Network { peer } else { network(ip) };
            if let Some(place) = self.places.get(&(family, peer)) {
                return Some(*place);
            }
            if room && networks < self.bounds.networks {
                return Some(self.begin(new(Level::Network, peer), member, most, time));
            }
        }
        let peer = everybody(ip);
        if let Some(place) = self.places.get(&(family, peer)) {
            return Some(*place);
        }
        room.then(|| self.begin(new(Level::Everybody, peer), member, most, time))
    }

    /// What found no room: one group for each port and outcome, as many as ports are watched.
    fn rest(&mut self, member: &Member<'_>, peer: IpAddr, most: u32, time: Timestamp) -> u32 {
        let key = (member.port_id(), member.class());
        if let Some(place) = self.rests.get(&key) {
            return *place;
        }
        let place = self.begin((Level::Port, None, everybody(peer)), member, most, time);
        self.rests.insert(key, place);
        place
    }

    fn has_room(&self, kind: &Kind) -> bool {
        let class = kind.class as usize;
        let of_port = self.ports.get(&kind.port).map_or(0, |classes| classes[class]);
        self.room[class] < self.bounds.all && of_port < self.bounds.of_port
    }

    fn begin_family(&mut self, kind: Kind, time: Timestamp) -> u32 {
        let kind = Arc::new(kind);
        let minute = Minute::new(time);
        let family = Family { kind: Arc::clone(&kind), minute, slots: 0, peers: 0, networks: 0 };
        let family = self.families.insert(family);
        self.kinds.insert(kind, family);
        family
    }

    fn begin(
        &mut self,
        (level, family, peer): (Level, Option<u32>, IpNet),
        member: &Member<'_>,
        most: u32,
        time: Timestamp,
    ) -> u32 {
        let class = member.class();
        self.created += 1;
        let place = self.slots.insert(Slot {
            number: self.created,
            level,
            family,
            peer,
            class,
            port: Shared::clone(member.port),
            policy: member.policy.cloned(),
            verdict: Shared::clone(member.verdict),
            accepted: member.accepted.cloned(),
            reasons: ReasonSet::EMPTY,
            peers: (level != Level::Peer).then(Box::default),
            most,
            mode: Mode::Single { since: time, sent: 0 },
        });
        if let Some(number) = family
            && let Some(family) = self.families.get_mut(number)
        {
            family.slots += 1;
            family.peers += u16::from(level == Level::Peer);
            family.networks += u16::from(level == Level::Network);
            self.room[class as usize] += 1;
            self.ports.entry(family.kind.port.clone()).or_default()[class as usize] += 1;
            self.places.insert((number, peer), place);
        }
        place
    }

    /// Ends a group. The next event of the kind begins another one.
    pub(super) fn end(&mut self, place: u32) {
        let Some(slot) = self.slots.remove(place) else { return };
        let class = slot.class as usize;
        let Some(number) = slot.family else {
            let policy = slot.policy.map(|policy| policy.digest);
            let port = (slot.port.number, Arc::clone(&slot.port.name), policy);
            self.rests.remove(&(port, slot.class));
            return;
        };
        self.places.remove(&(number, slot.peer));
        self.room[class] -= 1;
        let Some(family) = self.families.get_mut(number) else { return };
        family.slots -= 1;
        family.peers -= u16::from(slot.level == Level::Peer);
        family.networks -= u16::from(slot.level == Level::Network);
        if let Some(classes) = self.ports.get_mut(&family.kind.port) {
            classes[class] -= 1;
            if *classes == [0; Class::COUNT] {
                self.ports.remove(&family.kind.port);
            }
        }
        if family.slots == 0 {
            self.kinds.remove(&family.kind);
            self.families.remove(number);
        }
    }

    /// Forgets what was seen at a glance, once there is no group any more.
    pub(super) fn tidy(&mut self) {
        if self.slots.iter().next().is_none() {
            self.seen.clear();
        }
    }
}
