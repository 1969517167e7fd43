//! Why no rule allows a flow: what evidence is missing, or which rule came nearest and what failed.
//!
//! Belongs here: the slow path. It compares a bounded number of rules:
//!
//! - **Undecided** is searched for among the rules whose peers contain the peer (only if evidence on the process is
//!   missing) and those whose host names are not resolved: at most [`COMPARED`] rules. If there are more, the verdict
//!   is `Undecided` as well, because a rule that was not compared might allow the flow: missing evidence is never
//!   turned into a certain violation.
//! - **The nearest rule** ([`Distance`]) is exact for up to [`NEAREST`] rules of the flow's direction. Beyond, it is the
//!   nearest of some of them: those that reach the peer first, then the others. Only where no rule has that direction
//!   are those of the other one compared. The outcome itself does not depend on it.
//!
//! Nothing here depends on the order in which rules, peers or files are written: candidates come by peer and by role,
//! and of two rules that are equally near the roles decide.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::facts::Facts;
use super::wording::{self, NAMED, Words};
use crate::model::{Direction, Process};
use crate::policy::compile::{CompiledDeclaration, CompiledRule, ItemId, RuleIndex};
use crate::policy::dns_names::Resolution;
use crate::policy::model::{Evidence, Fit, ProcessKey};
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// How many rules are compared when evidence is missing.
const COMPARED: usize = 4096;
/// How many rules are compared to find the nearest, beside half as many that reach the peer.
const NEAREST: usize = 256;

/// Why the peer is not known although the socket has one.
pub(super) const MAY_BE_TRANSLATED: &str =
    "as the connection may be translated by this host and connection tracking has not shown how";

/// Why the peer of each connection is not known of those that were counted by network.
pub(super) const COUNTED_TOGETHER: &str = "as the connections were counted together by network";

/// One evaluation that no rule decided.
pub(super) struct Undeclared<'q> {
    pub active: &'q ActivePolicy,
    pub declaration: &'q CompiledDeclaration,
    /// Its place among the policy's.
    pub number: usize,
    pub facts: &'q Facts<'q>,
    /// The owner, if known.
    pub process: Option<&'q Process>,
    pub now: Timestamp,
}

/// How one rule compares: which keys fail, and which cannot be compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Assessment {
    pub direction_fails: bool,
    pub peers: Option<Fit>,
    pub keys: [Option<Fit>; ProcessKey::COUNT],
    pub expired: bool,
}

/// How far a rule is from allowing a flow, from near to far. Which keys fail decides the reasons, and with them the
/// severity, so that two rules that are equally far fail in the same keys; the role makes the order total.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Distance<'r> {
    /// A rule of the other direction says nothing of this flow, however much else of it fits: otherwise who breaks more
    /// keys of the rules for this direction would have the milder reason.
    direction_fails: bool,
    failed: usize,
    unknown: usize,
    peers_fail: bool,
    keys_fail: [bool; ProcessKey::COUNT],
    role: &'r str,
}

impl Assessment {
    pub(super) fn distance<'r>(&self, rule: &'r CompiledRule) -> Distance<'r> {
        Distance {
            direction_fails: self.direction_fails,
            failed: self.failed(),
            unknown: self.unknown(),
            peers_fail: self.peers == Some(Fit::Fails),
            keys_fail: self.keys.map(|key| matches!(key, Some(Fit::Fails | Fit::Withheld))),
            role: &rule.role,
        }
    }

    fn fits(&self) -> impl Iterator<Item = Fit> {
        self.keys.into_iter().chain([self.peers]).flatten()
    }

    pub(super) fn failed(&self) -> usize {
        let keys = self.fits().filter(|fit| matches!(fit, Fit::Fails | Fit::Withheld)).count();
        keys + usize::from(self.direction_fails) + usize::from(self.expired)
    }

    pub(super) fn unknown(&self) -> usize {
        self.fits().filter(|fit| *fit == Fit::Unknown).count()
    }

    fn process_keys(&self, fit: Fit) -> impl Iterator<Item = ProcessKey> {
        ProcessKey::ALL.into_iter().filter(move |key| self.keys[*key as usize] == Some(fit))
    }
}

/// What is known of the peer: computed once per evaluation.
pub(super) struct PeerFacts<'q> {
    /// The items that contain it, ascending.
    pub inside: Vec<ItemId>,
    /// The items that may contain it, ascending: those of this declaration with a name that is not resolved, and of a network
    /// all that contain a part.
    unresolved: Cow<'q, [ItemId]>,
    /// Whether it may have an address that is not known, which may be in any item.
    open: bool,
}

pub(super) fn verdict(flow: &Undeclared<'_>) -> Verdict {
    let peer = flow.peer_facts();
    flow.undecided(&peer).unwrap_or_else(|| flow.violation(&peer))
}

impl Undeclared<'_> {
    pub(super) fn peer_facts(&self) -> PeerFacts<'_> {
        let mut inside = Vec::new();
        let peers = self.facts.peers();
        self.active.policy().peers.each(peers.known(), self.active.names(), |item| inside.push(item));
        inside.sort_unstable();
        inside.dedup();
        let mut unresolved = Cow::Borrowed(self.active.unresolved(self.number));
        if let Some(network) = self.facts.peer_within {
            let (index, names) = (&self.active.policy().peers, self.active.names());
            index.each_within(network, names, |item| unresolved.to_mut().push(item));
            unresolved.to_mut().sort_unstable();
            unresolved.to_mut().dedup();
        }
        PeerFacts { inside, unresolved, open: peers.open }
    }

    pub(super) fn assess(&self, rule: &CompiledRule, peer: &PeerFacts<'_>) -> Assessment {
        let peers = if intersect(&rule.peers, &peer.inside) {
            Fit::Matches
        } else if peer.open || intersect(&rule.peers, &peer.unresolved) {
            Fit::Unknown
        } else {
            Fit::Fails
        };
        let key = |key: ProcessKey| {
            let spec = rule.process.as_deref().filter(|spec| spec.asks(key))?;
            // Nobody's word is asked of nobody.
            if key == ProcessKey::StatedBy && self.process.is_none() {
                return None;
            }
            let unnamed = if self.facts.owner_withheld.is_some() { Fit::Withheld } else { Fit::Unknown };
            Some(self.process.map_or(unnamed, |process| spec.compare(key, process)))
        };
        Assessment {
            direction_fails: rule.direction != self.facts.direction,
            peers: Some(peers),
            keys: ProcessKey::ALL.map(key),
            expired: rule.until.is_some_and(|until| self.now > until),
        }
    }

    fn undecided(&self, peer: &PeerFacts<'_>) -> Option<Verdict> {
        let index = self.declaration.index(self.facts.direction);
        // Of a process that withheld who it is nothing is missing.
        let all = if self.facts.owner_withheld.is_none() { Evidence::ALL } else { Evidence::NONE };
        let missing = self.process.map_or(all, Evidence::missing_of);
        let inside = peer.inside.iter().flat_map(|item| index.resting_on(*item, missing));
        let unresolved = peer.unresolved.iter().flat_map(|item| index.reached(*item));
        let anywhere = index.all().iter().filter(|_| peer.open);
        let mut candidates = inside.chain(unresolved).chain(anywhere);
        let compared = candidates.by_ref().take(COMPARED);
        let open = self
            .assessed(compared, peer)
            .filter(|(_, assessment)| assessment.failed() == 0 && assessment.unknown() > 0);
        if let Some((rule, assessment)) = nearest(open) {
            return Some(Verdict::Undecided {
                missing: self.missing(rule, &assessment),
                nearest: Some(Nearest { role: Arc::clone(&rule.role), failed: Vec::new() }),
            });
        }
        candidates.next().map(|_| Verdict::Undecided {
            missing: vec![format!("more than {COMPARED} rules depend on evidence that is missing")],
            nearest: None,
        })
    }

    pub(super) fn missing(&self, rule: &CompiledRule, assessment: &Assessment) -> Vec<String> {
        let mut missing = Vec::new();
        if assessment.peers == Some(Fit::Unknown) && self.facts.peers().open {
            missing.push(format!(
                "the peer is not known, {}",
                self.facts.peer_missing.unwrap_or(MAY_BE_TRANSLATED)
            ));
        }
        if let (Some(Fit::Unknown), Some(network)) = (assessment.peers, self.facts.peer_within) {
            let network = self.active.privacy().map_or(network, |privacy| privacy.network(network));
            missing.push(format!(
                "whether the peers in {network} are all that the rule allows, {COUNTED_TOGETHER}"
            ));
        }
        if assessment.peers == Some(Fit::Unknown) {
            let names = self.active.names();
            let hosts =
                rule.peers.iter().flat_map(|item| &*self.active.policy().peers.items[*item as usize].hosts);
            let mut named: Vec<&str> = Vec::with_capacity(NAMED);
            for name in hosts.filter(|name| !names.is_resolved(name)) {
                if named.len() == NAMED {
                    break;
                }
                // A name may be in several sets.
                if !named.contains(&&**name) {
                    named.push(name);
                }
            }
            missing.extend(named.into_iter().map(|name| match names.get(name) {
                Some(Resolution::Unresolved(why)) => format!("the host name {name} is not resolved: {why}"),
                _ => format!("the host name {name} is not resolved yet"),
            }));
        }
        let keys: Vec<ProcessKey> = assessment.process_keys(Fit::Unknown).collect();
        match (self.process, &rule.process) {
            (_, None) => {}
            (Some(process), Some(spec)) => {
                Words::of(process, spec, self.active.privacy()).missing(&keys, &mut missing);
            }
            (None, Some(_)) if keys.is_empty() => {}
            (None, Some(_)) => {
                let keys = wording::list(keys.into_iter());
                missing.push(format!("the process is not known, and the rule asks for {keys}"));
            }
        }
        missing
    }

    fn assessed<'s>(
        &'s self,
        numbers: impl Iterator<Item = &'s u32>,
        peer: &PeerFacts<'_>,
    ) -> impl Iterator<Item = (&'s CompiledRule, Assessment)> {
        numbers.map(move |number| {
            let rule = &self.declaration.rules[*number as usize];
            (rule, self.assess(rule, peer))
        })
    }

    fn violation(&self, peer: &PeerFacts<'_>) -> Verdict {
        let index = self.declaration.index(self.facts.direction);
        let near = peer.inside.iter().flat_map(|item| index.reached(*item)).take(NEAREST / 2);
        let other = [Direction::In, Direction::Out].map(|direction| self.declaration.index(direction));
        let all = [index].into_iter().chain(other).map(RuleIndex::all).find(|all| !all.is_empty());
        let candidates = near.chain(all.unwrap_or_default().iter().take(NEAREST));
        let Some((rule, assessment)) = nearest(self.assessed(candidates, peer)) else {
            let detail = format!("{} has no rule", self.declaration.name);
            let reasons = vec![Reason { id: ReasonId::UndeclaredDirection, detail }];
            return Verdict::Violation { reasons, nearest: None };
        };
        let mut reasons = self.reasons(rule, &assessment);
        reasons.sort_by_key(|reason| reason.id);
        let mut failed = Vec::new();
        let mut fail = |fails: bool, key: &str| {
            if fails {
                failed.push(key.to_owned());
            }
        };
        fail(assessment.direction_fails, "direction");
        fail(assessment.peers == Some(Fit::Fails), "peers");
        for key in ProcessKey::ALL {
            let fit = assessment.keys[key as usize];
            fail(matches!(fit, Some(Fit::Fails | Fit::Withheld)), key.as_str());
        }
        fail(assessment.expired, "until");
        Verdict::Violation { reasons, nearest: Some(Nearest { role: Arc::clone(&rule.role), failed }) }
    }

    /// The addresses that were compared, as the beginning of a sentence.
    pub(super) fn named_peer(&self) -> String {
        if let Some(network) = self.facts.peer_within {
            let network = self.active.privacy().map_or(network, |privacy| privacy.network(network));
            return format!("all of {network} is");
        }
        let show = |ip| self.active.privacy().map_or(ip, |privacy| privacy.address(ip));
        let seen = show(self.facts.peer.ip);
        let mut known = self.facts.peers().known().map(|known| show(known.addr()));
        match (known.next(), known.next()) {
            (_, Some(behind)) => format!("{seen}, which leads to {behind}, is"),
            (Some(client), None) if client != seen => format!("{client}, which comes as {seen}, is"),
            _ => format!("{seen} is"),
        }
    }

    fn reasons(&self, rule: &CompiledRule, assessment: &Assessment) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut push = |id, detail| reasons.push(Reason { id, detail });
        let role = &rule.role;
        if assessment.direction_fails {
            let (is, may) = (self.facts.direction, rule.direction);
            push(ReasonId::UndeclaredDirection, format!("the connection is {is}, {role} allows {may}"));
        }
        if assessment.peers == Some(Fit::Fails) {
            let text = |item: &ItemId| &*self.active.policy().peers.items[*item as usize].text;
            let show = |text| self.active.privacy().map_or(Cow::Borrowed(text), |by| by.policy_peer(text));
            let items = rule.peers.iter().map(|item| show(text(item)));
            let detail = format!("{} not in {} of {role}", self.named_peer(), wording::some(items));
            push(ReasonId::UndeclaredPeer, detail);
        }
        if let (Some(spec), Some(process)) = (&rule.process, self.process) {
            let mut failing = assessment.process_keys(Fit::Fails).peekable();
            if failing.peek().is_some() {
                let words = Words::of(process, spec, self.active.privacy());
                let compared = failing.map(|key| words.differs(key, role));
                push(ReasonId::UndeclaredProcess, compared.collect::<Vec<_>>().join("; "));
            }
        }
        let withheld = wording::list(assessment.process_keys(Fit::Withheld));
        let cause = match self.process {
            Some(process) => process.exe_withheld,
            None => self.facts.owner_withheld,
        };
        if let (Some(cause), false) = (cause, withheld.is_empty()) {
            let (keys, cause) = (withheld, cause.cause());
            let of = match self.process {
                Some(process) if process.pid != 0 => format!("process {} withheld its {keys}", process.pid),
                Some(_) => format!("the processes withheld their {keys}"),
                None => format!("the process withheld who it is, and {role} asks for {keys}"),
            };
            push(ReasonId::Unattributable, format!("{of}: {cause}"));
        }
        if let (true, Some(until)) = (assessment.expired, rule.until) {
            push(ReasonId::RuleExpired, format!("{role} was valid until {until}"));
        }
        reasons
    }
}

/// The rule with the least distance.
fn nearest<'r>(
    assessed: impl Iterator<Item = (&'r CompiledRule, Assessment)>,
) -> Option<(&'r CompiledRule, Assessment)> {
    assessed.min_by(|(a, one), (b, other)| one.distance(a).cmp(&other.distance(b)))
}

/// Whether two ascending lists have an item in common: the shorter one is looked up in the longer.
fn intersect(a: &[ItemId], b: &[ItemId]) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.iter().any(|item| long.binary_search(item).is_ok())
}
