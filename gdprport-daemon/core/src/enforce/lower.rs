//! The policy of the ports with a mode as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gdprport_common::{
    ENFORCE_CGROUP, ENFORCE_EXE, ENFORCE_GID, ENFORCE_PARTS, ENFORCE_UID, EnforceClassKey, EnforcePortKey,
};

use super::alike::Alike;
use super::fingerprint::Fingerprint;
use super::grown::Grown;
use super::guarded::guards;
use super::known::{Cgroup, Clock, Known, executable, group, user};
use super::parts::Part;
use super::peers::Peers;
use super::rules::{Buckets, Demands, Reach, Rows, keyed};
use super::tables::{Tables, TooLarge};
use crate::model::Direction;
use crate::policy::{ActivePolicy, CompiledRule, Pattern, Policy, PortClaim, ProcessKey};

/// Lowers the policy of the ports with a mode to the tables of a generation, which is not 0. The tables may grow with what
/// becomes known.
///
/// What the tables say is what [`ActivePolicy::evaluate`] says of the rules at that moment, with these host names: they are made
/// again when a name resolves to other addresses, when the clock is set, and when what is known of users changes.
///
/// # Errors
/// More than the kernel's tables have room for.
pub fn lower(
    active: &ActivePolicy,
    known: &Known,
    clock: Clock,
    fingerprint: Fingerprint,
    generation: u32,
) -> Result<(Tables, Grown), TooLarge> {
    let policy = active.policy();
    let mut numbers: BTreeMap<u16, &[PortClaim]> = BTreeMap::new();
    for info in policy.watched().filter(|info| !info.enforcement.mode.is_observe()) {
        numbers.entry(info.number).or_insert_with(|| policy.claims(info.number));
    }
    let mut tables = Tables::default();
    let mut declarations: Vec<usize> = numbers
        .values()
        .flat_map(|claims| claims.iter())
        .filter(|claim| !claim.info.enforcement.mode.is_observe())
        .filter_map(|claim| claim.declaration)
        .collect();
    declarations.sort_unstable();
    declarations.dedup();
    let guarded: BTreeSet<usize> = numbers.values().filter_map(|claims| guards(claims)).collect();
    let rules = || {
        declarations
            .iter()
            .flat_map(|number| policy.declarations[*number].rules.iter().map(move |rule| (*number, rule)))
    };

    let mut parts: [Part; ENFORCE_PARTS] = std::array::from_fn(Part::new);
    let demands: Vec<Demands> = rules().map(|(_, rule)| demands(&mut parts, rule)).collect();
    list_values(&mut parts, known, fingerprint)?;
    let mut buckets = Buckets::new(&parts, Alike::new(rules()));
    let mut rows = Rows::new();
    for ((declaration, rule), demands) in rules().zip(demands) {
        let is_unresolved = |item: &u32| {
            let hosts = &policy.peers.items[*item as usize].hosts;
            hosts.iter().any(|name| !active.names().is_resolved(name))
        };
        let anywhere = known.translates || rule.peers.iter().any(is_unresolved);
        let listens = rule.direction == Direction::In && guarded.contains(&declaration);
        let besides = [(anywhere, (Reach::Anywhere, false)), (listens, (Reach::Nobody, true))];
        let besides = besides.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reach)| reach);
        buckets.add((declaration, rule), demands, besides, clock, &mut rows)?;
    }
    let mut peers = Peers::new(active, &buckets, generation, known.translates);
    for (number, claims) in numbers {
        let key = EnforcePortKey { generation, number: number.into() };
        tables.ports.push((key, peers.port(number, claims)?));
    }
    (tables.peers, tables.steps) = (peers.peers, peers.steps);
    for (part, values) in (0..).zip(&parts) {
        let rows = values.values.iter();
        tables
            .classes
            .extend(rows.map(|(value, class)| (EnforceClassKey { generation, part, value: *value }, *class)));
    }
    tables.rules = keyed(generation, rows);
    Ok((tables, Grown { generation, fingerprint, parts, buckets }))
}

/// Values as a host may have them where a policy applies: one for each user, group and unit that its rules name. By these it is
/// known how much room its tables will take, before the host is known.
#[must_use]
pub fn expected(policy: &Policy) -> Known {
    let rules = policy.declarations.iter().flat_map(|declared| &declared.rules);
    let specs: Vec<_> = rules.filter_map(|rule| rule.process.as_deref()).collect();
    let named = |key: ProcessKey| {
        let patterns = specs.iter().flat_map(move |spec| spec.patterns(key));
        let texts = patterns.filter_map(|pattern| match pattern {
            Pattern::Text(text) => Some(Arc::clone(text)),
            Pattern::Number(_) | Pattern::Glob(_) | Pattern::Image(_) => None,
        });
        texts.collect::<BTreeSet<_>>()
    };
    let accounts = |key| (0..).zip(named(key)).map(|(id, name)| (u32::MAX - 1 - id, Some(name))).collect();
    let cgroup = |(id, unit): (u64, Arc<str>)| Cgroup {
        id: u64::MAX - id,
        path: Some(format!("/system.slice/{unit}").into()),
        unit: Some(unit),
        container: None,
        container_unproven: false,
    };
    Known {
        users: accounts(ProcessKey::User),
        groups: accounts(ProcessKey::Group),
        cgroups: (0..).zip(named(ProcessKey::Unit)).map(cgroup).collect(),
        ..Known::default()
    }
}

/// What a rule asks of each part.
fn demands(parts: &mut [Part; ENFORCE_PARTS], rule: &CompiledRule) -> Demands {
    let spec = rule.process.as_deref();
    let mut demands = [None; ENFORCE_PARTS];
    for (demand, part) in demands.iter_mut().zip(parts) {
        *demand = spec.and_then(|spec| part.demand(spec));
    }
    demands
}

/// Gives every value that rules name, or that is known, its class.
fn list_values(
    parts: &mut [Part; ENFORCE_PARTS],
    known: &Known,
    fingerprint: Fingerprint,
) -> Result<(), TooLarge> {
    parts.iter_mut().for_each(Part::begin);
    let mut executables: Vec<Arc<str>> =
        parts[ENFORCE_EXE].named_values().chain(&known.executables).cloned().collect();
    executables.sort_unstable();
    executables.dedup();
    for path in executables {
        let value = fingerprint.of(&path);
        parts[ENFORCE_EXE].list(value, &executable(path))?;
    }
    // Names of the numbers that rules name may be known or not.
    let all = |part: &Part, accounts: &[(u32, Option<Arc<str>>)]| {
        let mut all: BTreeMap<u32, Option<Option<Arc<str>>>> = part.numbers().map(|id| (id, None)).collect();
        all.insert(u32::MAX, None);
        all.extend(accounts.iter().map(|(id, name)| (*id, Some(name.clone()))));
        all
    };
    for (uid, name) in all(&parts[ENFORCE_UID], &known.users) {
        parts[ENFORCE_UID].list([uid.into(), 0], &user(uid, name))?;
    }
    for (gid, name) in all(&parts[ENFORCE_GID], &known.groups) {
        parts[ENFORCE_GID].list([gid.into(), 0], &group(gid, name))?;
    }
    for cgroup in &known.cgroups {
        parts[ENFORCE_CGROUP].list([cgroup.id, 0], &cgroup.member())?;
    }
    Ok(())
}
