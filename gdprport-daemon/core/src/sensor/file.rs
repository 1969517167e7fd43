//! Reading `gdprport.toml` for the sensor: every mistake in its tables, not only the first.

use super::scalar::{LabelPattern, Several};
use super::settings::{
    Containers, Events, Evidence, Intervals, Ledger, Limits, Privacy, Sandbox, Sensor, Spool,
};
use super::tables::{
    RawContainers, RawEvents, RawEvidence, RawIntervals, RawLedger, RawLimits, RawPrivacy, RawSandbox,
    RawSensor, RawSpool, RawTruncate,
};
use crate::container::ShownLabels;
use crate::privacy::Truncate;
use crate::written::{At, Loc, Problems, Report, Source, TableReader};

/// The tables that the sensor reads.
pub const TABLES: &[&str] = &[
    "events",
    "limits",
    "intervals",
    "containers",
    "privacy",
    "ledger",
    "metrics",
    "spool",
    "evidence",
    "sandbox",
];

/// The tables of the same file that the deliverer reads, and judges.
const OF_DELIVERER: [&str; 2] = ["sink", "deliver"];

/// Directories in `containers.state`: each has a thread of its own.
const STATE_MAX: usize = 16;

/// The value without its place.
fn given<T>(written: Option<At<T>>) -> Option<T> {
    written.map(|at| at.value)
}

impl Sensor {
    /// Reads the file.
    ///
    /// # Errors
    /// All problems. What stands in the deliverer's tables is its own to judge, unless the file is not TOML.
    pub fn parse(source: Source) -> Result<Self, Problems> {
        let sources = [source];
        let mut report = Report::masked(&sources);
        let document = report.document(0);
        let start = Loc { source: 0, start: 0, end: 0 };
        let mut fields = TableReader::of(document.get_ref(), start, "the configuration", &mut report);
        for table in OF_DELIVERER {
            fields.skip(table);
        }
        let has_sinks = document.get_ref().iter().any(|(name, _)| name.get_ref() == "sink");
        let sensor = Self { has_sinks, ..Self::of(RawSensor::take(fields), &mut report) };
        if report.has_errors() {
            let (list, omitted) = report.finish();
            return Err(Problems { list, omitted });
        }
        Ok(sensor)
    }

    fn of(raw: RawSensor, report: &mut Report<'_>) -> Self {
        let RawSensor {
            events,
            limits,
            intervals,
            containers,
            privacy,
            ledger,
            metrics,
            spool,
            evidence,
            sandbox,
        } = raw;
        Self {
            events: given(events).map(|raw| Events::of(raw, report)).unwrap_or_default(),
            limits: given(limits).as_ref().map(Limits::of).unwrap_or_default(),
            intervals: given(intervals).as_ref().map(Intervals::of).unwrap_or_default(),
            containers: given(containers).map(|raw| Containers::of(raw, report)).unwrap_or_default(),
            privacy: given(privacy).map(Privacy::of).unwrap_or_default(),
            ledger: given(ledger).map(Ledger::of).unwrap_or_default(),
            metrics: given(metrics).and_then(|raw| given(raw.listen)).map(|listen| listen.0),
            spool: given(spool).map(Spool::of).unwrap_or_default(),
            evidence: given(evidence).map(Evidence::of).unwrap_or_default(),
            sandbox: given(sandbox).map(Sandbox::of).unwrap_or_default(),
            has_sinks: false,
        }
    }
}

impl Events {
    fn of(raw: RawEvents, report: &mut Report<'_>) -> Self {
        let labels = raw.labels.and_then(|labels| shown(labels, report));
        Self {
            file: given(raw.file).map(|path| path.0),
            journald: given(raw.journald).unwrap_or_default(),
            labels: labels.unwrap_or_default(),
            queue: given(raw.queue).map(|count| count.0),
        }
    }
}

/// Each pattern was found to be one; together they may be too many.
fn shown(written: At<Several<LabelPattern>>, report: &mut Report<'_>) -> Option<ShownLabels> {
    let patterns = written.value.0.into_iter().map(|at| at.value.0).collect();
    let shown = ShownLabels::new(patterns);
    shown.map_err(|why| report.error(written.loc, why, None)).ok()
}

impl Limits {
    fn of(raw: &RawLimits) -> Self {
        Self {
            flows: given(raw.flows).map(|count| count.0),
            undecided_bytes: given(raw.undecided_bytes).map(|bytes| bytes.0),
            ring_bytes: given(raw.ring_bytes).map(|bytes| bytes.0),
            tasks: given(raw.tasks).map(|count| count.0),
            execs: given(raw.execs).map(|count| count.0),
        }
    }
}

impl Intervals {
    fn of(raw: &RawIntervals) -> Self {
        Self {
            flow_update: given(raw.flow_update).map(|time| time.0),
            names: given(raw.names).map(|time| time.0),
            coverage: given(raw.coverage).map(|time| time.0),
        }
    }
}

impl Containers {
    fn of(raw: RawContainers, report: &mut Report<'_>) -> Self {
        let state = raw.state.map(|state| {
            if state.value.0.len() > STATE_MAX {
                let message = format!("there are {} directories", state.value.0.len());
                report.error(state.loc, message, format!("name at most {STATE_MAX}"));
            }
            state.value.0.into_iter().map(|at| at.value.0).collect()
        });
        Self { lookup: given(raw.lookup), state: state.unwrap_or_default() }
    }
}

impl Privacy {
    fn of(raw: RawPrivacy) -> Self {
        Self {
            pseudonymise: given(raw.pseudonymise).into_iter().flatten().map(|at| at.value).collect(),
            key: given(raw.key).map(|path| path.0),
            truncate: given(raw.truncate).and_then(|lengths| truncate(&lengths)),
        }
    }
}

/// `None` only if a length is missing, which was reported.
fn truncate(raw: &RawTruncate) -> Option<Truncate> {
    let [ipv4, ipv6] = [raw.ipv4.map(|at| at.value.0), raw.ipv6.map(|at| at.value.0)]
        .map(|bits| bits.and_then(|bits| u8::try_from(bits).ok()));
    Truncate::new(ipv4?, ipv6?)
}

impl Ledger {
    fn of(raw: RawLedger) -> Self {
        Self {
            enabled: given(raw.enabled),
            path: given(raw.path).map(|path| path.0),
            keep_days: given(raw.keep).map(|days| days.0),
            max_bytes: given(raw.max_size).map(|size| size.0),
            peers: given(raw.peers).map(|peers| peers.0),
        }
    }
}

impl Evidence {
    fn of(raw: RawEvidence) -> Self {
        Self {
            enabled: given(raw.enabled),
            path: given(raw.path).map(|path| path.0),
            key: given(raw.key).map(|place| place.0),
            keep_days: given(raw.keep).map(|days| days.0),
            max_bytes: given(raw.max_size).map(|size| size.0),
        }
    }
}

impl Spool {
    fn of(raw: RawSpool) -> Self {
        Self {
            enabled: given(raw.enabled),
            path: given(raw.path).map(|path| path.0),
            max_bytes: given(raw.max_size).map(|size| size.0),
            keep: given(raw.keep).map(|time| time.0),
            sync: given(raw.sync),
        }
    }
}

impl Sandbox {
    fn of(RawSandbox { system_calls, files }: RawSandbox) -> Self {
        Self { system_calls: given(system_calls), files: given(files) }
    }
}
