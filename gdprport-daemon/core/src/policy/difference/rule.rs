//! The rules of a port, before and now.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::addresses::Addresses;
use super::change::{Difference, Effect, What};
use super::{process, words};
use crate::policy::outline::{DeclaredPeer, DeclaredRule};
use crate::policy::volume::VolumeLimit;

/// What differs between the rules of a port.
pub(super) fn compared(before: &[DeclaredRule], now: &[DeclaredRule]) -> Vec<Difference> {
    let by_role = |rules: &'_ [DeclaredRule]| -> BTreeMap<Arc<str>, usize> {
        rules.iter().enumerate().map(|(place, rule)| (Arc::clone(&rule.role), place)).collect()
    };
    let (old, new) = (by_role(before), by_role(now));
    let mut found = Vec::new();
    let mut renamed = Vec::new();
    for rule in before.iter().filter(|rule| !new.contains_key(&rule.role)) {
        let same = |other: &&DeclaredRule| {
            !old.contains_key(&other.role) && !renamed.contains(&other.role) && is_same(rule, other)
        };
        if let Some(other) = now.iter().find(same) {
            renamed.push(Arc::clone(&other.role));
            let text = format!("rule {} is called {}", rule.role, other.role);
            found.push(Difference::new(Effect::SaysOtherwise, What::Name, text).by(&other.role));
        } else {
            found.push(went(rule, covering(rule, now)));
        }
    }
    for rule in now.iter().filter(|rule| !old.contains_key(&rule.role) && !renamed.contains(&rule.role)) {
        found.push(match covering(rule, before) {
            None => came(rule, Effect::AllowsMore),
            Some(other) => {
                let text = format!(
                    "rule {} came in, and what it allows rule {} allowed before",
                    rule.role, other.role
                );
                Difference::new(Effect::SaysOtherwise, What::Rule, text).by(&rule.role)
            }
        });
    }
    for rule in now {
        if let Some(place) = old.get(&rule.role) {
            found.extend(of_one(&before[*place], rule).into_iter().map(|one| one.by(&rule.role)));
        }
    }
    let common = |rules: &'_ [DeclaredRule], other: &BTreeMap<Arc<str>, usize>| -> Vec<Arc<str>> {
        let roles = rules.iter().map(|rule| &rule.role).filter(|role| other.contains_key(*role));
        roles.map(Arc::clone).collect()
    };
    if common(before, &new) != common(now, &old) {
        let text = "the rules stand in another order, so that events may name another one";
        found.push(Difference::new(Effect::SaysOtherwise, What::Order, text));
    }
    found
}

/// A rule that came in.
pub(super) fn came(rule: &DeclaredRule, effect: Effect) -> Difference {
    let text = format!("rule {} came in and allows {}", rule.role, words::allows(rule));
    Difference::new(effect, What::Rule, text).by(&rule.role).counting(Addresses::of(&rule.peers).count())
}

/// A rule that certainly allows all that this one does. Patterns are not compared: there may be one where none is found.
fn covering<'r>(rule: &DeclaredRule, rules: &'r [DeclaredRule]) -> Option<&'r DeclaredRule> {
    let is_certain = !rule.peers.iter().any(|peer| matches!(peer, DeclaredPeer::Host(_)));
    let lasts = |other: &DeclaredRule| match (other.until, rule.until) {
        (None, _) => true,
        (Some(end), needed) => needed.is_some_and(|needed| needed <= end),
    };
    let addresses = Addresses::of(&rule.peers);
    rules.iter().find(|other| {
        is_certain
            && other.direction == rule.direction
            && (other.process.is_empty() || other.process == rule.process)
            && lasts(other)
            // What one moves is counted apart from what the other does.
            && (other.volume.is_none() || other.volume == rule.volume)
            && addresses.without(&Addresses::of(&other.peers)).is_empty()
    })
}

/// A rule that went; `still`: one that allows the same.
pub(super) fn went(rule: &DeclaredRule, still: Option<&DeclaredRule>) -> Difference {
    if let Some(other) = still {
        let text = format!("rule {} went, and what it allowed rule {} allows", rule.role, other.role);
        return Difference::new(Effect::SaysOtherwise, What::Rule, text).by(&rule.role);
    }
    let text = format!("rule {} went, which allowed {}", rule.role, words::allows(rule));
    Difference::new(Effect::AllowsLess, What::Rule, text)
        .by(&rule.role)
        .counting(Addresses::of(&rule.peers).count())
}

/// Whether two rules allow the same, whatever they are called and wherever they stand.
pub(super) fn is_same(one: &DeclaredRule, other: &DeclaredRule) -> bool {
    one.direction == other.direction
        && one.peers == other.peers
        && one.process == other.process
        && one.until == other.until
        && one.volume == other.volume
}

fn of_one(before: &DeclaredRule, now: &DeclaredRule) -> Vec<Difference> {
    // All of it, so that no key of a rule is forgotten here.
    let DeclaredRule {
        role: _,
        place: _,
        top_level: _,
        direction,
        peers: whom,
        process: asked,
        until: end,
        volume: moves,
    } = now;
    let mut found = Vec::new();
    if before.direction != *direction {
        // Other flows are allowed, and those that were are not any more.
        let text = format!("the direction is {direction} instead of {}", before.direction);
        found.push(Difference::new(Effect::AllowsMore, What::Direction, text));
    }
    found.extend(peers(&before.peers, whom, What::Peers, "peers"));
    let asked = process::compared(&before.process, asked);
    found.extend(asked.into_iter().map(|(effect, text)| Difference::new(effect, What::Process, text)));
    found.extend(until(before.until, *end));
    found.extend(volume(before.volume, *moves));
    found
}

fn volume(before: Option<VolumeLimit>, now: Option<VolumeLimit>) -> Option<Difference> {
    let (effect, text) = match (before, now) {
        (before, now) if before == now => return None,
        (None, None) => return None,
        (Some(old), None) => {
            (Effect::AllowsMore, format!("its volume is not limited any more; it was {old}"))
        }
        (None, Some(new)) => (Effect::AllowsLess, format!("its volume is limited to {new}")),
        (Some(old), Some(new)) => {
            // As much in less time allows more in all, and in a row.
            let less = new.max <= old.max && new.per >= old.per;
            let effect = if less { Effect::AllowsLess } else { Effect::AllowsMore };
            (effect, format!("its volume is limited to {new} instead of {old}"))
        }
    };
    Some(Difference::new(effect, What::Volume, text))
}

fn until(before: Option<Timestamp>, now: Option<Timestamp>) -> Option<Difference> {
    let (effect, text) = match (before, now) {
        (before, now) if before == now => return None,
        (Some(old), None) => {
            (Effect::AllowsMore, format!("it has no end any more; it was valid until {}", words::moment(old)))
        }
        (Some(old), Some(new)) if new > old => (
            Effect::AllowsMore,
            format!("it is valid until {}, longer than {}", words::moment(new), words::moment(old)),
        ),
        (_, new) => {
            (Effect::AllowsLess, format!("it ends earlier, {}", new.map_or_else(String::new, words::moment)))
        }
    };
    Some(Difference::new(effect, What::Until, text))
}

/// What differs between two lists of peers, wider and narrower apart.
pub(super) fn peers(
    before: &[DeclaredPeer],
    now: &[DeclaredPeer],
    what: What,
    called: &str,
) -> Vec<Difference> {
    let not_in = |one: &'_ [DeclaredPeer], other: &[DeclaredPeer]| -> Vec<DeclaredPeer> {
        let other: HashSet<&DeclaredPeer> = other.iter().collect();
        one.iter().filter(|peer| !other.contains(peer)).cloned().collect()
    };
    let (came, went) = (not_in(now, before), not_in(before, now));
    if came.is_empty() && went.is_empty() {
        return Vec::new();
    }
    let (old, new) = (Addresses::of(before), Addresses::of(now));
    let (more, less) = (new.without(&old), old.without(&new));
    let has_host = |peers: &[DeclaredPeer]| peers.iter().any(|peer| matches!(peer, DeclaredPeer::Host(_)));
    let any = |peers: &[DeclaredPeer]| peers.contains(&DeclaredPeer::Any);
    let mut found = Vec::new();
    if !more.is_empty() || (has_host(&came) && !any(before)) {
        let text = format!("{called} are wider: {}{}", words::peers(&came), much(&more, "more"));
        found.push(Difference::new(Effect::AllowsMore, what, text).counting(more.count()));
    }
    if !less.is_empty() || (has_host(&went) && !any(now)) {
        let text = format!("{called} are narrower: {} went{}", words::peers(&went), much(&less, "less"));
        found.push(Difference::new(Effect::AllowsLess, what, text).counting(less.count()));
    }
    if found.is_empty() {
        let text = format!("{called} are written in another way and are the same addresses");
        found.push(Difference::new(Effect::SaysOtherwise, what, text));
    }
    found
}

fn much(addresses: &Addresses, how: &str) -> String {
    if addresses.is_empty() {
        return " (a host name: how many addresses it has is not known here)".to_owned();
    }
    format!(" ({} {how})", addresses.words())
}
