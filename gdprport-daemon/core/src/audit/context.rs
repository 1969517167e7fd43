//! What the checks read, and where they put what they find.
//!
//! Belongs here: questions that several checks ask of policy, ledger and inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{Span, Timestamp};

use super::draft::Draft;
use super::finding::{FindingId, Subject};
use super::listening::{self, Listener};
use super::settings::Settings;
use crate::catalog;
use crate::inventory::Inventory;
use crate::ledger::{Edge, HourlyLedger, Observed};
use crate::policy::{DeclaredPort, DeclaredRule, DeclaredSite, Outline, Place};

/// How long a port must have been watched without a loss before absence counts, unless a shorter period was asked for: two
/// weeks have two of everything that happens weekly, such as a full backup.
pub(super) const WATCHED_S: i64 = 14 * 86_400;

/// What the checks read and write.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub policy: Option<&'a Outline>,
    pub observed: Option<&'a Observed>,
    /// Volume by hour, for longer than the period.
    pub hours: Option<&'a HourlyLedger>,
    pub inventory: Option<&'a Inventory>,
    pub settings: &'a Settings,
    pub now: Timestamp,
    /// What listens now.
    pub listeners: Vec<Listener>,
    /// Flows by the declaration that they fell under: several checks ask for those of each.
    edges: BTreeMap<&'a str, Vec<&'a Edge>>,
    drafts: Vec<Draft<'a>>,
    not_judged: BTreeSet<(String, FindingId)>,
    /// Reasons that hold of some of it only.
    partly: BTreeSet<String>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        policy: Option<&'a Outline>,
        observed: Option<&'a Observed>,
        inventory: Option<&'a Inventory>,
        settings: &'a Settings,
        now: Timestamp,
    ) -> Self {
        let mut edges: BTreeMap<&'a str, Vec<&'a Edge>> = BTreeMap::new();
        let flows = observed.into_iter().flat_map(|observed| &observed.edges);
        for edge in flows.filter(|edge| edge.key.port.declared) {
            edges.entry(&edge.key.port.name).or_default().push(edge);
        }
        Self {
            policy,
            observed,
            edges,
            hours: None,
            inventory,
            settings,
            now,
            listeners: listening::now(observed, inventory),
            drafts: Vec::new(),
            not_judged: BTreeSet::new(),
            partly: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, draft: Draft<'a>) {
        self.drafts.push(draft);
    }

    pub(super) fn not_judged(&mut self, id: FindingId, why: impl Into<String>) {
        self.not_judged.insert((why.into(), id));
    }

    /// Of some of what it is about: all else was judged, and what was found of that and is not any more is settled.
    pub(super) fn not_judged_of_some(&mut self, id: FindingId, why: String) {
        self.partly.insert(why.clone());
        self.not_judged.insert((why, id));
    }

    pub(super) fn found(&self) -> &[Draft<'a>] {
        &self.drafts
    }

    pub(super) fn was_judged(&self, id: &str) -> bool {
        !self.not_judged.iter().any(|(_, other)| other.as_str() == id)
    }

    pub(super) fn finish(self) -> (Vec<Draft<'a>>, Vec<(String, FindingId)>, BTreeSet<String>) {
        (self.drafts, self.not_judged.into_iter().collect(), self.partly)
    }

    /// The declarations; none without a policy.
    pub(super) fn ports(&self) -> &'a [DeclaredPort] {
        self.policy.map_or(&[], |policy| &policy.ports)
    }

    /// The ledger; without one these are not judged.
    pub(super) fn ledger(&mut self, ids: &[FindingId]) -> Option<&'a Observed> {
        if self.observed.is_none() {
            for id in ids {
                self.not_judged(*id, &*self.settings.no_ledger);
            }
        }
        self.observed
    }

    /// The declaration that this host serves a number by.
    pub(super) fn served(&self, number: u16) -> Option<&'a DeclaredPort> {
        let local = |port: &&DeclaredPort| matches!(port.site, DeclaredSite::Local(_));
        self.ports().iter().filter(local).find(|port| has(port, number))
    }

    /// Where a declaration of what nobody declared would go.
    pub(super) fn nowhere(&self) -> Place {
        Place { file: Arc::clone(&self.settings.first_file), line: 1, column: 1 }
    }

    /// The flows of a declared port.
    pub(super) fn edges(&self, port: &DeclaredPort) -> Vec<&'a Edge> {
        self.edges.get(&*port.name).cloned().unwrap_or_default()
    }

    /// Seconds for which a port must have been watched before absence counts.
    pub(super) fn needed_s(&self) -> i64 {
        (self.now.as_second() - self.settings.asked.as_second()).clamp(1, WATCHED_S)
    }

    /// Seconds since `from` for which a declaration was watched and nothing of it was lost, by hours: an hour in which
    /// anything was lost counts as nothing. Of a declaration with many numbers the one that was watched longest counts, as
    /// a policy is watched as a whole.
    pub(super) fn watched_s(&self, port: &str, from: Timestamp) -> i64 {
        let Some(observed) = self.observed else { return 0 };
        let mut hours: BTreeMap<Timestamp, (u32, u64)> = BTreeMap::new();
        for of in observed.coverage.iter().filter(|of| *of.port.name == *port) {
            for hour in of.each() {
                let (watched, lost) = hours.entry(hour).or_default();
                *watched = (*watched).max(of.watched_s);
                *lost = lost.saturating_add(of.lost);
            }
        }
        let losses: Vec<_> = observed.gaps.iter().filter(|gap| !gap.is_of_a_sink()).collect();
        let hour_end = |hour: Timestamp| hour.saturating_add(Span::new().hours(1)).unwrap_or(hour);
        let whole = |hour: Timestamp| !losses.iter().any(|gap| gap.from < hour_end(hour) && gap.to > hour);
        let watched: i64 = hours
            .into_iter()
            .filter(|(hour, (_, lost))| hour_end(*hour) > from && *lost == 0 && whole(*hour))
            .map(|(_, (watched, _))| i64::from(watched.min(3_600)))
            .sum();
        // The hour in which `from` lies counts from there on only.
        watched.min(self.now.as_second() - from.as_second()).max(0)
    }

    /// Since when the daemon has applied a policy with this rule as it is now, without a break; `None`: it does not apply one.
    pub(super) fn rule_since(&self, port: &DeclaredPort, rule: &DeclaredRule) -> Option<Timestamp> {
        let observed = self.observed?;
        let known = |digest: &str| self.settings.earlier.iter().find(|earlier| *earlier.digest == *digest);
        let has_rule = |digest: Option<&str>| {
            let Some(digest) = digest else { return false };
            if self.settings.digest.as_deref() == Some(digest) {
                return true;
            }
            known(digest).is_some_and(|earlier| holds(&earlier.outline, port, rule))
        };
        let with = observed.policies.iter().rev().take_while(|period| has_rule(period.digest.as_deref()));
        with.last().map(|period| period.from)
    }

    /// A port's subject.
    pub(super) fn subject(port: &DeclaredPort) -> Subject {
        let one = match port.numbers.as_slice() {
            [range] if range.start() == range.end() => Some(*range.start()),
            _ => None,
        };
        Subject { port: Some(Arc::clone(&port.name)), number: one, ..Subject::default() }
    }

    /// A rule's subject.
    pub(super) fn rule_subject(port: &DeclaredPort, rule: &DeclaredRule) -> Subject {
        Subject { rule: Some(Arc::clone(&rule.role)), ..Self::subject(port) }
    }
}

/// The protocol of a port: as declared, else the catalog's if its numbers are of one service only.
pub(super) fn protocol(port: &DeclaredPort) -> Option<&'static catalog::Service> {
    let of = |service: &&catalog::Service| service.ports.iter().any(|number| has(port, *number));
    let mut known = catalog::SERVICES.iter().filter(of);
    port.protocol.or_else(|| known.next().filter(|_| known.next().is_none()))
}

/// Whether a declaration claims a number.
pub(super) fn has(port: &DeclaredPort, number: u16) -> bool {
    port.numbers.iter().any(|range| range.contains(&number))
}

/// Whether a policy has the same rule, wherever it is written.
fn holds(outline: &Outline, port: &DeclaredPort, rule: &DeclaredRule) -> bool {
    let same = |other: &DeclaredRule| DeclaredRule { place: rule.place.clone(), ..other.clone() } == *rule;
    let ports = outline.ports.iter().filter(|other| other.name == port.name);
    ports.flat_map(|port| &port.rules).any(same)
}
