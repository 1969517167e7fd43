//! Dimensions of rows by their numbers, and single values as the database keeps them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use gdprport_core::ledger::{Identity, PortKey, PostureKey, VerdictKey};
use gdprport_core::model::Direction;
use ipnet::IpNet;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, Row};
use serde::de::DeserializeOwned;

use super::super::intern::{CATALOG, NO_RULE};

/// Values by their numbers, which are the database's own: they are looked up for each row.
type Known<T> = HashMap<i64, T, foldhash::fast::RandomState>;

/// The dimensions that an answer needed so far, each once.
pub(super) struct Dimensions<'a> {
    db: &'a Connection,
    ports: Known<Arc<PortKey>>,
    identities: Known<Arc<Identity>>,
    verdicts: Known<Arc<VerdictKey>>,
    postures: Known<Arc<PostureKey>>,
    policies: Known<Arc<str>>,
    rules: Known<Arc<str>>,
}

/// What a database says that no ledger says.
pub(super) fn odd(what: impl Into<String>) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into().into())
}

impl<'a> Dimensions<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self {
            db,
            ports: Known::default(),
            identities: Known::default(),
            verdicts: Known::default(),
            postures: Known::default(),
            policies: Known::default(),
            rules: Known::default(),
        }
    }

    pub(super) fn port(&mut self, id: i64) -> Result<Arc<PortKey>> {
        let db = self.db;
        let sql = "SELECT name, number, declared FROM port WHERE id = ?1";
        known(&mut self.ports, id, || {
            one(db, sql, id, |row| {
                Ok(PortKey { name: row.get(0)?, number: row.get(1)?, declared: row.get(2)? }.into())
            })
        })
    }

    pub(super) fn identity(&mut self, id: i64) -> Result<Arc<Identity>> {
        let db = self.db;
        known(&mut self.identities, id, || value(db, "SELECT value FROM identity WHERE id = ?1", id))
    }

    pub(super) fn verdict(&mut self, id: i64) -> Result<Arc<VerdictKey>> {
        let db = self.db;
        known(&mut self.verdicts, id, || value(db, "SELECT value FROM verdict WHERE id = ?1", id))
    }

    pub(super) fn posture(&mut self, id: i64) -> Result<Arc<PostureKey>> {
        let db = self.db;
        known(&mut self.postures, id, || value(db, "SELECT value FROM posture WHERE id = ?1", id))
    }

    pub(super) fn policy(&mut self, id: i64) -> Result<Option<Arc<str>>> {
        if id == CATALOG {
            return Ok(None);
        }
        let db = self.db;
        let sql = "SELECT digest FROM policy WHERE id = ?1";
        known(&mut self.policies, id, || one(db, sql, id, |row| row.get(0))).map(Some)
    }

    pub(super) fn rule(&mut self, id: i64) -> Result<Option<Arc<str>>> {
        if id == NO_RULE {
            return Ok(None);
        }
        let db = self.db;
        known(&mut self.rules, id, || one(db, "SELECT role FROM rule WHERE id = ?1", id, |row| row.get(0)))
            .map(Some)
    }
}

fn known<T: Clone>(known: &mut Known<T>, id: i64, find: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(value) = known.get(&id) {
        return Ok(value.clone());
    }
    let value = find()?;
    known.insert(id, value.clone());
    Ok(value)
}

fn one<T>(db: &Connection, sql: &str, id: i64, read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<T> {
    db.query_row(sql, [id], read).optional()?.ok_or_else(|| odd("a row names what is not there"))
}

fn value<T: DeserializeOwned>(db: &Connection, sql: &str, id: i64) -> Result<Arc<T>> {
    let text: String = one(db, sql, id, |row| row.get(0))?;
    serde_json::from_str(&text).map(Arc::new).map_err(|error| odd(error.to_string()))
}

/// A direction, as it is stored.
pub(super) fn direction(text: &str) -> Result<Direction> {
    [Direction::In, Direction::Out]
        .into_iter()
        .find(|direction| direction.as_str() == text)
        .ok_or_else(|| odd(format!("a direction `{}`", text.escape_debug())))
}

/// A peer, as it is stored.
pub(super) fn peer(address: &str, prefix: u8) -> Result<IpNet> {
    let address: IpAddr =
        address.parse().map_err(|_| odd(format!("an address `{}`", address.escape_debug())))?;
    IpNet::new(address, prefix).map_err(|_| odd(format!("a prefix length of {prefix}")))
}

/// A count, as it is stored.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}
