//! What was reachable then, and what policies allowed.

use gdprport_core::incident::{Exposure, PolicyThen, Reachable};
use gdprport_core::policy::{DeclaredPort, TlsDemand};

use super::super::frameworks::allowed;
use super::super::record::activity::name;
use super::super::record::cells::day_time;
use super::super::record::page::{Cell, Column, Kind, Table};
use super::super::words::{Lang, fill};

fn observed(text: impl Into<String>) -> Cell {
    Cell::new(Kind::Observed, text)
}

pub(super) fn listeners(reachable: &[Reachable], lang: Lang) -> Table {
    let (words, own) = (lang.words(), lang.incident());
    let columns = vec![
        Column::new(Kind::Observed, own.address),
        Column::new(Kind::Observed, own.who_can),
        Column::new(Kind::Observed, own.held_by),
        Column::new(Kind::Observed, words.outcome),
        Column::new(Kind::Observed, own.listening),
    ];
    let row = |of: &Reachable| {
        let listener = &of.listener;
        let (who, tone) = match of.exposure {
            Exposure::Host => (words.zone_host, ""),
            Exposure::Private => (words.zone_private, ""),
            Exposure::Public => (words.zone_public, "open"),
            Exposure::Every => (own.every_address, "open"),
        };
        let (outcome, tone_of) = match listener.verdict.outcome() {
            "declared" => (words.outcome_declared, "good"),
            "violation" => (words.outcome_violation, "bad"),
            _ => (words.outcome_undecided, "open"),
        };
        let user = listener.identity.user.as_ref().map(|user| lang.named(words.user, user));
        let until = if listener.open { own.still_open.to_owned() } else { day_time(listener.last) };
        vec![
            observed(listener.local.to_string()),
            observed(who).tone(tone),
            Cell::lines(Kind::Observed, [name(&listener.identity, words)].into_iter().chain(user).collect()),
            observed(outcome).tone(tone_of),
            observed(format!("{} – {until}", day_time(listener.first))),
        ]
    };
    Table { caption: own.reachable, columns, rows: reachable.iter().map(row).collect() }
}

pub(super) fn rules(policies: &[PolicyThen], lang: Lang) -> Table {
    let own = lang.incident();
    let columns = vec![
        Column::new(Kind::Declared, own.policy),
        Column::new(Kind::Declared, own.in_force),
        Column::new(Kind::Declared, own.allows),
        Column::new(Kind::Declared, own.demanded),
    ];
    Table { caption: own.rules_then, columns, rows: policies.iter().map(|of| policy(of, lang)).collect() }
}

fn policy(of: &PolicyThen, lang: Lang) -> Vec<Cell> {
    let (words, own) = (lang.words(), lang.incident());
    let digest = of.digest.as_deref().map_or("–", |digest| digest.get(..19).unwrap_or(digest));
    let until = of.to.map_or_else(|| "…".to_owned(), day_time);
    let not = |text: &str| Cell::new(Kind::NotDeclared, text);
    let (allows, demands) = match (&of.declares, of.digest.is_some()) {
        (None, _) => (not(own.text_unknown), not("–")),
        (Some(_), false) => (not(own.no_policy_then), not("–")),
        (Some(ports), true) if ports.is_empty() => (not(own.nothing_declared), not("–")),
        (Some(ports), true) => {
            let rules: Vec<String> = ports.iter().flat_map(|port| port.rules.iter().map(allowed)).collect();
            let rules =
                if rules.is_empty() { not(words.declared_none) } else { Cell::lines(Kind::Declared, rules) };
            let demands = ports.iter().map(|port| demand(port, lang)).collect();
            (rules, Cell::lines(Kind::Declared, demands))
        }
    };
    let in_force = format!("{} – {until}", day_time(of.from));
    vec![Cell::new(Kind::Declared, digest), Cell::new(Kind::Declared, in_force), allows, demands]
}

fn demand(port: &DeclaredPort, lang: Lang) -> String {
    let words = lang.words();
    match &port.tls {
        TlsDemand::None => words.not_declared.to_owned(),
        TlsDemand::NotRequired { why } => fill(words.tls_not_required, &[why]),
        TlsDemand::AtLeast(version) => fill(words.at_least, &[version.name()]),
    }
}
