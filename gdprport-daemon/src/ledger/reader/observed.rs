//! What the ledger says of a period, all of one moment.

use std::collections::HashMap;

use gdprport_core::ledger::{Counts, Edge, EdgeKey, HourlyLedger, Observed};
use gdprport_core::model::Direction;
use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, Result};

use super::super::time::{date, day_of, timestamp};
use super::dimensions::{Dimensions, direction, peer};
use super::edges::{COLUMNS, counts, row_range};
use super::error::ReadError;
use super::open::Reader;
use super::periods;

/// What rows have in common whose days are added up, by numbers.
type Key = (i64, Direction, i64, IpNet, i64, i64, i64);

struct Sum {
    counts: Counts,
    day: i64,
    first: i64,
    last: i64,
}

impl Reader {
    /// What the ledger says of a period: flows of every day that it touches, all else within it.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn observed(&self, from: Timestamp, to: Timestamp) -> Result<Observed, ReadError> {
        self.ask(|db| {
            let from = periods::begin(db)?.map_or(from, |begin| from.max(begin));
            observed(db, from, to)
        })
    }

    /// The same without flows, for who reads their rows one by one: `edges` is empty.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn around(&self, from: Timestamp, to: Timestamp) -> Result<Observed, ReadError> {
        self.ask(|db| {
            let from = periods::begin(db)?.map_or(from, |begin| from.max(begin));
            around(db, &mut Dimensions::new(db), from, to)
        })
    }

    /// The same without what is counted by hour: `coverage` and `volume` are empty too.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn present(&self, from: Timestamp, to: Timestamp) -> Result<Observed, ReadError> {
        self.ask(|db| {
            let from = periods::begin(db)?.map_or(from, |begin| from.max(begin));
            present(db, &mut Dimensions::new(db), from, to)
        })
    }
}

impl Reader {
    /// What the ledger says of each hour of a period.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn hours(&self, from: Timestamp, to: Timestamp) -> Result<HourlyLedger, ReadError> {
        self.ask(|db| {
            let from = periods::begin(db)?.map_or(from, |begin| from.max(begin));
            let mut dimensions = Dimensions::new(db);
            Ok(HourlyLedger {
                from,
                to,
                volume: periods::volume(db, &mut dimensions, from, to)?,
                coverage: periods::coverage(db, &mut dimensions, from, to)?,
                gaps: periods::gaps(db, from, to)?,
            })
        })
    }
}

/// Reads all that there is, and keeps none of it.
///
/// # Errors
/// If something in there says what no ledger says.
pub(in super::super) fn read_all(db: &Connection) -> Result<()> {
    periods::begin(db)?;
    observed(db, Timestamp::MIN, Timestamp::MAX).map(drop)
}

fn observed(db: &Connection, from: Timestamp, to: Timestamp) -> Result<Observed> {
    let mut dimensions = Dimensions::new(db);
    let edges = edges(db, &mut dimensions, from, to)?;
    Ok(Observed { edges, ..around(db, &mut dimensions, from, to)? })
}

/// All but the flows.
fn around(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Observed> {
    let coverage = periods::coverage(db, dimensions, from, to)?;
    let volume = periods::volume(db, dimensions, from, to)?;
    Ok(Observed { coverage, volume, ..present(db, dimensions, from, to)? })
}

/// All but the flows and what is counted by hour.
fn present(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Observed> {
    Ok(Observed {
        from,
        to,
        edges: Vec::new(),
        listeners: periods::listeners(db, dimensions, from, to)?,
        coverage: Vec::new(),
        gaps: periods::gaps(db, from, to)?,
        policies: periods::policies(db, dimensions, from, to)?,
        runs: periods::runs(db, from, to)?,
        notes: periods::notes(db, from, to)?,
        volume: Vec::new(),
    })
}

/// Added up here and not by SQL: there a sum that overflows is an error.
fn edges(
    db: &Connection,
    dimensions: &mut Dimensions<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Edge>> {
    let Some((begin, end)) = row_range(db, day_of(from), day_of(to))? else { return Ok(Vec::new()) };
    let mut statement = db.prepare(&format!(
        "SELECT {COLUMNS} FROM edge NOT INDEXED WHERE row BETWEEN ?1 AND ?2 AND day BETWEEN ?3 AND ?4 ORDER BY row"
    ))?;
    let mut rows = statement.query([begin, end, day_of(from), day_of(to)])?;
    let mut places: HashMap<Key, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut sums: Vec<(Key, Sum)> = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (
            row.get(2)?,
            direction(row.get_ref(3)?.as_str()?)?,
            row.get(4)?,
            peer(row.get_ref(5)?.as_str()?, row.get(6)?)?,
            row.get(7)?,
            row.get(8)?,
            row.get(9)?,
        );
        let new = Sum { counts: counts(row)?, day: row.get(1)?, first: row.get(16)?, last: row.get(17)? };
        if let Some((_, sum)) = places.get(&key).and_then(|place| sums.get_mut(*place)) {
            sum.counts.add(&new.counts);
            sum.day = sum.day.max(new.day);
            // Rows come in the order of their first observation.
            sum.last = new.last;
        } else {
            places.insert(key, sums.len());
            sums.push((key, new));
        }
    }
    let edge = |((port, direction, identity, peer, verdict, posture, policy), sum): (Key, Sum)| {
        Ok(Edge {
            day: date(sum.day),
            key: EdgeKey {
                port: dimensions.port(port)?,
                direction,
                identity: dimensions.identity(identity)?,
                peer,
                verdict: dimensions.verdict(verdict)?,
                posture: dimensions.posture(posture)?,
                policy: dimensions.policy(policy)?,
            },
            counts: sum.counts,
            first: timestamp(sum.first),
            last: timestamp(sum.last),
        })
    };
    sums.into_iter().map(edge).collect()
}
