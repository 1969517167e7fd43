//! Findings of audits: compared with those that are known, and stored with how they came and went.

use std::collections::HashSet;

use gdprport_core::audit::{Change, Finding, FindingChange, Judged, is_changed};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::text::bounded;
use super::time::{micros, timestamp};

/// Changes of one finding that are kept, the latest.
const HISTORY: u32 = 200;

/// Stores the findings of an audit, as a whole, and says what changed. Of what was not `judged` nothing is settled.
///
/// # Errors
/// If they cannot be stored: then nothing of them is.
pub(super) fn record(
    db: &mut Connection,
    findings: &[Finding],
    judged: &Judged,
    now: Timestamp,
) -> Result<Vec<FindingChange>> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut changes = Vec::new();
    let mut found = HashSet::new();
    for finding in findings {
        if !found.insert(&*finding.fingerprint) {
            continue;
        }
        let (change, since) = store(&transaction, finding, now)?;
        if let Some(change) = change {
            changes.push(FindingChange { change, finding: finding.clone(), since, at: now });
        }
    }
    settle(&transaction, &found, judged, now, &mut changes)?;
    transaction.commit()?;
    Ok(changes)
}

/// What changed, if anything, and when it was found first.
fn store(db: &Connection, finding: &Finding, now: Timestamp) -> Result<(Option<Change>, Timestamp)> {
    let known = db
        .query_row(
            "SELECT id, since, settled, value FROM finding WHERE fingerprint = ?1",
            [&*finding.fingerprint],
            |row| {
                let settled: Option<i64> = row.get(2)?;
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, settled, row.get::<_, String>(3)?))
            },
        )
        .optional()?;
    let value = text(finding)?;
    let Some((id, since, settled, before)) = known else {
        db.execute(
            "INSERT INTO finding(fingerprint, since, judged, value) VALUES(?1, ?2, ?2, ?3)",
            params![&*finding.fingerprint, micros(now), value],
        )?;
        add_history(db, db.last_insert_rowid(), Change::New, finding, now)?;
        return Ok((Some(Change::New), now));
    };
    db.execute(
        "UPDATE finding SET judged = ?2, settled = NULL, value = ?3 WHERE id = ?1",
        params![id, micros(now), value],
    )?;
    let before: Option<Finding> = serde_json::from_str(&before).ok();
    let change = match before {
        _ if settled.is_some() => Some(Change::Reopened),
        Some(before) if !is_changed(&before, finding) => None,
        _ => Some(Change::Changed),
    };
    if let Some(change) = change {
        add_history(db, id, change, finding, now)?;
    }
    Ok((change, timestamp(since)))
}

fn settle(
    db: &Transaction<'_>,
    found: &HashSet<&str>,
    judged: &Judged,
    now: Timestamp,
    changes: &mut Vec<FindingChange>,
) -> Result<()> {
    let mut open =
        db.prepare("SELECT id, fingerprint, since, value FROM finding WHERE settled IS NULL ORDER BY id")?;
    let rows = open.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
    })?;
    for row in rows {
        let (id, fingerprint, since, value) = row?;
        if found.contains(&*fingerprint) {
            continue;
        }
        let finding: Option<Finding> = serde_json::from_str(&value).ok();
        if finding.as_ref().is_some_and(|finding| !judged.covers(finding)) {
            continue;
        }
        db.execute("UPDATE finding SET settled = ?2 WHERE id = ?1", params![id, micros(now)])?;
        // What does not say anything any more is settled without a word.
        let Some(finding) = finding else { continue };
        add_history(db, id, Change::Settled, &finding, now)?;
        changes.push(FindingChange { change: Change::Settled, finding, since: timestamp(since), at: now });
    }
    Ok(())
}

fn add_history(db: &Connection, id: i64, change: Change, finding: &Finding, now: Timestamp) -> Result<()> {
    db.execute(
        "INSERT INTO finding_history(finding, at, change, severity, message) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![id, micros(now), change.as_str(), finding.severity.as_str(), bounded(&finding.message)],
    )?;
    db.execute(
        "DELETE FROM finding_history WHERE finding = ?1 AND id <= (SELECT id FROM finding_history WHERE finding = ?1
            ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![id, HISTORY],
    )?;
    Ok(())
}

fn text(finding: &Finding) -> Result<String> {
    serde_json::to_string(finding).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
