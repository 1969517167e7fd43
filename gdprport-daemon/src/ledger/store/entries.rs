//! What is rare: runs, policies, gaps and notes.

use std::time::Duration;

use gdprport_core::event::{Bound, Gap};
use gdprport_core::ledger::{Entry, KILLED, Note, RunEnd};
use gdprport_core::policy::Source;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::super::intern::Intern;
use super::super::text::bounded;
use super::super::time::{micros, timestamp};
use super::edges::count;

/// What a gap covers whose length is not known, because the clock was set back since: a batch is made once a second and stored
/// within another, as long as the ledger can be written.
const NOT_KNOWN: Duration = Duration::from_secs(2);

/// Adds entries, in their order.
///
/// # Errors
/// If they cannot be stored.
pub(super) fn store(db: &Connection, intern: &mut Intern, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        match entry {
            Entry::Began { run, version, boot_id, at } => {
                end_last_run(db, *at)?;
                db.execute(
                    "INSERT INTO run(run, version, boot_id, began, seen) VALUES(?1, ?2, ?3, ?4, ?4)",
                    params![bounded(run), bounded(version), bounded(boot_id), micros(*at)],
                )?;
            }
            Entry::Ended { end, at } => end_run(db, *end, *at)?,
            Entry::Policy { digest, sources, at } => {
                let policy = intern.policy(db, digest.as_ref())?;
                store_sources(db, policy, sources)?;
                db.execute("UPDATE policy_period SET ended = ?1 WHERE ended IS NULL", [micros(*at)])?;
                db.execute("INSERT INTO policy_period(policy, began) VALUES(?1, ?2)", [policy, micros(*at)])?;
            }
            Entry::Gap(gap) => add_gap(db, gap)?,
            Entry::Note(note) => add_note(db, note)?,
        }
    }
    Ok(())
}

/// The run before, if nothing said that it ended: it was killed, or the power failed. What it had in memory is lost. Its last
/// batch is not more than two seconds older than its end if the ledger could be written until then, and as old as may be if not:
/// a full disk cannot be told apart from here. So nothing is claimed from that batch until the next run.
fn end_last_run(db: &Connection, now: Timestamp) -> Result<()> {
    let last: Option<i64> = db
        .query_row("SELECT seen FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let Some(seen) = last.map(timestamp) else { return Ok(()) };
    let to = if now >= seen { now } else { seen.saturating_add(NOT_KNOWN).unwrap_or(seen) };
    end_run(db, RunEnd::Killed, seen)?;
    let gap =
        Gap { from: seen, to, lost: 0, bound: Some(Bound::AtLeast), summed: None, reason: KILLED.into() };
    add_gap(db, &gap)
}

fn end_run(db: &Connection, end: RunEnd, at: Timestamp) -> Result<()> {
    let (end, at) = (run_end(end), micros(at));
    db.execute("UPDATE run SET seen = ?1, ended = ?2 WHERE ended IS NULL", params![at, end])?;
    // What becomes of listeners and of the policy is not known from then on.
    db.execute("UPDATE listener SET open = 0, last = max(last, ?1) WHERE open > 0", [at])?;
    db.execute("UPDATE policy_period SET ended = ?1 WHERE ended IS NULL", [at])?;
    Ok(())
}

/// How an end is stored.
const fn run_end(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Stopped => "stopped",
        RunEnd::Killed => "killed",
    }
}

fn store_sources(db: &Connection, policy: i64, sources: &[Source]) -> Result<()> {
    let known: bool =
        db.query_row("SELECT EXISTS (SELECT 1 FROM policy_source WHERE policy = ?1)", [policy], |row| {
            row.get(0)
        })?;
    if known || policy == super::super::intern::CATALOG {
        return Ok(());
    }
    let mut add =
        db.prepare("INSERT INTO policy_source(policy, place, name, text) VALUES(?1, ?2, ?3, ?4)")?;
    for (place, source) in (0_i64..).zip(sources) {
        add.execute(params![policy, place, bounded(&source.name), source.text])?;
    }
    Ok(())
}

/// Adds a gap. One that grows is reported again with the same reason and begin: the last one counts.
///
/// # Errors
/// If it cannot be stored.
pub(in super::super) fn add_gap(db: &Connection, gap: &Gap) -> Result<()> {
    let bound = gap.bound.map(|bound| match bound {
        Bound::AtLeast => "at-least",
        Bound::AtMost => "at-most",
    });
    db.execute(
        "INSERT INTO gap(began, ended, lost, bound, reason) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
            ended = excluded.ended, lost = excluded.lost, bound = excluded.bound",
        params![micros(gap.from), micros(gap.to), count(gap.lost), bound, bounded(&gap.reason)],
    )?;
    Ok(())
}

/// Adds a note.
///
/// # Errors
/// If it cannot be stored.
pub(in super::super) fn add_note(db: &Connection, note: &Note) -> Result<()> {
    let kind = serde_json::to_string(&note.kind).unwrap_or_default();
    db.execute(
        "INSERT INTO note(at, kind, text) VALUES(?1, ?2, ?3)",
        params![micros(note.at), kind.trim_matches('"'), bounded(&note.text)],
    )?;
    Ok(())
}
