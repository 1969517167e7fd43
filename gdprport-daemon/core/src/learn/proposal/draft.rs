//! A declaration that a proposal adds: its head, its rules, and what is a comment only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::peers::written;
use super::super::port::{Block, head};
use super::super::roles::{Given, role};
use super::super::seen::{Seen, SeenService};
use super::super::starter::name;
use super::super::text::{Page, quoted};
use super::asked::{PORTS_MAX, RULES_MAX, RULES_PER_PORT};
use super::block::{Shape, commented, overflow, rule};
use super::group::Group;
use super::held;
use super::listed::listed;
use crate::catalog;
use crate::inventory::{Recognised, Service};

/// How many rules a port has as comments.
const HELD_PER_PORT: usize = 12;

/// How many addresses of a service are listed one by one.
const PLACES_MAX: usize = 256;

/// Which declaration: its number, and whether the service is elsewhere.
pub(super) type Which = (u16, bool);

/// A declaration that a proposal adds.
pub(super) struct Draft<'e> {
    service: Cow<'e, SeenService>,
    name: String,
    /// Where a service elsewhere is, ascending.
    at: BTreeSet<IpNet>,
    /// Why the declaration is a comment as a whole; `None`: it is in force.
    pub held: Option<String>,
    pub rules: Vec<Group<'e>>,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub rules: usize,
    pub commented: usize,
    pub blanks: usize,
    pub grouped: usize,
}

/// Declarations for these groups. A group that nothing keeps from being a rule becomes one, as far as there is room.
pub(super) fn drafts<'e>(
    groups: Vec<Group<'e>>,
    seen: &'e Seen,
    names: &mut Given,
    include_violations: bool,
) -> BTreeMap<Which, Draft<'e>> {
    let mut by_port: BTreeMap<Which, Vec<Group<'e>>> = BTreeMap::new();
    for group in groups {
        by_port.entry((group.key.number, group.key.remote)).or_default().push(group);
    }
    let mut room = RULES_MAX;
    let mut drafts = BTreeMap::new();
    for (which, mut groups) in by_port.into_iter().take(PORTS_MAX) {
        by_support(&mut groups);
        let service = service(seen, which);
        let named = groups.iter().filter(|group| group.key.place.is_ok());
        let all: BTreeMap<IpNet, u64> =
            named.flat_map(|group| group.peers.iter().map(|(net, weight)| (*net, *weight))).collect();
        let nowhere = which.1 && all.is_empty();
        let mut rules: Vec<_> =
            groups.into_iter().filter(|group| held::why(group, include_violations).is_empty()).collect();
        rules.truncate(RULES_PER_PORT.min(room));
        room -= rules.len();
        let at = places(all, &rules);
        let name = name(&service, names);
        let held = nowhere.then(|| "No address of this service is known.".to_owned());
        drafts.insert(which, Draft { service, name, at, held, rules });
    }
    drafts
}

/// Where a service elsewhere is: every address, or what its rules name where nobody would read a list of all.
fn places(all: BTreeMap<IpNet, u64>, rules: &[Group<'_>]) -> BTreeSet<IpNet> {
    if all.len() <= PLACES_MAX {
        return all.into_keys().collect();
    }
    let named: BTreeSet<IpNet> = rules.iter().flat_map(|group| listed(&group.peers).nets).collect();
    if named.is_empty() { listed(&all).nets.into_iter().collect() } else { named }
}

/// Those with the most connections first.
pub(super) fn by_support(groups: &mut [Group<'_>]) {
    groups.sort_by(|one, other| {
        let weight = |group: &Group<'_>| std::cmp::Reverse(group.support.connections);
        weight(one).cmp(&weight(other)).then_with(|| one.key.cmp(&other.key))
    });
}

/// What is known of a service.
fn service(seen: &Seen, (port, remote): Which) -> Cow<'_, SeenService> {
    let known = seen.services.iter().find(|service| service.port == port && service.remote == remote);
    known.map(Cow::Borrowed).unwrap_or_else(|| {
        let known = catalog::by_port(port);
        let service = Service {
            id: known.map(|known| known.id.into()),
            name: known.map(|known| known.name.into()),
            by: known.map(|_| Recognised::Port).into_iter().collect(),
            why: None,
        };
        Cow::Owned(SeenService { port, remote, service, ..SeenService::default() })
    })
}

impl Draft<'_> {
    /// Writes the declaration with its rules, and of what is left what is worth reading.
    pub(super) fn write(
        &self,
        page: &mut Page,
        left: &[Group<'_>],
        include_violations: bool,
        counts: &mut Counts,
    ) {
        let mut block = Block::default();
        let mut items = |_: &mut dyn Iterator<Item = IpNet>| {
            (self.at.iter().map(|net| quoted(&written(*net))).collect::<Vec<_>>(), Vec::new())
        };
        head(&mut block, &self.service, &self.name, false, &mut items);
        let mut roles = Given::default();
        for group in self.rules.iter().filter(|_| self.held.is_none()) {
            let role = role(group.identity, group.key.direction, &mut roles);
            rule(&mut block.page, group, &Shape { role: &role, port: None });
            counts.rules += 1;
        }
        match &self.held {
            None => {
                page.append(&block.page);
                counts.blanks += block.blanks;
            }
            Some(why) => {
                page.comment(&format!("Not declared, somebody has to decide: {why}"));
                page.commented(&block.page);
            }
        }
        let why = |group: &Group<'_>| {
            let mut why = held::why(group, include_violations);
            why.extend(self.held.as_ref().map(|_| "Its port is not declared.".to_owned()));
            why
        };
        remainder(page, left, None, &mut roles, &why, counts);
        page.blank();
    }
}

/// Writes groups that no rule allows: those that somebody has to decide on as commented rules, the others in one sentence.
pub(super) fn remainder(
    page: &mut Page,
    left: &[Group<'_>],
    port: Option<&str>,
    roles: &mut Given,
    why: &dyn Fn(&Group<'_>) -> Vec<String>,
    counts: &mut Counts,
) {
    let mut others: BTreeMap<held::Together, Vec<&Group<'_>>> = BTreeMap::new();
    let mut written = 0;
    for group in left {
        let why = why(group);
        if why.is_empty() || written == HELD_PER_PORT {
            others.entry(held::together(group)).or_default().push(group);
            continue;
        }
        let role = role(group.identity, group.key.direction, roles);
        commented(page, group, &Shape { role: &role, port }, &why);
        written += 1;
    }
    counts.commented += written;
    for others in others.into_values() {
        counts.grouped += others.len();
        overflow(page, &others);
    }
}
