//! Tables of a policy as text: what proposals write.
//!
//! Belongs here: rendering declarations. What is proposed is each check's.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::draft::Draft;
use super::finding::Edit;
use super::wording;
use crate::ledger::Identity;
use crate::policy::{
    DeclaredPeer, DeclaredPort, DeclaredRule, DeclaredSite, Emit, Exception, ProcessingRecord, TlsDemand,
    exactly,
};

/// A text as TOML writes it.
pub(super) fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

/// Texts as a list.
pub(super) fn list<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", values.join(", "))
}

/// Peers as a list.
pub(super) fn peers(peers: &[DeclaredPeer]) -> String {
    list(peers.iter().map(ToString::to_string))
}

/// The keys of a `[[port]]`, without the tables below it.
pub(super) fn port(port: &DeclaredPort) -> String {
    let mut table = format!("[[port]]\nname = {}\nport = {}\n", text(&port.name), numbers(&port.numbers));
    match &port.site {
        DeclaredSite::Local(None) => {}
        DeclaredSite::Local(Some(listen)) => line(&mut table, "listen", &peers(listen)),
        DeclaredSite::Remote(service) => line(&mut table, "service", &peers(service)),
    }
    if let Some(protocol) = port.protocol {
        line(&mut table, "protocol", &text(protocol.id));
    }
    match &port.tls {
        TlsDemand::None => {}
        demand => line(&mut table, "tls", &tls(demand)),
    }
    if !port.enforcement.mode.is_observe() {
        line(&mut table, "mode", &text(port.enforcement.mode.as_str()));
    }
    match port.emit {
        Emit::Auto { most: Emit::AUTO_MOST } => {}
        Emit::Auto { most } => line(&mut table, "emit", &format!("{{ auto = {most} }}")),
        Emit::Every => line(&mut table, "emit", "\"every\""),
        Emit::Violations => line(&mut table, "emit", "\"violations\""),
        Emit::Summary { every } => {
            line(
                &mut table,
                "emit",
                &format!(
                    "{{ summary = {} }}",
                    text(&humantime::format_duration(every).to_string().replace(' ', ""))
                ),
            );
        }
    }
    table
}

/// The value of `tls`.
fn tls(demand: &TlsDemand) -> String {
    match demand {
        TlsDemand::None => String::new(),
        TlsDemand::NotRequired { why } => format!("{{ required = false, why = {} }}", text(why)),
        TlsDemand::AtLeast(version) => {
            let version = version.name().trim_start_matches("TLS ");
            format!("{{ min = {} }}", text(version))
        }
    }
}

fn numbers(ranges: &[RangeInclusive<u16>]) -> String {
    let one = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("\"{first}-{last}\""),
    };
    match ranges {
        [range] => one(range),
        ranges => format!("[{}]", ranges.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

/// A rule of the port `port`; with its name where the rule is written as a top-level `[[allow]]`.
pub(super) fn rule(port: &DeclaredPort, rule: &DeclaredRule) -> String {
    let mut table = if rule.top_level {
        format!("[[allow]]\nport = {}\n", text(&port.name))
    } else {
        "[[port.allow]]\n".to_owned()
    };
    line(&mut table, "role", &text(&rule.role));
    line(&mut table, "direction", &text(rule.direction.as_str()));
    line(&mut table, "peers", &peers(&rule.peers));
    if !rule.process.is_empty() {
        line(&mut table, "process", &process(&rule.process));
    }
    if let Some(until) = rule.until {
        line(&mut table, "until", &moment(until));
    }
    if let Some(volume) = rule.volume {
        line(&mut table, "volume", &volume.written());
    }
    table
}

/// The value of `process`: labels of one key each are put together.
fn process(keys: &[(&'static str, Vec<String>)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    for (key, values) in keys {
        if *key == "label" {
            let pairs: Vec<_> = values.iter().filter_map(|value| value.split_once('=')).collect();
            let Some((label, _)) = pairs.first() else { continue };
            let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect();
            labels.push(format!("{} = {}", text(label), one_or_list(&values)));
        } else {
            parts.push(format!("{key} = {}", one_or_list(values)));
        }
    }
    if !labels.is_empty() {
        parts.push(format!("label = {{ {} }}", labels.join(", ")));
    }
    format!("{{ {} }}", parts.join(", "))
}

fn one_or_list<T: AsRef<str>>(values: &[T]) -> String {
    match values {
        [value] => text(value.as_ref()),
        values => list(values),
    }
}

/// The last moment of a day as the day, another one with its offset.
fn moment(at: Timestamp) -> String {
    let next = at.saturating_add(jiff::Span::new().nanoseconds(1)).unwrap_or(at);
    let day = wording::day(at);
    if wording::day(next) > day { day.to_string() } else { at.to_string() }
}

/// A record of processing with what is declared, and what is missing as comments: only the controller knows it.
pub(super) fn record(record: &ProcessingRecord, missing: &[(&'static str, &'static str)]) -> String {
    let mut table = "[port.record]\n".to_owned();
    let texts = [
        ("purpose", &record.purpose),
        ("basis", &record.basis),
        ("retention", &record.retention),
        ("owner", &record.owner),
        ("dpia", &record.dpia),
    ];
    let lists = [
        ("subjects", &record.subjects),
        ("data", &record.data),
        ("recipients", &record.recipients),
        ("transfers", &record.transfers),
        ("safeguards", &record.safeguards),
        ("measures", &record.measures),
        ("joint", &record.joint),
        ("on_behalf_of", &record.on_behalf_of),
        ("location", &record.location),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            line(&mut table, key, &text(value));
        }
    }
    if let Some(special) = record.special_category {
        line(&mut table, "special_category", if special { "true" } else { "false" });
    }
    for (key, values) in lists {
        if let Some(values) = values {
            line(&mut table, key, &list(values.iter()));
        }
    }
    for (key, what) in missing {
        writeln!(table, "# {key} = …  # {what}").expect("writing to a String cannot fail");
    }
    table
}

/// An exception with another end.
pub(super) fn exception(exception: &Exception, until: Date) -> String {
    let mut table = format!("[[exception]]\nfinding = {}\n", text(&exception.finding));
    if let Some(port) = &exception.port {
        let number = port.bytes().all(|byte| byte.is_ascii_digit());
        line(&mut table, "port", &if number { port.to_string() } else { text(port) });
    }
    if !exception.peers.is_empty() {
        line(&mut table, "peers", &peers(&exception.peers));
    }
    if !exception.process.is_empty() {
        line(&mut table, "process", &process(&exception.process));
    }
    line(&mut table, "why", &text(&exception.why));
    line(&mut table, "accepted_by", &text(&exception.accepted_by));
    line(&mut table, "until", &until.to_string());
    table
}

fn line(table: &mut String, key: &str, value: &str) {
    writeln!(table, "{key} = {value}").expect("writing to a String cannot fail");
}

/// What a rule can ask of these processes and what holds of each: executables, and units or containers. `None`: too little is
/// known of one of them.
pub(super) fn asked_of(identities: &[Arc<Identity>]) -> Option<Vec<(&'static str, Vec<String>)>> {
    let each = |of: fn(&Identity) -> Option<&str>| {
        let mut values = identities.iter().map(|identity| of(identity)).collect::<Option<Vec<_>>>()?;
        values.sort_unstable();
        values.dedup();
        Some(values.into_iter().map(|value| exactly(value).into_owned()).collect::<Vec<_>>())
    };
    let executables = each(|identity| identity.exe.as_deref())?;
    // A path that is no UTF-8 is matched by no pattern.
    if identities.is_empty() || executables.iter().any(|exe| !exe.starts_with('/')) {
        return None;
    }
    let mut keys = vec![("exe", executables)];
    let contained = identities.iter().filter(|identity| identity.container.is_some()).count();
    if contained == 0 {
        keys.extend(each(|identity| identity.unit.as_deref()).map(|units| ("unit", units)));
        return Some(keys);
    }
    // Names that a user states need that user's word, and whether to take it is not ours to propose.
    let stated = identities
        .iter()
        .all(|identity| identity.container.as_ref().is_some_and(|container| container.stated_by.is_none()));
    if contained == identities.len() && stated {
        let name = |identity: &Identity| -> Option<String> {
            identity.container.as_ref()?.name.as_deref().map(|name| exactly(name).into_owned())
        };
        let mut names = identities.iter().map(|identity| name(identity)).collect::<Option<Vec<_>>>()?;
        names.sort_unstable();
        names.dedup();
        keys.push(("container", names));
        return Some(keys);
    }
    None
}

/// Proposes a rule in the place of another. Where it is written inside another table only what to do is said: a complete table
/// would not fit there.
pub(super) fn replace_rule<'a>(
    draft: Draft<'a>,
    of: &DeclaredPort,
    written: &DeclaredRule,
    proposed: &DeclaredRule,
    what: &str,
) -> Draft<'a> {
    if written.place.column == 1 {
        draft.proposal(what, Edit::Replace, rule(of, proposed))
    } else {
        draft.advice(what)
    }
}

/// Proposes the keys of a port in the place of others, with the same reserve: tables that are written as values of a key
/// would be lost.
pub(super) fn replace_port<'a>(
    draft: Draft<'a>,
    written: &DeclaredPort,
    proposed: &DeclaredPort,
    what: &str,
) -> Draft<'a> {
    let rules = written.rules.iter().filter(|rule| !rule.top_level).map(|rule| &rule.place);
    if rules.chain(&written.record_place).chain([&written.place]).all(|place| place.column == 1) {
        draft.proposal(what, Edit::Replace, port(proposed))
    } else {
        draft.advice(what)
    }
}
