//! One declaration, before and now.

use std::sync::Arc;

use super::change::{Difference, Effect, What};
use super::{rule, words};
use crate::catalog;
use crate::policy::declared::{ProcessingRecord, TlsDemand};
use crate::policy::enforcement::{Enforcement, Mode};
use crate::policy::outline::{DeclaredPort, DeclaredSite, Outline};

/// Whether a number is watched under a policy.
fn is_watched(number: u16, policy: &Outline) -> bool {
    let declared = policy.ports.iter().flat_map(|port| &port.numbers).any(|range| range.contains(&number));
    declared || catalog::by_port(number).is_some()
}

/// A declaration that came in.
pub(super) fn came(port: &DeclaredPort, before: &Outline) -> Vec<Difference> {
    let numbers = words::numbers(&port.numbers);
    let was_watched = port.numbers.iter().cloned().flatten().any(|number| is_watched(number, before));
    let (effect, text) = match (was_watched, port.rules.is_empty()) {
        (false, _) => (Effect::AllowsLess, format!("port {numbers} is declared; it was not watched before")),
        (true, true) => {
            (Effect::SaysOtherwise, format!("port {numbers} is declared, and no rule allows anybody"))
        }
        (true, false) => (
            Effect::AllowsMore,
            format!("port {numbers} is declared; before every connection was a violation"),
        ),
    };
    // What nobody watched, nobody judged: a rule of it allows nothing that was a violation before.
    let of_rules = if was_watched { Effect::AllowsMore } else { Effect::SaysOtherwise };
    let mut found = vec![Difference::new(effect, What::Port, text)];
    found.extend(port.rules.iter().map(|one| rule::came(one, of_rules)));
    found.into_iter().map(|one| one.on(&port.name)).collect()
}

/// A declaration that went.
pub(super) fn went(port: &DeclaredPort, now: &Outline) -> Vec<Difference> {
    let numbers = words::numbers(&port.numbers);
    let unwatched = port.numbers.iter().cloned().flatten().any(|number| !is_watched(number, now));
    let (effect, text) = if unwatched {
        (
            Effect::AllowsMore,
            format!("port {numbers} is not declared any more, and not watched: nothing of it is seen"),
        )
    } else {
        (
            Effect::AllowsLess,
            format!("port {numbers} is not declared any more: every connection is a violation"),
        )
    };
    let mut found = vec![Difference::new(effect, What::Port, text)];
    if !unwatched {
        found.extend(port.rules.iter().map(|one| rule::went(one, None)));
    }
    found.into_iter().map(|one| one.on(&port.name)).collect()
}

/// What differs between two versions of a declaration.
pub(super) fn compared(old: &DeclaredPort, new: &DeclaredPort, policy: &Outline) -> Vec<Difference> {
    // All of it, so that no key of a port is forgotten here.
    let DeclaredPort {
        name,
        place: _,
        numbers: _,
        site: at,
        protocol,
        tls,
        emit,
        enforcement: done,
        record: said,
        record_place: _,
        rules,
    } = new;
    let mut found = Vec::new();
    if old.name != *name {
        let text = format!("{} is called {name}", old.name);
        found.push(Difference::new(Effect::SaysOtherwise, What::Name, text));
    }
    found.extend(numbers(old, new, policy));
    found.extend(encryption(&old.tls, tls));
    found.extend(enforcement(old.enforcement, *done));
    found.extend(site(&old.site, at));
    found.extend(rule::compared(&old.rules, rules));
    if old.emit != *emit {
        let text = format!("of its events are sent {}, before {}", words::emit(*emit), words::emit(old.emit));
        found.push(Difference::new(Effect::SaysOtherwise, What::Events, text));
    }
    let id = |protocol: Option<&catalog::Service>| protocol.map_or("none", |protocol| protocol.id);
    if id(old.protocol) != id(*protocol) {
        let text = format!("its protocol is {}, before {}", id(*protocol), id(old.protocol));
        found.push(Difference::new(Effect::SaysOtherwise, What::Protocol, text));
    }
    found.extend(record(old.record.as_deref(), said.as_deref()));
    found.into_iter().map(|one| one.on(&new.name)).collect()
}

fn numbers(old: &DeclaredPort, new: &DeclaredPort, policy: &Outline) -> Vec<Difference> {
    let all = |port: &DeclaredPort| {
        port.numbers.iter().cloned().flatten().collect::<std::collections::BTreeSet<u16>>()
    };
    let (before, now) = (all(old), all(new));
    let (came, went): (Vec<u16>, Vec<u16>) =
        (now.difference(&before).copied().collect(), before.difference(&now).copied().collect());
    let text = |numbers: &[u16]| words::list(&numbers.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut found = Vec::new();
    if !came.is_empty() {
        let text = format!("its rules allow port {} too", text(&came));
        found.push(Difference::new(Effect::AllowsMore, What::Port, text));
    }
    let (gone, unwatched): (Vec<u16>, Vec<u16>) =
        went.iter().partition(|number| is_watched(**number, policy));
    if !unwatched.is_empty() {
        let text = format!("port {} is not watched any more: nothing of it is seen", text(&unwatched));
        found.push(Difference::new(Effect::AllowsMore, What::Port, text));
    }
    if !gone.is_empty() {
        let text = format!("it does not have port {} any more", text(&gone));
        found.push(Difference::new(Effect::AllowsLess, What::Port, text));
    }
    found
}

/// What is demanded, from least to most.
const fn strictness(tls: &TlsDemand) -> u16 {
    match tls {
        TlsDemand::None | TlsDemand::NotRequired { .. } => 0,
        TlsDemand::AtLeast(version) => 1 + *version as u16,
    }
}

fn encryption(old: &TlsDemand, new: &TlsDemand) -> Option<Difference> {
    if old == new {
        return None;
    }
    let (effect, verb) = match strictness(new).cmp(&strictness(old)) {
        std::cmp::Ordering::Less => (Effect::AllowsMore, "lowered"),
        std::cmp::Ordering::Greater => (Effect::AllowsLess, "raised"),
        std::cmp::Ordering::Equal => (Effect::SaysOtherwise, "stated otherwise"),
    };
    let text = format!(
        "the demand on the encryption is {verb}: {}, before {}",
        words::demand(new),
        words::demand(old)
    );
    Some(Difference::new(effect, What::Encryption, text))
}

/// What is let through changes where the kernel denies, before or now; elsewhere nothing does.
fn enforcement(old: Enforcement, new: Enforcement) -> Vec<Difference> {
    // All of it, so that no key is forgotten here.
    let Enforcement { mode, on_unknown, existing, posture, listener, on_daemon_loss } = new;
    let denies = (old.mode == Mode::Enforce, mode == Mode::Enforce);
    let mut found = Vec::new();
    let mut compare = |key: &str, order: std::cmp::Ordering, now: &str, before: &str, counts: bool| {
        let effect = match order {
            std::cmp::Ordering::Equal => return,
            _ if !counts => Effect::SaysOtherwise,
            std::cmp::Ordering::Less => Effect::AllowsMore,
            std::cmp::Ordering::Greater => Effect::AllowsLess,
        };
        let text = format!("{key} is \"{now}\", before \"{before}\"");
        found.push(Difference::new(effect, What::Enforcement, text));
    };
    let both = denies == (true, true);
    let one = denies.0 || denies.1;
    compare("mode", mode.cmp(&old.mode), mode.as_str(), old.mode.as_str(), one);
    let was = old.on_unknown;
    compare("on_unknown", on_unknown.cmp(&was), on_unknown.as_str(), was.as_str(), both);
    compare("existing", existing.cmp(&old.existing), existing.as_str(), old.existing.as_str(), both);
    compare("posture", posture.cmp(&old.posture), posture.as_str(), old.posture.as_str(), both);
    compare("listener", listener.cmp(&old.listener), listener.as_str(), old.listener.as_str(), both);
    let was = old.on_daemon_loss;
    compare("on_daemon_loss", on_daemon_loss.cmp(&was), on_daemon_loss.as_str(), was.as_str(), both);
    found
}

fn site(old: &DeclaredSite, new: &DeclaredSite) -> Vec<Difference> {
    let one = |effect, text: String| vec![Difference::new(effect, What::Place, text)];
    match (old, new) {
        (DeclaredSite::Local(old), DeclaredSite::Local(new)) => match (old, new) {
            (None, None) => Vec::new(),
            (Some(old), None) => {
                one(Effect::AllowsMore, format!("it may be bound anywhere; before to {}", words::peers(old)))
            }
            (None, Some(new)) => one(
                Effect::AllowsLess,
                format!("it may be bound to {} only; before anywhere", words::peers(new)),
            ),
            (Some(old), Some(new)) => {
                rule::peers(old, new, What::Place, "the addresses where it may be bound")
            }
        },
        (DeclaredSite::Local(_), DeclaredSite::Remote(at)) => one(
            Effect::AllowsLess,
            format!("it is served elsewhere ({}), and no longer here", words::peers(at)),
        ),
        (DeclaredSite::Remote(at), DeclaredSite::Local(_)) => {
            one(Effect::AllowsMore, format!("it is served here; before elsewhere ({})", words::peers(at)))
        }
        (DeclaredSite::Remote(old), DeclaredSite::Remote(new)) if old != new => one(
            Effect::SaysOtherwise,
            format!("the service is at {}, before at {}", words::peers(new), words::peers(old)),
        ),
        (DeclaredSite::Remote(_), DeclaredSite::Remote(_)) => Vec::new(),
    }
}

/// A list of a record.
type List = Option<Box<[Arc<str>]>>;

/// The keys of a record with their values, as text; `None`: not declared.
fn entries(record: Option<&ProcessingRecord>) -> [(&'static str, Option<String>); 15] {
    let text = |of: fn(&ProcessingRecord) -> &Option<Arc<str>>| {
        record.and_then(|record| of(record).as_ref()).map(ToString::to_string)
    };
    let list = |of: fn(&ProcessingRecord) -> &List| {
        let list = record.and_then(|record| of(record).as_ref())?;
        Some(if list.is_empty() { "none".to_owned() } else { words::list(list) })
    };
    [
        ("purpose", text(|record| &record.purpose)),
        ("basis", text(|record| &record.basis)),
        ("subjects", list(|record| &record.subjects)),
        ("data", list(|record| &record.data)),
        (
            "special_category",
            record.and_then(|record| record.special_category).map(|special| special.to_string()),
        ),
        ("recipients", list(|record| &record.recipients)),
        ("transfers", list(|record| &record.transfers)),
        ("retention", text(|record| &record.retention)),
        ("measures", list(|record| &record.measures)),
        ("safeguards", list(|record| &record.safeguards)),
        ("owner", text(|record| &record.owner)),
        ("joint", list(|record| &record.joint)),
        ("on_behalf_of", list(|record| &record.on_behalf_of)),
        ("location", list(|record| &record.location)),
        ("dpia", text(|record| &record.dpia)),
    ]
}

fn record(old: Option<&ProcessingRecord>, new: Option<&ProcessingRecord>) -> Vec<Difference> {
    if old == new {
        return Vec::new();
    }
    let pairs = entries(old).into_iter().zip(entries(new)).filter(|((_, old), (_, new))| old != new);
    let mut found: Vec<_> = pairs
        .map(|((key, old), (_, new))| {
            let said = |value: Option<String>| value.unwrap_or_else(|| "not declared".to_owned());
            let text = format!("the record's {key} is: {}; before: {}", said(new), said(old));
            Difference::new(Effect::SaysOtherwise, What::Record, text)
        })
        .collect();
    if found.is_empty() {
        let text = "the record of processing differs";
        found.push(Difference::new(Effect::SaysOtherwise, What::Record, text));
    }
    found
}
