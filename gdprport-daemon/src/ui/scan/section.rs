//! Sections: each a table with a title, the same for a terminal and for Markdown.

use std::collections::BTreeMap;

use gdprport_core::inventory::{Exposure, Listening};

use super::super::format::{counted, list, thousands, with_alias};
use super::super::table::{Cell, Column, tied_items};
use super::super::tone::Tone;
use super::report::Report;
use super::words;

/// How much of a long list is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Peers of one listener.
    pub(super) peers: usize,
    /// Addresses of one listener.
    pub(super) addresses: usize,
    /// Characters of a container's name.
    pub(super) container: usize,
}

/// Listeners of one holder that differ only in their port are one row from so many on: a passive FTP server or a test harness
/// has thousands.
const ALIKE: usize = 4;

/// A table with its title.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) remark: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Listeners of services that the catalog knows.
pub(super) fn known(report: &Report, room: Room) -> Section {
    let rows: Vec<_> = report
        .known()
        .map(|listening| {
            let mut row = vec![service(listening)];
            row.extend(listener(report, listening, &addresses(listening, room), true, room));
            row
        })
        .collect();
    let mut columns = vec![Column::elastic("SERVICE", 10)];
    columns.extend(listener_columns());
    let remark = match rows.len() {
        0 => "none listens here".to_owned(),
        n => counted(n as u64, "listener"),
    };
    Section { title: "Services that usually carry personal data", remark, columns, rows }
}

/// All other listeners.
pub(super) fn others(report: &Report, room: Room) -> Section {
    let mut alike: BTreeMap<_, Vec<&Listening>> = BTreeMap::new();
    for listening in report.others() {
        let with_peers = (!listening.peers.is_empty()).then_some(listening.port);
        let key = (listening.netns, &listening.holder, &listening.addresses, &listening.declared, with_peers);
        alike.entry(key).or_default().push(listening);
    }
    let mut rows: Vec<(u16, Vec<Cell>)> = Vec::new();
    for group in alike.into_values() {
        let first = group.iter().map(|listening| listening.port).min().unwrap_or(0);
        if group.len() >= ALIKE {
            let ports =
                format!("{} and {} ports more", addresses(group[0], room), thousands(group.len() as u64 - 1));
            rows.push((first, other(report, group[0], &ports, room)));
        } else {
            rows.extend(group.into_iter().map(|listening| {
                (listening.port, other(report, listening, &addresses(listening, room), room))
            }));
        }
    }
    rows.sort_by_key(|(port, _)| *port);
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    let mut columns = vec![Column::elastic("SPEAKS", 8).spare(3)];
    columns.extend(listener_columns());
    let remark = match report.others().count() {
        0 => "none".to_owned(),
        n => format!("{}; any port can carry personal data, and only you know", thousands(n as u64)),
    };
    Section { title: "Other listeners", remark, columns, rows }
}

/// Services elsewhere.
pub(super) fn remote(report: &Report, room: Room) -> Section {
    let rows: Vec<_> = report
        .inventory
        .remote
        .iter()
        .map(|remote| {
            let mut row = vec![service(remote), Cell::plain(tied_items(&addresses(remote, room)))];
            row.extend(holder(remote, room));
            row.extend([
                Cell::count(Tone::Plain, words::connections(remote)),
                Cell::plain(tied_items(&words::encryption(remote))),
                declared(report, remote, true),
                netns(remote),
            ]);
            row
        })
        .collect();
    let columns = vec![
        Column::elastic("SERVICE", 10),
        Column::elastic("ADDRESS", 21),
        Column::elastic("CALLED BY", 10),
        Column::text("USER").spare(2),
        Column::elastic("UNIT/CONTAINER", 14).spare(3),
        Column::number("CONN."),
        Column::elastic("ENCRYPTION", 14),
        Column::elastic("POLICY", 10),
        Column::text("NETNS").spare(5),
    ];
    let remark = match rows.len() {
        0 => "none in use".to_owned(),
        n => format!("{}, known by the port that is called", thousands(n as u64)),
    };
    Section { title: "Services elsewhere", remark, columns, rows }
}

/// Why the services that were found count.
pub(super) fn reasons(report: &Report) -> Vec<(String, String)> {
    let all = report.inventory.listeners.iter().chain(&report.inventory.remote);
    let reasons: BTreeMap<_, _> = all
        .filter_map(|listening| {
            let service = &listening.service;
            Some((service.name.as_deref()?.to_owned(), service.why.as_deref()?.to_owned()))
        })
        .collect();
    reasons.into_iter().collect()
}

/// What a reader has to know of single listeners.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let listeners = report.inventory.listeners.iter();
    let mut notes: BTreeMap<(&str, &str), Vec<u16>> = BTreeMap::new();
    for listening in listeners {
        if let (Some(exe), Some(claim)) = (listening.holder.exe.as_deref(), listening.claim.as_deref()) {
            notes.entry((exe, claim)).or_default().push(listening.port);
        }
    }
    notes
        .into_iter()
        .map(|((exe, claim), mut ports)| {
            ports.dedup();
            let more = ports.len().saturating_sub(ALIKE);
            ports.truncate(ALIKE);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{exe} on {}{more}: {claim}", list(ports))
        })
        .collect()
}

fn listener_columns() -> [Column; 11] {
    [
        Column::elastic("ADDRESS", 21),
        Column::text("OPEN TO"),
        Column::elastic("PROCESS", 9),
        Column::text("USER").spare(4),
        Column::elastic("UNIT/CONTAINER", 14).spare(3),
        Column::number("CONN.").spare(2),
        Column::elastic("PEERS", 17).spare(1),
        Column::elastic("ENCRYPTION", 13),
        Column::elastic("POLICY", 10),
        Column::text("KNOWN BY").spare(5),
        Column::text("NETNS").spare(6),
    ]
}

fn listener(report: &Report, listening: &Listening, at: &str, known: bool, room: Room) -> Vec<Cell> {
    let reach = listening.exposure.unwrap_or(Exposure::Every);
    let tone = match reach {
        Exposure::Loopback => Tone::Dim,
        Exposure::Private => Tone::Plain,
        Exposure::Public | Exposure::Every if known => Tone::Warn,
        Exposure::Public | Exposure::Every => Tone::Plain,
    };
    let mut row =
        vec![Cell::plain(tied_items(at)), Cell::new(tone, words::exposure(reach, listening.own_netns))];
    row.extend(holder(listening, room));
    row.extend([
        Cell::count(Tone::Plain, words::connections(listening)),
        Cell::plain(words::peers(&listening.peers, room.peers)),
        Cell::plain(tied_items(&words::encryption(listening))),
        declared(report, listening, known),
        Cell::plain(list(listening.service.by.iter().map(|by| words::recognised(*by)))),
        netns(listening),
    ]);
    row
}

fn other(report: &Report, listening: &Listening, at: &str, room: Room) -> Vec<Cell> {
    let speaks = Cell::plain(listening.service.name.as_deref().unwrap_or_default());
    let mut row = vec![speaks];
    row.extend(listener(report, listening, at, false, room));
    row
}

fn service(listening: &Listening) -> Cell {
    let name = listening.service.name.as_deref();
    let name = name.or(listening.declared.as_deref());
    Cell::new(Tone::Strong, name.unwrap_or("unknown"))
}

fn addresses(listening: &Listening, room: Room) -> String {
    words::addresses(&listening.addresses, listening.port, room.addresses)
}

/// Process, user, and unit or container.
fn holder(listening: &Listening, room: Room) -> [Cell; 3] {
    let holder = &listening.holder;
    let program = match words::program(holder) {
        Some(program) => {
            let tone = if listening.claim.is_some() { Tone::Warn } else { Tone::Plain };
            Cell::new(tone, with_alias(program, listening.goes_by.as_deref()))
        }
        None => Cell::new(Tone::Warn, "unknown"),
    };
    [
        program,
        Cell::plain(words::user(holder).unwrap_or_default()),
        Cell::plain(words::place(holder, room.container).unwrap_or_default()),
    ]
}

/// The declaration; nothing at all without a policy.
fn declared(report: &Report, listening: &Listening, known: bool) -> Cell {
    match (&listening.declared, &report.policy) {
        (Some(name), _) => Cell::new(Tone::Good, name),
        (None, None) => Cell::plain(""),
        (None, Some(_)) if known => Cell::new(Tone::Bad, "undeclared"),
        (None, Some(_)) => Cell::new(Tone::Dim, "-"),
    }
}

/// Another network namespace than the own one.
fn netns(listening: &Listening) -> Cell {
    if listening.own_netns { Cell::plain("") } else { Cell::plain(listening.netns.to_string()) }
}
