//! What has a begin and an end, or an hour: all that a period is described by but its flows.

use std::collections::HashMap;

use gdprport_core::event::Bound;
use gdprport_core::ledger::{
    CoverageHours, GapRow, ListenerRow, Note, PolicyPeriod, Run, RunEnd, VolumeHour,
};
use gdprport_core::model::Endpoint;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, ToSql};

use super::super::time::{hour, hour_of, micros, timestamp};
use super::dimensions::{Dimensions, count, direction, odd};

/// Since when the ledger has something to say.
pub(super) fn begin(db: &Connection) -> Result<Option<Timestamp>> {
    let sql = "SELECT value FROM meta WHERE key = 'begin'";
    Ok(db.query_row(sql, [], |row| row.get(0)).optional()?.map(timestamp))
}

/// Until when the run was written that is going on, as far as the ledger knows.
fn running_until(db: &Connection) -> Result<Option<i64>> {
    let sql = "SELECT seen FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1";
    db.query_row(sql, [], |row| row.get(0)).optional()
}

pub(super) fn listeners(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<ListenerRow>> {
    let running = running_until(db)?;
    let sql = "SELECT port, address, number, identity, verdict, first, last, open FROM listener
        WHERE first <= ?2 AND (last >= ?1 OR open > 0) ORDER BY id";
    let rows = list(db, sql, &[&micros(from), &micros(to)], |row| {
        let (open, last): (i64, i64) = (row.get(7)?, row.get(6)?);
        let address: String = row.get(1)?;
        let ip = address.parse().map_err(|_| odd(format!("an address `{}`", address.escape_debug())))?;
        let seen = running.filter(|_| open > 0);
        Ok(ListenerRow {
            port: dimensions.port(row.get(0)?)?,
            local: Endpoint { ip, port: row.get(2)? },
            identity: dimensions.identity(row.get(3)?)?,
            verdict: dimensions.verdict(row.get(4)?)?,
            first: timestamp(row.get(5)?),
            last: timestamp(seen.map_or(last, |seen| seen.max(last))),
            open: seen.is_some(),
        })
    })?;
    Ok(rows.into_iter().filter(|listener| listener.last >= from).collect())
}

pub(super) fn coverage(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<CoverageHours>> {
    let sql = "SELECT hour, port, watched_s, seen, lost FROM coverage WHERE hour >= ?1 AND hour <= ?2
        ORDER BY hour, port";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([hour_of(from), hour_of(to)])?;
    let mut found: Vec<CoverageHours> = Vec::new();
    // The latest of each port: what is added up here is never kept hour by hour.
    let mut latest: HashMap<i64, usize, foldhash::fast::RandomState> = HashMap::default();
    while let Some(row) = rows.next()? {
        let id = row.get(1)?;
        let next = CoverageHours {
            hour: hour(row.get(0)?),
            hours: 1,
            port: dimensions.port(id)?,
            watched_s: row.get(2)?,
            seen: count(row, 3)?,
            lost: count(row, 4)?,
        };
        let last = latest.get(&id).and_then(|at| found.get_mut(*at));
        if !last.is_some_and(|last| last.take_up(&next)) {
            latest.insert(id, found.len());
            found.push(next);
        }
    }
    Ok(found)
}

pub(super) fn volume(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<VolumeHour>> {
    let sql = "SELECT hour, port, direction, rule, flows, bytes_sent, bytes_received FROM volume
        WHERE hour >= ?1 AND hour <= ?2 ORDER BY hour, port, direction, rule";
    list(db, sql, &[&hour_of(from), &hour_of(to)], |row| {
        Ok(VolumeHour {
            hour: hour(row.get(0)?),
            port: dimensions.port(row.get(1)?)?,
            direction: direction(row.get_ref(2)?.as_str()?)?,
            rule: dimensions.rule(row.get(3)?)?,
            flows: count(row, 4)?,
            bytes_sent: count(row, 5)?,
            bytes_received: count(row, 6)?,
        })
    })
}

pub(super) fn gaps(db: &Connection, from: Timestamp, to: Timestamp) -> Result<Vec<GapRow>> {
    let sql = "SELECT began, ended, lost, bound, reason FROM gap WHERE ended >= ?1 AND began <= ?2
        ORDER BY began, id";
    list(db, sql, &[&micros(from), &micros(to)], |row| {
        let bound = match row.get_ref(3)?.as_str_or_null()? {
            None => None,
            Some("at-least") => Some(Bound::AtLeast),
            Some("at-most") => Some(Bound::AtMost),
            Some(other) => return Err(odd(format!("a bound `{}`", other.escape_debug()))),
        };
        let (from, to) = (timestamp(row.get(0)?), timestamp(row.get(1)?));
        Ok(GapRow { from, to, lost: count(row, 2)?, bound, reason: row.get(4)? })
    })
}

pub(super) fn policies(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<PolicyPeriod>> {
    let sql =
        "SELECT policy, began, ended FROM policy_period WHERE (ended IS NULL OR ended >= ?1) AND began <= ?2
        ORDER BY id";
    list(db, sql, &[&micros(from), &micros(to)], |row| {
        Ok(PolicyPeriod {
            digest: dimensions.policy(row.get(0)?)?,
            from: timestamp(row.get(1)?),
            to: row.get::<_, Option<i64>>(2)?.map(timestamp),
        })
    })
}

pub(super) fn runs(db: &Connection, from: Timestamp, to: Timestamp) -> Result<Vec<Run>> {
    let sql = "SELECT run, version, began, seen, ended FROM run WHERE seen >= ?1 AND began <= ?2 ORDER BY id";
    list(db, sql, &[&micros(from), &micros(to)], |row| {
        let end = match row.get_ref(4)?.as_str_or_null()? {
            None => None,
            Some("stopped") => Some(RunEnd::Stopped),
            Some("killed") => Some(RunEnd::Killed),
            Some(other) => return Err(odd(format!("an end `{}`", other.escape_debug()))),
        };
        let (from, to) = (timestamp(row.get(2)?), timestamp(row.get(3)?));
        Ok(Run { run: row.get(0)?, version: row.get(1)?, from, to, end })
    })
}

pub(super) fn notes(db: &Connection, from: Timestamp, to: Timestamp) -> Result<Vec<Note>> {
    let sql = "SELECT at, kind, text FROM note WHERE at >= ?1 AND at <= ?2 ORDER BY id";
    list(db, sql, &[&micros(from), &micros(to)], |row| {
        let kind: String = row.get(1)?;
        let kind = serde_json::from_value(kind.into()).map_err(|error| odd(error.to_string()))?;
        Ok(Note { at: timestamp(row.get(0)?), kind, text: row.get(2)? })
    })
}

fn list<T>(
    db: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
