//! How long the ledger keeps what: days up to an age, and as many of them as fit. What does not fit is rolled up, oldest
//! first, and removed if that is not enough. Each step is small, so that no batch waits long, and each day that is rolled up
//! or removed is noted.

use std::time::{Duration, Instant};

use gdprport_core::ledger::{Note, NoteKind};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, TransactionBehavior};

use super::remove;
use super::rollup::{LAST_LEVEL, roll_up};
use super::settings::Settings;
use super::store::add_note;
use super::time::{begin_of_day, date, day_of, timestamp};

/// After the clock was set forward by more than this, days are not removed by their age for [`CAUTION`]: it may be set back.
const LEAP: Duration = Duration::from_secs(2 * 86_400);
/// How long a clock that was set is not believed.
const CAUTION: Duration = Duration::from_secs(86_400);
/// How often what has no day is looked at.
const TRIM: Duration = Duration::from_secs(3_600);
/// Pages that are given back to the file system in one step.
const VACUUM: u32 = 500;
/// Free pages that are kept for what comes next, of all: an eighth.
const SPARE: u64 = 8;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is left to do.
    Nothing,
    /// There may be more. Rows moved or went: what is remembered of them does not count any more.
    More,
    /// There may be more, and nothing that is remembered changed.
    Freed,
}

/// How far retention is.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// Whether it is being made smaller: begun above the bound, until well below it.
    shrinking: bool,
    /// Until when no day is removed by its age.
    cautious_until: Option<Instant>,
    /// The wall clock and the time since boot when they were compared last.
    seen: Option<(Timestamp, Instant)>,
    trimmed: Option<Instant>,
    /// Rows that were rolled up, and put to others, of the day that is being rolled up.
    rolled: (u64, u64),
}

impl Retention {
    /// Does one small step.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn step(
        &mut self,
        db: &mut Connection,
        settings: &Settings,
        now: Timestamp,
        at: Instant,
    ) -> Result<Step> {
        self.watch_clock(db, now, at)?;
        let today = day_of(now);
        let oldest_kept = today.saturating_sub(i64::from(settings.keep_days));
        if self.cautious_until.is_none_or(|until| at >= until) {
            if let Some(day) = oldest(db)?.filter(|day| *day < oldest_kept) {
                let why = format!("it is older than {} days", settings.keep_days);
                remove::some_of(db, day, &why, now)?;
                return Ok(Step::More);
            }
            if self.trimmed.is_none_or(|last| at.saturating_duration_since(last) >= TRIM) {
                self.trimmed = Some(at);
                remove::before(db, begin_of_day(oldest_kept))?;
            }
        }
        self.fit(db, settings, now)
    }

    /// Whether the wall clock went on as it should, compared with the run before and with the time since boot.
    fn watch_clock(&mut self, db: &Connection, now: Timestamp, at: Instant) -> Result<()> {
        let expected = match self.seen {
            Some((wall, since)) => wall.saturating_add(at.saturating_duration_since(since)).unwrap_or(wall),
            None => {
                let sql = "SELECT seen FROM run WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1";
                db.query_row(sql, [], |row| row.get(0)).optional()?.map_or(now, timestamp)
            }
        };
        if now.duration_since(expected).unsigned_abs() > LEAP {
            self.cautious_until = Some(at + CAUTION);
        }
        self.seen = Some((now, at));
        Ok(())
    }

    fn fit(&mut self, db: &mut Connection, settings: &Settings, now: Timestamp) -> Result<Step> {
        let (pages, free, page) = pages(db)?;
        let used = (pages - free).saturating_mul(page);
        self.shrinking =
            if self.shrinking { used > settings.max_bytes / 10 * 9 } else { used > settings.max_bytes };
        if self.shrinking {
            let today = day_of(now);
            let next = "SELECT day, level FROM day WHERE level < ?1 AND day < ?2 ORDER BY level, day LIMIT 1";
            let next = db
                .query_row(next, [LAST_LEVEL, today], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
                })
                .optional()?;
            match (next, oldest(db)?) {
                (Some((day, level)), _) => self.roll_up(db, day, level + 1, now)?,
                (None, Some(day)) => {
                    remove::some_of(db, day, "the ledger has no more room (`ledger.max_size`)", now)?;
                }
                (None, None) => remove::oldest_of_the_rest(db, now)?,
            }
            return Ok(Step::More);
        }
        remove::note_what_is_partly_gone(db, now)?;
        if free > VACUUM.into() && free > pages / SPARE {
            db.execute_batch(&format!("PRAGMA incremental_vacuum({VACUUM})"))?;
            return Ok(Step::Freed);
        }
        Ok(Step::Nothing)
    }

    fn roll_up(&mut self, db: &mut Connection, day: i64, level: i64, now: Timestamp) -> Result<()> {
        let (moved, merged) = roll_up(db, day, level)?;
        self.rolled.0 += moved;
        self.rolled.1 += merged;
        if moved > 0 {
            return Ok(());
        }
        let (moved, merged) = std::mem::take(&mut self.rolled);
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE day SET level = ?2 WHERE day = ?1", [day, level])?;
        if moved > 0 {
            let networks = if level == 1 { "/24 and /48" } else { "/16 and /32" };
            let text = format!(
                "the peers of {} were rolled up to networks of {networks}: {moved} rows became {}; sums are the same",
                date(day),
                moved - merged,
            );
            add_note(&transaction, &Note { at: now, kind: NoteKind::RolledUp, text: text.into() })?;
        }
        transaction.commit()
    }
}

/// The first day that there is.
fn oldest(db: &Connection) -> Result<Option<i64>> {
    db.query_row("SELECT min(day) FROM day", [], |row| row.get(0))
}

/// Pages of the database, how many of them are free, and how many bytes each has.
pub(super) fn pages(db: &Connection) -> Result<(u64, u64, u64)> {
    let number = |pragma: &str| {
        db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, u32>(0)).map(u64::from)
    };
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    Ok((pages, free.min(pages), number("page_size")?))
}
