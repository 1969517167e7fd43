//! One `[[port]]` with its record and its rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::peers::{Sets, gather, inline, is_nobody, written};
use super::process::{Demand, called, demand};
use super::roles::{Given, role};
use super::seen::{SeenEdge, SeenService};
use super::text::{BLANK, Page, clean, quoted};
use super::tls::advice;
use crate::catalog;
use crate::figures::counted;
use crate::inventory::Recognised;
use crate::ledger::Identity;
use crate::model::Direction;
use crate::privacy::is_pseudonym;

/// The keys of a record of processing: which letter of Art. 30(1) GDPR asks for it, and what belongs there.
const RECORD: [(&str, &str, &str); 10] = [
    (r#"purpose = """#, "(b)", "what the data is for: \"order fulfilment\""),
    (r#"basis = """#, "", "by Art. 6(1): \"contract\", \"consent\", …"),
    ("subjects = []", "(c)", "whose data it is: [\"customers\"]"),
    ("data = []", "(c)", "which: [\"identity\", \"contact\", \"payment\"]"),
    ("special_category = false", "", "true if data of Art. 9 (health, religion, …) is in it"),
    ("recipients = []", "(d)", "who gets it; [] says nobody"),
    ("transfers = []", "(e)", "third countries and safeguards; [] says none"),
    (r#"retention = """#, "(f)", "when it is erased: \"6 years\""),
    ("measures = []", "(g)", "[\"TLS between all hosts\", \"encrypted disks\"]"),
    (r#"owner = """#, "", "the team that is responsible for the service"),
];

/// What was written of a service.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub page: Page,
    pub rules: usize,
    /// What only its author can fill in.
    pub blanks: usize,
    /// Connections that no rule was written for.
    pub unproven: u64,
    /// Rules that were too many.
    pub omitted: usize,
}

/// What is known of one rule.
struct Rule<'s> {
    direction: Direction,
    identity: &'s Identity,
    demand: Demand,
    peers: BTreeSet<IpNet>,
    connections: u64,
    in_violation: bool,
    time: Option<(Timestamp, Timestamp)>,
}

/// Connections of a process that is not proven, or whose peer is not known.
#[derive(Default)]
struct Unproven {
    connections: u64,
    peers: BTreeSet<IpNet>,
}

/// Writes a service as a declaration with at most `room` rules. Without sets in short: every peer stands in its rule, and there
/// is nothing to fill in.
pub(super) fn block(service: &SeenService, name: &str, mut sets: Option<&mut Sets>, room: usize) -> Block {
    let mut block = Block::default();
    let (mut rules, unproven) = rules(service);
    block.omitted = rules.len().saturating_sub(room);
    rules.truncate(room);
    let compact = sets.is_none();
    let mut items = |nets: &mut dyn Iterator<Item = IpNet>| {
        let gathered = gather(nets);
        let items = match &mut sets {
            Some(sets) => sets.items(&gathered),
            None => inline(&gathered),
        };
        (items, gathered.notes)
    };
    head(&mut block, service, name, compact, &mut items);
    let mut roles = Given::default();
    for rule in &rules {
        let (peers, notes) = items(&mut rule.peers.iter().copied());
        let role = role(rule.identity, rule.direction, &mut roles);
        rule_lines(&mut block.page, rule, &role, &peers, &notes);
    }
    block.rules = rules.len();
    for ((direction, why), unproven) in &unproven {
        block.unproven += unproven.connections;
        let peers: Vec<_> = unproven.peers.iter().take(8).map(|net| written(*net)).collect();
        let more = if unproven.peers.len() > peers.len() { ", …" } else { "" };
        let (verb, side) = verb(*direction);
        block.page.blank();
        let whom =
            if peers.is_empty() { String::new() } else { format!(" {side} {}{more}", peers.join(", ")) };
        let connections = counted(unproven.connections, "connection");
        block.page.comment(&format!("No rule for {connections} {verb} here{whom}: {why}."));
    }
    if rules.is_empty() {
        example(&mut block.page, service);
    }
    block
}

fn verb(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::In => ("accepted", "from"),
        Direction::Out => ("made", "to"),
    }
}

/// Items of a list of peers, and what the author has to know of them.
type Items<'i> = dyn FnMut(&mut dyn Iterator<Item = IpNet>) -> (Vec<String>, Vec<String>) + 'i;

/// Everything of a declaration above its rules.
pub(super) fn head(
    block: &mut Block,
    service: &SeenService,
    name: &str,
    compact: bool,
    items: &mut Items<'_>,
) {
    let page = &mut block.page;
    let known = service.service.id.as_deref().and_then(catalog::by_id);
    let title = known.map_or_else(|| who(service), |known| known.name.to_owned());
    let place = if service.remote { "elsewhere, called from here" } else { "on this host" };
    page.title(&format!("{title}, port {}, {place}", service.port));
    if known.is_some() && service.service.by == [Recognised::Port] {
        page.comment(&format!(
            "Known by its port only. {} may be something else: then remove it.",
            if service.remote
                || (service.holders.is_empty()
                    && service.edges.iter().all(|edge| edge.direction == Direction::Out))
            {
                "It".to_owned()
            } else {
                format!("What listens is {}, and it", who(service))
            }
        ));
    }
    if let Some(why) = service.service.why.as_deref().filter(|_| known.is_some()) {
        page.comment(&clean(why));
    }
    if let Some(claim) = service.claim.as_deref() {
        page.comment(&format!("Look at who this is: {}.", clean(claim)));
    }
    page.line("[[port]]");
    page.line(&format!("name = {}", quoted(name)));
    page.line(&format!("port = {}", service.port));
    if service.remote {
        let mut nets = service.edges.iter().filter_map(|edge| edge.peer);
        let (items, notes) = items(&mut nets);
        notes.iter().for_each(|note| page.comment(note));
        page.list("service", &items);
    } else {
        block.blanks += listen(page, service);
    }
    if let Some(known) = known {
        page.line(&format!("protocol = {}", quoted(known.id)));
    }
    let within = |edge: &SeenEdge| edge.peer.is_none_or(|peer| peer.addr().to_canonical().is_loopback());
    if compact {
        page.blank();
        return page.key("[port.record]", &format!("{BLANK} and its keys: gdprport-policy(5) lists them"));
    }
    let advice = advice(service, !service.edges.is_empty() && service.edges.iter().all(within));
    if advice.demanded {
        page.key(advice.assignment, &advice.why);
    } else {
        page.comment(&advice.why);
        page.line(&format!("# {}", advice.assignment));
        block.blanks += 1;
    }
    page.blank();
    page.line("[port.record]");
    for (key, letter, remark) in RECORD {
        let letter = if letter.is_empty() { String::new() } else { format!("{letter} ") };
        page.key(&format!("# {key}"), &format!("{BLANK} {letter}{remark}"));
    }
    block.blanks += RECORD.len();
}

/// Who holds the service, or calls it.
pub(super) fn who(service: &SeenService) -> String {
    // Who called a service of this host is not who serves it.
    let ends = service.edges.iter().filter(|edge| service.remote || edge.direction == Direction::In);
    let holders = service.holders.iter().chain(ends.map(|edge| &*edge.identity));
    let named = holders.map(called).find(|called| !called.ends_with("not known"));
    named.unwrap_or_else(|| "a process that is not known".to_owned())
}

/// Where it may be bound; how many blanks that leaves.
fn listen(page: &mut Page, service: &SeenService) -> usize {
    if service.bound.is_empty() {
        page.key(r#"# listen = ["any"]"#, &format!("{BLANK} no listener was seen"));
        return 1;
    }
    if service.bound.iter().any(IpAddr::is_unspecified) {
        let place = if service.in_own_netns { "every address" } else { "every address of a container" };
        page.key(r#"listen = ["any"]"#, &format!("bound to {place}: name those that are meant"));
        return 0;
    }
    let gathered = gather(service.bound.iter().map(|ip| IpNet::from(*ip)));
    gathered.notes.iter().for_each(|note| page.comment(note));
    page.list("listen", &inline(&gathered));
    0
}

/// The rules, those with the most connections first, and what none was written for.
fn rules(service: &SeenService) -> (Vec<Rule<'_>>, BTreeMap<(Direction, &'static str), Unproven>) {
    let mut demands: HashMap<&Identity, Result<Demand, &'static str>> = HashMap::new();
    let mut rules: BTreeMap<(Direction, String), Rule<'_>> = BTreeMap::new();
    let mut unproven: BTreeMap<(Direction, &'static str), Unproven> = BTreeMap::new();
    for edge in &service.edges {
        let asked = demands.entry(&*edge.identity).or_insert_with(|| demand(&edge.identity));
        let hidden = edge.peer.is_some_and(is_pseudonym);
        let peer = edge.peer.filter(|peer| !is_nobody(*peer) && !hidden);
        let (asked, peer) = match (asked, peer) {
            (Ok(asked), Some(peer)) => (asked, peer),
            (Ok(_), None) => {
                let why = if hidden {
                    "the ledger has only pseudonyms of their addresses"
                } else {
                    "the address is not known"
                };
                let none = unproven.entry((edge.direction, why)).or_default();
                none.connections = none.connections.saturating_add(edge.connections);
                continue;
            }
            (Err(why), peer) => {
                let none = unproven.entry((edge.direction, why)).or_default();
                none.connections = none.connections.saturating_add(edge.connections);
                none.peers.extend(peer);
                continue;
            }
        };
        let rule = rules.entry((edge.direction, asked.table.clone())).or_insert_with(|| Rule {
            direction: edge.direction,
            identity: &edge.identity,
            demand: asked.clone(),
            peers: BTreeSet::new(),
            connections: 0,
            in_violation: false,
            time: edge.time,
        });
        rule.peers.insert(peer);
        rule.connections = rule.connections.saturating_add(edge.connections);
        rule.in_violation |= edge.in_violation;
        rule.time = match (rule.time, edge.time) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (time, other) => time.or(other),
        };
    }
    let mut rules: Vec<_> = rules.into_values().collect();
    rules.sort_by_key(|rule| (rule.direction != Direction::In, std::cmp::Reverse(rule.connections)));
    (rules, unproven)
}

fn rule_lines(page: &mut Page, rule: &Rule<'_>, role: &str, peers: &[String], notes: &[String]) {
    let (verb, _) = verb(rule.direction);
    page.blank();
    let connections = match rule.connections {
        0 => "Connections that were open before,".to_owned(),
        connections => counted(connections, "connection"),
    };
    let mut said = format!("{connections} {verb} by {}", rule.demand.called);
    if let Some((first, last)) = rule.time {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let (first, last) = (day(first), day(last));
        said += &if first == last { format!(" on {first}") } else { format!(" from {first} to {last}") };
    }
    if rule.in_violation {
        said += "; not all were allowed by the policy in force";
    }
    page.comment(&format!("{said}."));
    notes.iter().chain(&rule.demand.notes).for_each(|note| page.comment(note));
    page.line("[[port.allow]]");
    page.line(&format!("role = {}", quoted(role)));
    page.line(&format!("direction = {}", quoted(rule.direction.as_str())));
    page.list("peers", peers);
    page.line(&format!("process = {}", rule.demand.table));
}

/// A rule to begin with, where nobody was connected.
fn example(page: &mut Page, service: &SeenService) {
    page.blank();
    page.comment("Nobody is declared yet, so every connection will be a violation. A rule to begin with:");
    let table = service.holders.iter().find_map(|holder| demand(holder).ok());
    let table = table.map_or_else(|| r#"{ unit = "app.service" }"#.to_owned(), |demand| demand.table);
    let (role, direction) = if service.remote { ("app", "out") } else { ("clients", "in") };
    for line in [
        "[[port.allow]]".to_owned(),
        format!("role = {}", quoted(role)),
        format!("direction = {}", quoted(direction)),
        r#"peers = ["10.0.2.0/24"]"#.to_owned(),
        format!("process = {table}"),
    ] {
        page.line(&format!("# {line}"));
    }
}
