//! What is shown, as JSON for a file.

use gdprport_core::counters::PortCounters;
use gdprport_core::privacy::Applied;
use gdprport_core::top::{FlowGroup, Standings};
use jiff::Timestamp;
use serde::Serialize;

use super::state::{Model, View};
use crate::control::api::{CoverageStatus, Health};

/// The form of the file.
const SCHEMA: &str = "gdprport.top/1";

#[derive(Serialize)]
struct Saved<'a> {
    schema: &'static str,
    host: &'a str,
    /// When it was written.
    saved: Timestamp,
    /// When it was so.
    as_of: Timestamp,
    /// Why nobody answered any more then; `null`: somebody did.
    not_connected: Option<&'a str>,
    filter: &'a str,
    /// The port whose groups these are; `null`: all.
    port: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy: Option<&'a Applied>,
    health: &'a Health,
    coverage: &'a CoverageStatus,
    ports: Vec<SavedPort<'a>>,
    /// Groups of all open flows, listed or not.
    groups_open: u64,
    /// Flows of groups for which there was no room.
    beyond: Standings,
    groups: Vec<SavedRow<'a>>,
}

#[derive(Serialize)]
struct SavedPort<'a> {
    name: &'a str,
    first: u16,
    last: u16,
    declared: bool,
    open: u64,
    /// Connections that began in ten seconds, on average; `null`: not known.
    connections_per_10s: Option<u64>,
    /// Bytes both ways in ten seconds, on average over the last minute.
    bytes_per_10s: Option<u64>,
    #[serde(flatten)]
    counters: &'a PortCounters,
}

#[derive(Serialize)]
struct SavedRow<'a> {
    #[serde(flatten)]
    group: &'a FlowGroup,
    ended: u64,
    last_event: Option<Timestamp>,
}

/// The text of the file; `None`: nothing is shown yet.
pub(in crate::ui::top) fn saved(model: &Model, now: Timestamp) -> Option<Vec<u8>> {
    let picture = model.picture.as_ref()?;
    let rows = model.rows();
    let ports = picture.ports.iter().map(|port| SavedPort {
        name: &port.name,
        first: port.numbers.0,
        last: port.numbers.1,
        declared: port.declared,
        open: port.open,
        connections_per_10s: port.began.map(|rate| rate.0),
        bytes_per_10s: port.bytes.map(|rate| rate.0),
        counters: &port.counters,
    });
    let saved = Saved {
        schema: SCHEMA,
        host: &model.host,
        saved: now,
        as_of: picture.at,
        not_connected: model.failure.as_ref().map(|(_, why)| &**why),
        filter: &model.filter_text,
        port: match &model.place().view {
            View::Port(name) => Some(name),
            _ => None,
        },
        privacy: picture.groups.privacy.as_ref(),
        health: &picture.status.health,
        coverage: &picture.status.status.coverage,
        ports: ports.collect(),
        groups_open: picture.groups.groups.groups,
        beyond: picture.groups.groups.beyond,
        groups: rows
            .iter()
            .map(|row| SavedRow { group: &row.group, ended: row.ended, last_event: row.last })
            .collect(),
    };
    let mut json = serde_json::to_vec_pretty(&saved).ok()?;
    json.push(b'\n');
    Some(json)
}
