//! What the deliverer knows of itself, for its control socket: the configuration, every sink, and how far each is.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gdprport_core::delivery::{FaultySink, Sink};
use gdprport_core::event::Host;
use jiff::Timestamp;

use super::standing::Standing;
use crate::control::api::{
    ConfigStanding, DeliverStatus, LagStanding, SinkStanding, SinkState, SinkTotals, SpoolStanding,
};
use crate::host::usage;
use crate::sink::spool::SpoolReader;

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
}

/// What changes when the configuration is read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) config: ConfigStanding,
    pub(super) spool: PathBuf,
    pub(super) rows: Vec<Row>,
    pub(super) faulty: Vec<FaultySink>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn new(started: Timestamp, host: Host, known: Known) -> Self {
        Self(Arc::new(Inner { started, host, known: Mutex::new(known), survey: Mutex::new(None) }))
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

    /// The complete status. It reads what is new in the spool and may wait for the disk.
    pub(super) fn status(&self, now: Timestamp) -> DeliverStatus {
        let known = self.known().clone();
        let (spool, lags) = self.survey(&known, now);
        let running = known.rows.iter().zip(lags);
        let running = running.map(|(row, lag)| row.standing.shown(&row.sink, lag, row.problems.clone()));
        DeliverStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.0.started,
            config: known.config,
            spool,
            cpu_ns: u64::try_from(usage::cpu_time().as_nanos()).unwrap_or(u64::MAX),
            rss_kib: usage::resident_kib(),
            sinks: running.chain(known.faulty.iter().map(|sink| faulty(sink, now))).collect(),
        }
    }

    fn survey(&self, known: &Known, now: Timestamp) -> (SpoolStanding, Vec<LagStanding>) {
        let mut kept = locked(&self.0.survey);
        let mut standing = SpoolStanding {
            path: known.spool.display().to_string(),
            events: 0,
            bytes: 0,
            oldest: None,
            error: None,
        };
        if kept.as_ref().is_none_or(|(path, _)| *path != known.spool) {
            *kept = None;
        }
        let read = (|| {
            let (_, reader) = match &mut *kept {
                Some(kept) => kept,
                None => kept.insert((known.spool.clone(), SpoolReader::open(&known.spool)?)),
            };
            let extent = reader.extent()?;
            (standing.events, standing.bytes, standing.oldest) =
                (extent.records, extent.bytes, extent.oldest);
            let lag = |row: &Row| {
                let place = row.standing.facts().place;
                // Of another spool: all of this one lies before it.
                let ours = place.spool.is_none() || place.spool == extent.spool;
                let index = place.index.filter(|_| ours).unwrap_or(extent.first);
                let lag = reader.lag(index)?;
                let seconds =
                    lag.oldest.map_or(0, |oldest| now.as_second().saturating_sub(oldest.as_second()));
                let seconds = u64::try_from(seconds).unwrap_or(0);
                Ok(LagStanding { events: lag.events, bytes: lag.bytes, seconds })
            };
            known.rows.iter().map(lag).collect::<Result<Vec<_>, _>>()
        })();
        let lags = read.unwrap_or_else(|error: crate::sink::spool::SpoolError| {
            standing.error = Some(error.to_string());
            *kept = None;
            vec![LagStanding::default(); known.rows.len()]
        });
        (standing, lags)
    }
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
