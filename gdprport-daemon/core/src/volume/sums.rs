//! The sums of all rules that may move only so much.
//!
//! A flow counts in the rule that its verdict names, with the bytes that were seen of it since it was last reported, in the window
//! of the time at which they were seen: as the ledger counts volume, so that a sum can be taken up from there.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::limited::Limited;
use crate::event::RuleVolume;
use crate::flow::{Change, ChangeKind, Flow};
use crate::ledger::OpenFlows;
use crate::policy::Policy;
use crate::shared::Shared;
use crate::verdict::{ReasonId, ReasonSet, Verdict};

/// A port none of whose rules has a limit.
const NONE: u32 = u32::MAX;

/// What is added up for rules with a `volume`. Of each some 200 bytes are kept, and of each open flow on one of their ports some
/// 60; the sums of one window, the one that goes on.
#[derive(Debug)]
pub struct Volumes {
    rules: Vec<Limited>,
    /// For each watched port, by its place, where its rules are in `roles`.
    ports: Vec<u32>,
    roles: Vec<HashMap<Arc<str>, u32, RandomState>>,
    open: OpenFlows,
    /// Whether a rule has changed since all were judged.
    any: bool,
    /// When all rules were last looked at, and when the first window ends after that.
    looked: (Timestamp, Timestamp),
}

/// That a flow is beyond the volume of its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// What the rule has moved by now.
    pub volume: Box<RuleVolume>,
    /// Whether the violation was reported in this window already, by another flow of the rule.
    pub known: bool,
}

/// A rule of which the ledger may know what it moved before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The declaration's name.
    pub port: Arc<str>,
    /// The rule's role.
    pub role: Arc<str>,
    /// Since when.
    pub from: Timestamp,
}

/// What the ledger knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What was asked.
    pub wanted: Wanted,
    /// How many bytes were moved, both ways.
    pub bytes: u64,
}

impl Volumes {
    /// The sums under a policy; of rules that were there before, with the same window, they go on. `None`: no rule has a
    /// limit. `most` flows are open at once, of a run that began at this boottime in ns.
    #[must_use]
    pub fn under(
        policy: &Policy,
        before: Option<Self>,
        (most, began_ns): (usize, u64),
        now: Timestamp,
    ) -> Option<Self> {
        let (rules, open) = before.map_or_else(
            || (Vec::new(), OpenFlows::new(most, began_ns)),
            |before| (before.rules, before.open),
        );
        let mut before: HashMap<(Arc<str>, Arc<str>), Limited> =
            rules.into_iter().map(|rule| ((Arc::clone(&rule.port), Arc::clone(&rule.role)), rule)).collect();
        let mut rules = Vec::new();
        let mut places: HashMap<usize, u32> = HashMap::new();
        let mut roles: Vec<HashMap<Arc<str>, u32, RandomState>> = Vec::new();
        for limited in policy.limited() {
            let (port, role, limit) = (limited.port, limited.role, limited.limit);
            let known = before.remove(&(Arc::clone(port), Arc::clone(role)));
            let known = known.filter(|known| known.limit.per == limit.per);
            let place = *places.entry(limited.declaration).or_insert_with(|| {
                roles.push(HashMap::default());
                u32::try_from(roles.len() - 1).unwrap_or(NONE)
            });
            let number = u32::try_from(rules.len()).unwrap_or(NONE);
            rules.push(match known {
                Some(known) => known.under(limit),
                None => Limited::new(port, role, limit, now),
            });
            if let Some(roles) = roles.get_mut(place as usize) {
                roles.insert(Arc::clone(role), number);
            }
        }
        let place = |declaration: Option<usize>| {
            declaration.and_then(|declaration| places.get(&declaration)).copied().unwrap_or(NONE)
        };
        let ports = policy.declarations_of_ports().map(place).collect();
        let looked = (Timestamp::MAX, Timestamp::MIN);
        (!rules.is_empty()).then_some(Self { rules, ports, roles, open, any: true, looked })
    }

    /// The verdict on a flow that is declared and whose rule is beyond its volume; `None`: it stands.
    #[must_use]
    pub fn exceeded(
        &self,
        verdict: &Verdict,
        port: Option<usize>,
        now: Timestamp,
    ) -> Option<Shared<Verdict>> {
        let rule = self.rules.get(self.find(port, verdict)?)?;
        rule.exceeded(now).cloned()
    }

    /// Takes what happened to a flow at `now`, before anything of it is shown. One that ends is in violation itself if it brings
    /// its rule beyond its volume; of others [`changed`](Self::changed) says so.
    pub fn flow(&mut self, change: &mut Change, now: Timestamp) -> Option<Beyond> {
        let flow = &change.flow;
        let ends = matches!(change.kind, ChangeKind::Failed | ChangeKind::Closed);
        if !self.is_limited(flow.port_index) {
            // It may have begun under another policy.
            match change.kind {
                ChangeKind::Removed(_) => self.open.removed(flow),
                _ if ends => drop(self.open.ended(flow)),
                _ => {}
            }
            return None;
        }
        let mut ended;
        let standing = match change.kind {
            ChangeKind::Removed(_) => {
                self.open.removed(flow);
                return None;
            }
            ChangeKind::Failed | ChangeKind::Closed => {
                ended = self.open.ended(flow);
                Some(&mut ended)
            }
            ChangeKind::Opened => self.open.opened(flow),
            ChangeKind::Updated | ChangeKind::PostureKnown => self.open.get_mut(flow.cookie),
        };
        let (sent, received) = standing.map_or((0, 0), |standing| standing.advance(flow));
        let number = self.find(flow.port_index, &flow.verdict)?;
        let rule = self.rules.get_mut(number)?;
        rule.roll(now);
        // What it moved before it was found is not known.
        rule.at_least |= flow.found && change.kind == ChangeKind::Opened;
        let was_changed = rule.changed;
        rule.add(sent.saturating_add(received));
        if rule.changed && !was_changed {
            rule.by = Some(flow.cookie);
            self.any = true;
        }
        if ends
            && matches!(*flow.verdict, Verdict::Declared { .. })
            && let Some(verdict) = rule.exceeded(now)
        {
            change.flow.verdict = Shared::clone(verdict);
            change.new_reasons = change.new_reasons.with(ReasonSet::from(&**verdict));
        }
        if !is_beyond(&change.flow.verdict) {
            return None;
        }
        let is_new = change.new_reasons.contains(ReasonId::VolumeExceeded);
        let known = is_new && std::mem::replace(&mut rule.reported, true);
        Some(Beyond { volume: Box::new(rule.moved()), known })
    }

    /// Takes connections that were counted together and have moved so much.
    pub fn summed(&mut self, flow: &Flow, bytes: u64, now: Timestamp) {
        if let Some(rule) = self.find(flow.port_index, &flow.verdict).and_then(|it| self.rules.get_mut(it)) {
            rule.roll(now);
            rule.add(bytes);
            self.any |= rule.changed;
        }
    }

    /// A flow that is open under a policy that limits its rule since a moment ago: what it has moved by now is not counted here.
    pub fn adopt(&mut self, flow: &Flow) {
        if self.is_limited(flow.port_index) {
            self.open.adopt(flow);
        }
    }

    /// Begins the windows of this moment. True if flows are to be judged again: those that [`concerns`](Self::concerns) says, until
    /// [`judged`](Self::judged).
    pub fn changed(&mut self, now: Timestamp) -> bool {
        let (last, due) = self.looked;
        // Asked after every record: rules are looked at only where one may have changed, or the clock was set back.
        if self.any || now < last || now >= due {
            let (mut any, mut due) = (false, Timestamp::MAX);
            for rule in &mut self.rules {
                rule.roll(now);
                any |= rule.changed;
                due = due.min(rule.to());
            }
            (self.any, self.looked) = (any, (now, due));
        }
        self.any
    }

    /// Whether a flow is one of a rule that came beyond its volume a moment ago, or is in another window since. `first`: only the
    /// one that brought it there.
    #[must_use]
    pub fn concerns(&self, flow: &Flow, first: bool) -> bool {
        let rule = self.find(flow.port_index, &flow.verdict).and_then(|number| self.rules.get(number));
        rule.is_some_and(|rule| rule.changed && (!first || rule.by == Some(flow.cookie)))
    }

    /// All that it concerns was judged again.
    pub fn judged(&mut self) {
        for rule in &mut self.rules {
            (rule.changed, rule.by) = (false, None);
        }
        self.any = false;
    }

    /// Something was not seen, nobody knows of which rule.
    pub fn lost(&mut self) {
        self.rules.iter_mut().for_each(|rule| rule.at_least = true);
    }

    /// The rules of which the ledger is to be asked, once: what they have moved up to now is in its answer, and counted anew here.
    #[must_use]
    pub fn wanted(&mut self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for rule in self.rules.iter_mut().filter(|rule| rule.wanted) {
            rule.wanted = false;
            rule.forget_sum();
            let (port, role) = (Arc::clone(&rule.port), Arc::clone(&rule.role));
            wanted.push(Wanted { port, role, from: rule.from() });
        }
        wanted
    }

    /// Whether the ledger is to be asked.
    #[must_use]
    pub fn wants(&self) -> bool {
        self.rules.iter().any(|rule| rule.wanted)
    }

    /// Adds what the ledger knows; it has something to say since `begin`. What is of another window by now counts no more.
    pub fn add(&mut self, known: &[Known], begin: Timestamp) {
        let places: HashMap<(Arc<str>, Arc<str>), usize> = (self.rules.iter().enumerate())
            .map(|(place, rule)| ((Arc::clone(&rule.port), Arc::clone(&rule.role)), place))
            .collect();
        for Known { wanted, bytes } in known {
            let place = places.get(&(Arc::clone(&wanted.port), Arc::clone(&wanted.role)));
            let rule = place.and_then(|place| self.rules.get_mut(*place));
            if let Some(rule) = rule.filter(|rule| rule.from() == wanted.from) {
                rule.add_before(*bytes, begin);
                self.any |= rule.changed;
            }
        }
    }

    /// What each rule has moved, with its port.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, RuleVolume)> {
        self.rules.iter().map(|rule| (&rule.port, rule.moved()))
    }

    /// What a rule of a port has moved; `None`: it has no limit.
    #[must_use]
    pub fn of(&self, port: usize, role: &str) -> Option<RuleVolume> {
        let roles = self.roles.get(*self.ports.get(port)? as usize)?;
        Some(self.rules.get(*roles.get(role)? as usize)?.moved())
    }

    fn is_limited(&self, port: Option<usize>) -> bool {
        port.and_then(|port| self.ports.get(port)).is_some_and(|place| *place != NONE)
    }

    /// The rule that a verdict counts in.
    fn find(&self, port: Option<usize>, verdict: &Verdict) -> Option<usize> {
        let roles = self.roles.get(*self.ports.get(port?)? as usize)?;
        let role = match verdict {
            Verdict::Declared { rule } => rule,
            Verdict::Violation { nearest: Some(nearest), .. } if is_beyond(verdict) => &nearest.role,
            Verdict::Violation { .. } | Verdict::Undecided { .. } => return None,
        };
        roles.get(role).map(|number| *number as usize)
    }
}

fn is_beyond(verdict: &Verdict) -> bool {
    verdict.reasons().iter().any(|reason| reason.id == ReasonId::VolumeExceeded)
}
