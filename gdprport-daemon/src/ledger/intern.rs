//! Dimensions: what many rows share is stored once, and known by its number.
//!
//! Numbers are remembered, within bounds. They count only for the database that gave them: after a transaction that was not
//! committed, and after numbers were removed, nothing is remembered.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::ledger::{Identity, PortKey, PostureKey, VerdictKey};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Result};
use serde::Serialize;

use super::text::{bound, bound_if_any, bounded};

/// Values of each kind whose numbers are remembered: far more than a host has on one day.
const REMEMBERED: usize = 16_384;

/// The number of the catalog, where a policy stands.
pub(super) const CATALOG: i64 = 0;
/// The number of what no rule allowed, where a rule stands.
pub(super) const NO_RULE: i64 = 0;

/// The numbers that are remembered.
#[derive(Debug, Default)]
pub(super) struct Intern {
    ports: HashMap<Arc<PortKey>, i64, foldhash::fast::RandomState>,
    identities: HashMap<Arc<Identity>, i64, foldhash::fast::RandomState>,
    verdicts: HashMap<Arc<VerdictKey>, i64, foldhash::fast::RandomState>,
    postures: HashMap<Arc<PostureKey>, i64, foldhash::fast::RandomState>,
    policies: HashMap<Arc<str>, i64, foldhash::fast::RandomState>,
    rules: HashMap<Arc<str>, i64, foldhash::fast::RandomState>,
}

impl Intern {
    /// Remembers nothing any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The number of a port.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn port(&mut self, db: &Connection, key: &Arc<PortKey>) -> Result<i64> {
        remembered(&mut self.ports, key, || {
            let name = bounded(&key.name);
            let values: [&dyn ToSql; 3] = [&name, &key.number, &key.declared];
            number(
                db,
                "port",
                "name = ?1 AND number = ?2 AND declared = ?3",
                "name, number, declared",
                &values,
            )
        })
    }

    /// The number of an identity.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn identity(&mut self, db: &Connection, key: &Arc<Identity>) -> Result<i64> {
        remembered(&mut self.identities, key, || value_number(db, "identity", &bounded_identity(key)))
    }

    /// The number of a verdict.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn verdict(&mut self, db: &Connection, key: &Arc<VerdictKey>) -> Result<i64> {
        remembered(&mut self.verdicts, key, || value_number(db, "verdict", &bounded_verdict(key)))
    }

    /// The number of a posture.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn posture(&mut self, db: &Connection, key: &Arc<PostureKey>) -> Result<i64> {
        remembered(&mut self.postures, key, || {
            let mut key = (**key).clone();
            bound_if_any(&mut key.cipher);
            value_number(db, "posture", &key)
        })
    }

    /// The number of a policy by its digest.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn policy(&mut self, db: &Connection, digest: Option<&Arc<str>>) -> Result<i64> {
        let Some(digest) = digest else { return Ok(CATALOG) };
        remembered(&mut self.policies, digest, || {
            number(db, "policy", "digest = ?1", "digest", &[&bounded(digest)])
        })
    }

    /// The number of the rule that allowed something.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn rule(&mut self, db: &Connection, role: Option<&Arc<str>>) -> Result<i64> {
        let Some(role) = role else { return Ok(NO_RULE) };
        remembered(&mut self.rules, role, || number(db, "rule", "role = ?1", "role", &[&bounded(role)]))
    }
}

fn remembered<K, S>(
    known: &mut HashMap<Arc<K>, i64, S>,
    key: &Arc<K>,
    find: impl FnOnce() -> Result<i64>,
) -> Result<i64>
where
    K: ?Sized + Eq + std::hash::Hash,
    S: std::hash::BuildHasher,
{
    if let Some(number) = known.get(key) {
        return Ok(*number);
    }
    let number = find()?;
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(Arc::clone(key), number);
    Ok(number)
}

fn value_number(db: &Connection, table: &str, value: &impl Serialize) -> Result<i64> {
    let text = serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    number(db, table, "value = ?1", "value", &[&text])
}

fn number(db: &Connection, table: &str, same: &str, columns: &str, values: &[&dyn ToSql]) -> Result<i64> {
    let found =
        db.query_row(&format!("SELECT id FROM {table} WHERE {same}"), values, |row| row.get(0)).optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    let places = ["?1", "?1, ?2", "?1, ?2, ?3"][values.len() - 1];
    db.execute(&format!("INSERT INTO {table}({columns}) VALUES({places})"), values)?;
    Ok(db.last_insert_rowid())
}

fn bounded_identity(identity: &Identity) -> Identity {
    let mut identity = identity.clone();
    let Identity { attribution: _, exe, script, unit, uid: _, user, group, container } = &mut identity;
    [exe, script, unit, user, group].into_iter().for_each(bound_if_any);
    if let Some(container) = container {
        let gdprport_core::ledger::ContainerIdentity {
            runtime,
            name,
            image,
            namespace,
            workload,
            stated_by: _,
        } = container;
        [runtime, name, image, namespace, workload].into_iter().for_each(bound_if_any);
    }
    identity
}

fn bounded_verdict(verdict: &VerdictKey) -> VerdictKey {
    let mut verdict = verdict.clone();
    match &mut verdict {
        VerdictKey::Declared { rule } => bound(rule),
        VerdictKey::Violation { nearest, .. } | VerdictKey::Undecided { nearest } => bound_if_any(nearest),
    }
    verdict
}
