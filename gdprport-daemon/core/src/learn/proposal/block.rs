//! A rule as text: what it rests on, why it is a comment if it is one, and its lines.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;

use super::super::peers::written;
use super::super::process::called;
use super::super::text::{BLANK, Page, clean, quoted};
use super::group::{Group, Standing};
use super::held;
use super::listed::listed;
use crate::figures::counted;
use crate::ledger::Identity;
use crate::model::Direction;

/// How many numbers of rows a comment names.
const ROWS: usize = 6;

/// How many networks a comment names that no rule should.
const NAMED: usize = 8;

/// How a rule is written.
pub(super) struct Shape<'s> {
    pub role: &'s str,
    /// The declaration that a top-level `[[allow]]` names; `None`: it stands below its port.
    pub port: Option<&'s str>,
}

/// The rule of a group, in force.
pub(super) fn rule(page: &mut Page, group: &Group<'_>, shape: &Shape<'_>) {
    let listed = listed(&group.peers);
    page.blank();
    support(page, group);
    if group.key.standing == Standing::Violation || !group.reasons.is_empty() {
        page.comment(&held::was(group));
    }
    listed.notes.iter().for_each(|note| page.comment(note));
    notes(page, group);
    lines(page, group, shape, &listed.nets);
}

/// The rule of a group as a comment, with why.
pub(super) fn commented(page: &mut Page, group: &Group<'_>, shape: &Shape<'_>, why: &[String]) {
    let mut inner = Page::default();
    page.blank();
    page.comment("Not allowed, somebody has to decide:");
    support(page, group);
    why.iter().filter(|why| !why.is_empty()).for_each(|why| page.comment(&clean(why)));
    let nets = if group.key.place.is_ok() {
        let listed = listed(&group.peers);
        listed.notes.iter().for_each(|note| page.comment(note));
        listed.nets
    } else {
        networks(page, group);
        Vec::new()
    };
    notes(page, group);
    page.line(&held::mark(&held::id(group)));
    lines(&mut inner, group, shape, &nets);
    page.commented(&inner);
}

/// What an existing rule lacks to allow a group, as a comment beside it.
pub(super) fn beside(page: &mut Page, group: &Group<'_>, why: &[String]) {
    let listed = listed(&group.peers);
    page.comment("The rule below does not allow this, and somebody has to decide:");
    support(page, group);
    why.iter().filter(|why| !why.is_empty()).for_each(|why| page.comment(&clean(why)));
    listed.notes.iter().for_each(|note| page.comment(note));
    page.line(&held::mark(&held::id(group)));
    let items: Vec<_> = listed.nets.iter().map(|net| quoted(&written(*net))).collect();
    page.comment(&format!("To allow it, add to its peers: {}", items.join(", ")));
}

/// Groups that were too many, in one comment that is known again.
pub(super) fn overflow(page: &mut Page, groups: &[&Group<'_>]) {
    let connections = groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.support.connections));
    let shown: Vec<_> = groups.iter().take(NAMED).map(|group| name(group)).collect();
    let more = groups.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    page.blank();
    page.comment(&format!(
        "{} more with {}, too many to be read at once: {}{more}. Remove the next line and merge this file again to have the next \
         of them.",
        counted(groups.len() as u64, "group"),
        counted(connections, "connection"),
        shown.join(", ")
    ));
    let ids: BTreeSet<String> = groups.iter().map(|group| held::id(group)).collect();
    page.line(&held::mark(&held::id_of_all(&ids)));
}

fn name(group: &Group<'_>) -> String {
    let whom = match group.peers.len() {
        1 => group.peers.keys().map(|net| written(*net)).collect(),
        many => counted(many as u64, "peer"),
    };
    format!("{} {} {whom}", clean(&called(group.identity)), verb(group.key.direction).1)
}

const fn verb(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::In => ("accepted", "from"),
        Direction::Out => ("made", "to"),
    }
}

/// How often, by whom, when, on how many days, and by which rows.
fn support(page: &mut Page, group: &Group<'_>) {
    let support = &group.support;
    let (verb, _) = verb(group.key.direction);
    let connections = match support.connections {
        0 => "Connections that were open before,".to_owned(),
        connections if connections == support.failed => {
            format!("{}, none of which succeeded,", counted(connections, "attempt"))
        }
        connections => counted(connections, "connection"),
    };
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let (first, last) = (day(support.first), day(support.last));
    let when = if first == last { format!("on {first}") } else { format!("from {first} to {last}") };
    let days = match support.days.len() as u64 {
        1 if first == last => String::new(),
        days => format!(", on {}", counted(days, "day")),
    };
    let rows: Vec<_> = support.rows.iter().take(ROWS).map(ToString::to_string).collect();
    let more = support.rows.len().saturating_sub(rows.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let word = if support.rows.len() == 1 { "row" } else { "rows" };
    page.comment(&format!(
        "{connections} {verb} by {} {when}{days} ({word} {}{more}).",
        called(group.identity),
        rows.join(", ")
    ));
}

fn notes(page: &mut Page, group: &Group<'_>) {
    let Some(demand) = &group.demand else { return };
    demand.notes.iter().for_each(|note| page.comment(note));
    if demand.notes.iter().any(|note| note.contains("`*`")) {
        let workload = |identity: &&Identity| identity.container.as_ref()?.workload.clone();
        let seen = group.alike.iter().filter_map(workload).collect::<BTreeSet<_>>().len() as u64;
        page.comment(&format!(
            "It was seen with {}; how many more the wildcard would allow has no bound.",
            counted(seen, "run")
        ));
    }
}

/// Networks that no rule should name.
fn networks(page: &mut Page, group: &Group<'_>) {
    let whole = |net: &&IpNet| net.prefix_len() < net.max_prefix_len();
    let nets: Vec<_> = group.peers.keys().filter(whole).take(NAMED).map(ToString::to_string).collect();
    if !nets.is_empty() {
        page.comment(&format!("Among them: {}.", nets.join(", ")));
    }
}

fn lines(page: &mut Page, group: &Group<'_>, shape: &Shape<'_>, nets: &[IpNet]) {
    match shape.port {
        Some(port) => {
            page.line("[[allow]]");
            page.line(&format!("port = {}", quoted(port)));
        }
        None => page.line("[[port.allow]]"),
    }
    page.line(&format!("role = {}", quoted(shape.role)));
    page.line(&format!("direction = {}", quoted(group.key.direction.as_str())));
    if nets.is_empty() {
        page.key("peers = []", &format!("{BLANK} whom: an empty list is refused"));
    } else {
        let items: Vec<_> = nets.iter().map(|net| quoted(&written(*net))).collect();
        page.list("peers", &items);
    }
    match &group.key.who {
        Ok(table) => page.line(&format!("process = {table}")),
        Err(_) => page.key("process = {}", &format!("{BLANK} who: an empty table is refused")),
    }
}
