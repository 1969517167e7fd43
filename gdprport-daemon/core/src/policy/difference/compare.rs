//! Two policies as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Difference, Effect, What, sort};
use super::{port, rule, words};
use crate::policy::declared::Controller;
use crate::policy::outline::{DeclaredPort, Exception, Outline};

/// What `now` means that `before` does not, sorted by what matters: what allows more comes first. Empty: both mean the same,
/// however they are written.
#[must_use]
pub fn difference(before: &Outline, now: &Outline) -> Vec<Difference> {
    let mut found = ports(before, now);
    found.extend(exceptions(&before.exceptions, &now.exceptions));
    found.extend(controller(before.controller.as_ref(), now.controller.as_ref()));
    sort(&mut found);
    found
}

fn ports(before: &Outline, now: &Outline) -> Vec<Difference> {
    let by_name = |policy: &'_ Outline| -> BTreeMap<Arc<str>, usize> {
        policy.ports.iter().enumerate().map(|(place, port)| (Arc::clone(&port.name), place)).collect()
    };
    let (old, new) = (by_name(before), by_name(now));
    let mut found = Vec::new();
    let mut renamed = Vec::new();
    for port in &before.ports {
        if let Some(place) = new.get(&port.name) {
            found.extend(port::compared(port, &now.ports[*place], now));
            continue;
        }
        let same = |other: &&DeclaredPort| {
            !old.contains_key(&other.name) && !renamed.contains(&other.name) && is_renamed(port, other)
        };
        if let Some(other) = now.ports.iter().find(same) {
            renamed.push(Arc::clone(&other.name));
            found.extend(port::compared(port, other, now));
        } else {
            found.extend(port::went(port, now));
        }
    }
    for port in now.ports.iter().filter(|port| !old.contains_key(&port.name) && !renamed.contains(&port.name))
    {
        found.extend(port::came(port, before));
    }
    found
}

/// Whether it is the same port under another name: the same numbers, and rules that allow the same.
fn is_renamed(one: &DeclaredPort, other: &DeclaredPort) -> bool {
    one.numbers == other.numbers
        && one.site == other.site
        && one.rules.len() == other.rules.len()
        && one.rules.iter().zip(&other.rules).all(|(one, other)| rule::is_same(one, other))
}

/// What tells one exception from another.
fn key(exception: &Exception) -> impl Eq + use<'_> {
    (&exception.finding, &exception.port, &exception.peers, &exception.process)
}

fn exceptions(before: &[Exception], now: &[Exception]) -> Vec<Difference> {
    let mut left: Vec<&Exception> = before.iter().collect();
    let mut found = Vec::new();
    for exception in now {
        let Some(place) = left.iter().position(|old| key(old) == key(exception)) else {
            let text =
                format!("{} is accepted until {}: {}", accepted(exception), exception.until, by(exception));
            found.push(about(exception, Effect::AllowsMore, text));
            continue;
        };
        let old = left.remove(place);
        if exception.until != old.until {
            let longer = exception.until > old.until;
            let effect = if longer { Effect::AllowsMore } else { Effect::AllowsLess };
            let text = format!(
                "{} is accepted until {}, {} than {}",
                accepted(exception),
                exception.until,
                if longer { "longer" } else { "shorter" },
                old.until
            );
            found.push(about(exception, effect, text));
        }
        if (&exception.why, &exception.accepted_by) != (&old.why, &old.accepted_by) {
            let text = format!(
                "{} is accepted otherwise: {}; before: {}",
                accepted(exception),
                by(exception),
                by(old)
            );
            found.push(about(exception, Effect::SaysOtherwise, text));
        }
    }
    for exception in left {
        let text = format!("{} is not accepted any more", accepted(exception));
        found.push(about(exception, Effect::AllowsLess, text));
    }
    found
}

fn about(exception: &Exception, effect: Effect, text: String) -> Difference {
    let found = Difference::new(effect, What::Exception, text);
    match &exception.port {
        Some(port) => found.on(port),
        None => found,
    }
}

fn accepted(exception: &Exception) -> String {
    let mut text = exception.finding.to_string();
    if !exception.peers.is_empty() {
        text += &format!(" of {}", words::whom(&exception.peers));
    }
    if !exception.process.is_empty() {
        text += &format!(" by {}", words::process(&exception.process));
    }
    text
}

fn by(exception: &Exception) -> String {
    format!("\"{}\", by {}", exception.why, exception.accepted_by)
}

fn controller(old: Option<&Controller>, new: Option<&Controller>) -> Vec<Difference> {
    let list = |list: Option<&Box<[Arc<str>]>>| list.map(|list| words::list(list));
    let text = |text: Option<&Arc<str>>| text.map(ToString::to_string);
    let entries = |of: Option<&Controller>| {
        [
            ("name", text(of.map(|of| &of.name))),
            ("contact", text(of.and_then(|of| of.contact.as_ref()))),
            ("dpo", text(of.and_then(|of| of.dpo.as_ref()))),
            ("joint", list(of.and_then(|of| of.joint.as_ref()))),
            ("representative", text(of.and_then(|of| of.representative.as_ref()))),
            ("countries", text(of.and_then(|of| of.countries.as_ref()))),
            ("notify_within", of.and_then(|of| of.notify_within).map(words::length)),
        ]
    };
    let pairs = entries(old).into_iter().zip(entries(new)).filter(|((_, old), (_, new))| old != new);
    let said = |value: Option<String>| value.unwrap_or_else(|| "not declared".to_owned());
    pairs
        .map(|((key, old), (_, new))| {
            let text = format!("the controller's {key} is: {}; before: {}", said(new), said(old));
            Difference::new(Effect::SaysOtherwise, What::Controller, text)
        })
        .collect()
}
