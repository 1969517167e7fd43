//! What the deliverer knows of itself, for its control socket: the configuration, every sink, and how far each is.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gdprport_core::delivery::{FaultySink, Sink};
use gdprport_core::event::Host;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::cursor::Unread;
use super::stamps::StampsKnown;
use super::standing::Standing;
use crate::control::api::{
    ConfigStanding, DeliverStatus, LagStanding, SinkStanding, SinkState, SinkTotals, SpoolStanding,
};
use crate::host::usage;
use crate::sink::spool::{SpoolError, SpoolReader};

/// One sink that runs.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) sink: Sink,
    pub(super) standing: Standing,
    /// What is wrong with its new configuration, while it goes on as before.
    pub(super) problems: Option<String>,
}

/// The main loop's end and the control socket's. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Timestamp,
    host: Host,
    known: Mutex<Known>,
    /// What the spool holds. Kept, because it reads only what is new.
    survey: Mutex<Option<(PathBuf, SpoolReader)>>,
    /// Whoever looks at the spool has it.
    looking: Arc<Semaphore>,
    /// What was found the last time.
    last: Mutex<Option<Look>>,
}

/// What the spool held.
#[derive(Debug, Clone)]
struct Look {
    /// When it was begun.
    at: Timestamp,
    spool: SpoolStanding,
    /// What lay before each sink.
    lags: HashMap<Arc<str>, LagStanding>,
}

/// What changes when the configuration is read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) config: ConfigStanding,
    pub(super) spool: PathBuf,
    pub(super) rows: Vec<Row>,
    pub(super) faulty: Vec<FaultySink>,
    pub(super) stamps: Option<StampsKnown>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn new(started: Timestamp, host: Host, known: Known) -> Self {
        Self(Arc::new(Inner {
            started,
            host,
            known: Mutex::new(known),
            survey: Mutex::new(None),
            looking: Arc::new(Semaphore::new(1)),
            last: Mutex::new(None),
        }))
    }

    /// The host, for events that the deliverer makes.
    pub(super) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        locked(&self.0.known)
    }

    /// The sink with this name, if one is configured without a mistake.
    pub(super) fn sink(&self, name: &str) -> Option<Sink> {
        self.known().rows.iter().find(|row| *row.sink.name == *name).map(|row| row.sink.clone())
    }

    /// Looks at all of the spool, unless somebody else has since `asked`. At most one look is under way: a disk that hangs keeps one
    /// thread, and who asks meanwhile waits without one.
    pub(super) async fn look(&self, asked: Timestamp) {
        let Ok(place) = Arc::clone(&self.0.looking).acquire_owned().await else { return };
        if locked(&self.0.last).as_ref().is_some_and(|last| last.at >= asked) {
            return;
        }
        let board = self.clone();
        let looked = spawn_blocking(move || {
            let _place = place;
            board.look_now();
        });
        if let Err(panic) = looked.await {
            tracing::error!(%panic, "looking at the spool failed");
        }
    }

    /// The complete status, from a look at the spool that takes at most `within`, or from the one before.
    pub(super) async fn status(&self, within: Duration) -> DeliverStatus {
        let asked = Timestamp::now();
        let _ = timeout(within, self.look(asked)).await;
        let known = self.known().clone();
        let last =
            locked(&self.0.last).clone().filter(|last| last.spool.path == known.spool.display().to_string());
        let (spool, lags) = match last {
            Some(last) if last.at >= asked => (last.spool, last.lags),
            Some(last) => {
                let error = last.spool.error.clone().unwrap_or_else(|| slow(Some(last.at)));
                (SpoolStanding { error: Some(error), ..last.spool }, last.lags)
            }
            None => (SpoolStanding { error: Some(slow(None)), ..nothing(&known) }, HashMap::new()),
        };
        let lag = |row: &Row| lags.get(&row.sink.name).copied().unwrap_or_default();
        let running = known.rows.iter();
        let running = running.map(|row| row.standing.shown(&row.sink, lag(row), row.problems.clone()));
        DeliverStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.0.started,
            config: known.config,
            spool,
            cpu_ns: u64::try_from(usage::cpu_time().as_nanos()).unwrap_or(u64::MAX),
            rss_kib: usage::resident_kib(),
            sinks: running.chain(known.faulty.iter().map(|sink| faulty(sink, asked))).collect(),
            timestamps: known.stamps.as_ref().map(StampsKnown::shown),
        }
    }

    /// Looks at all of the spool: it reads what is new in it and may wait for the disk.
    fn look_now(&self) {
        let at = Timestamp::now();
        let known = self.known().clone();
        let mut kept = locked(&self.0.survey);
        if kept.as_ref().is_none_or(|(path, _)| *path != known.spool) {
            *kept = None;
        }
        let mut spool = SpoolStanding { read: Some(at), ..nothing(&known) };
        let lags = survey(&mut kept, &known, &mut spool).unwrap_or_else(|error| {
            spool.error = Some(error.to_string());
            *kept = None;
            HashMap::new()
        });
        drop(kept);
        *locked(&self.0.last) = Some(Look { at, spool, lags });
    }
}

fn nothing(known: &Known) -> SpoolStanding {
    let path = known.spool.display().to_string();
    SpoolStanding { path, read: None, events: 0, bytes: 0, oldest: None, error: None }
}

/// Why there is no newer look.
fn slow(last: Option<Timestamp>) -> String {
    match last {
        Some(at) => format!(
            "the disk does not answer: what is said of the spool and of what waits in it is of {}",
            at.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
        None => "the disk does not answer: what waits in the spool is not known yet".to_owned(),
    }
}

/// What lies before each sink, by its name.
fn survey(
    kept: &mut Option<(PathBuf, SpoolReader)>,
    known: &Known,
    standing: &mut SpoolStanding,
) -> Result<HashMap<Arc<str>, LagStanding>, SpoolError> {
    let (_, reader) = match kept {
        Some(kept) => kept,
        None => kept.insert((known.spool.clone(), SpoolReader::open(&known.spool)?)),
    };
    let extent = reader.extent()?;
    (standing.events, standing.bytes, standing.oldest) = (extent.records, extent.bytes, extent.oldest);
    let mut lags = HashMap::new();
    for row in &known.rows {
        let place = row.standing.facts().place;
        // Of another spool: all of this one lies before it.
        let ours = place.spool.is_none() || place.spool == extent.spool;
        let index = place.index.filter(|_| ours).unwrap_or(extent.first);
        let lag = reader.lag(index)?;
        if let Some(spool) = extent.spool.filter(|_| ours) {
            let unread = Unread { spool, index, events: lag.events };
            row.standing.facts().unread = (lag.events > 0).then_some(unread);
        }
        let seconds = |at: Timestamp| Timestamp::now().as_second().saturating_sub(at.as_second());
        let seconds = u64::try_from(lag.oldest.map_or(0, seconds)).unwrap_or(0);
        lags.insert(
            Arc::clone(&row.sink.name),
            LagStanding { events: lag.events, bytes: lag.bytes, seconds },
        );
    }
    Ok(lags)
}

fn faulty(sink: &FaultySink, now: Timestamp) -> SinkStanding {
    SinkStanding {
        name: sink.name.as_deref().unwrap_or_default().to_owned(),
        transport: String::new(),
        place: String::new(),
        encoding: String::new(),
        state: SinkState::Faulty,
        problems: Some(sink.problems.to_string()),
        began: String::new(),
        lag: LagStanding::default(),
        totals: SinkTotals::since(now),
        delivered_at: None,
        failed_attempts: 0,
        failure: None,
        refused: None,
        lost: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_the_disk_hangs_the_last_standing_is_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_owned();
        let config = ConfigStanding { path: "x".to_owned(), read: Timestamp::now(), refused: None };
        let known = Known { config, spool: path, rows: Vec::new(), faulty: Vec::new(), stamps: None };
        let host = Host { name: "db-1".into(), boot_id: "boot".into() };
        let board = Board::new(Timestamp::now(), host, known);
        let short = Duration::from_millis(30);
        let hang = |board: &Board| {
            let (board, (send, wait)) = (board.clone(), std::sync::mpsc::channel::<()>());
            let (locked_send, is_locked) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let _held = locked(&board.0.survey);
                locked_send.send(()).expect("it waits");
                let _ = wait.recv();
            });
            is_locked.recv().expect("it is held");
            (send, thread)
        };
        let (end, thread) = hang(&board);
        let first = board.status(short).await.spool;
        assert!(first.read.is_none() && first.error.is_some_and(|error| error.contains("not known yet")));
        drop(end);
        thread.join().expect("no panic");
        let fresh = board.status(Duration::from_secs(20)).await.spool;
        assert_eq!(fresh.error, None);
        let (end, thread) = hang(&board);
        for _ in 0..20 {
            let old = board.status(short).await.spool;
            assert_eq!(old.read, fresh.read, "with its age");
            assert!(old.error.is_some_and(|error| error.contains("the disk does not answer")));
        }
        assert_eq!(board.0.looking.available_permits(), 0, "one look is under way, and no other");
        drop(end);
        thread.join().expect("no panic");
        assert_eq!(board.status(Duration::from_secs(20)).await.spool.error, None);
    }
}
