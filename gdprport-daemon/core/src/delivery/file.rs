//! `gdprport.toml` as the deliverer reads it: its own tables, and where the spool is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use toml::de::{DeTable, DeValue};

use super::sink::{Sink, place_of};
use super::timestamps::{RawTimestamps, TimestampSettings};
use crate::sensor;
use crate::written::{
    AbsolutePath, At, Loc, Loopback, Node, Problem, Problems, Read, Report, Source, TableReader, tables,
};

/// Sinks that there may be: each has a task, a file that it reads and a batch in memory.
pub const SINKS_MAX: usize = 64;

tables! {
    /// How the deliverer runs.
    "`[deliver]`" => struct RawDeliver as "Deliver" {
        required {}
        optional {
            /// The directory in which the deliverer notes how far each sink is.
            state: AbsolutePath,
            /// Its control socket.
            socket: AbsolutePath,
            /// An address of the host itself on which metrics are served.
            metrics: Loopback,
            /// Who stamps checkpoints of the evidence log.
            timestamps: RawTimestamps,
        }
        later {}
    }
}

/// How the deliverer runs; what is not given has a default that is not this module's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The directory in which it notes how far each sink is.
    pub state: Option<PathBuf>,
    /// Its control socket.
    pub socket: Option<PathBuf>,
    /// An address of the host itself on which metrics are served.
    pub metrics: Option<SocketAddr>,
    /// Who stamps checkpoints of the evidence log, if somebody does.
    pub timestamps: Option<TimestampSettings>,
}

impl Settings {
    /// Where it notes that, unless it is said otherwise.
    pub const STATE: &str = "/var/lib/gdprport-deliver";

    /// The directory in which it notes how far each sink is.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| Self::STATE.into())
    }
}

/// What the deliverer needs of the sensor's `[spool]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpoolPlace {
    /// Whether the sensor writes one, if that is said.
    pub enabled: Option<bool>,
    /// Where it is, if that is said.
    pub path: Option<PathBuf>,
}

impl Read for SpoolPlace {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let mut fields = TableReader::open(node, "`[spool]`", report)?;
        let enabled: Option<At<bool>> = fields.optional("enabled");
        let path: Option<At<AbsolutePath>> = fields.optional("path");
        // The other keys are the sensor's to judge.
        fields.abandon();
        Some(Self { enabled: enabled.map(|at| at.value), path: path.map(|at| at.value.0) })
    }
}

/// A sink that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultySink {
    /// Its name, if that can be read.
    pub name: Option<Arc<str>>,
    /// What is wrong with it, at least one error.
    pub problems: Problems,
}

/// What the file asks of the deliverer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The sinks, in the order of the file.
    pub sinks: Vec<Sink>,
    /// Those that are left out.
    pub faulty: Vec<FaultySink>,
    /// How the deliverer runs.
    pub settings: Settings,
    /// Where the spool is.
    pub spool: SpoolPlace,
}

impl Delivery {
    /// Reads the file. A sink with an error is left out and listed; the others are used.
    ///
    /// # Errors
    /// All problems, if it is not TOML or anything but a sink is wrong.
    pub fn parse(source: Source) -> Result<Self, Problems> {
        let sources = [source];
        let mut report = Report::masked(&sources);
        let document = report.document(0);
        let start = Loc { source: 0, start: 0, end: 0 };
        let mut fields = TableReader::of(document.get_ref(), start, "the configuration", &mut report);
        for table in sensor::TABLES.iter().filter(|table| **table != "spool") {
            fields.skip(table);
        }
        let settings: Option<At<RawDeliver>> = fields.optional("deliver");
        let spool: Option<At<SpoolPlace>> = fields.optional("spool");
        fields.skip("sink");
        fields.close();
        let settings = settings.map(|at| Settings::of(at.value, &mut report)).unwrap_or_default();
        let (sinks, faulty) = read_sinks(document.get_ref(), &mut report);
        if report.has_errors() {
            let (list, omitted) = report.finish();
            return Err(merged(Problems { list, omitted }, faulty));
        }
        Ok(Self { sinks, faulty, settings, spool: spool.map(|at| at.value).unwrap_or_default() })
    }
}

impl Settings {
    fn of(raw: RawDeliver, report: &mut Report<'_>) -> Self {
        Self {
            state: raw.state.map(|at| at.value.0),
            socket: raw.socket.map(|at| at.value.0),
            metrics: raw.metrics.map(|at| at.value.0),
            timestamps: raw.timestamps.and_then(|at| TimestampSettings::of(at.value, report)),
        }
    }
}

fn read_sinks(document: &DeTable<'_>, report: &mut Report<'_>) -> (Vec<Sink>, Vec<FaultySink>) {
    let (mut sinks, mut faulty) = (Vec::new(), Vec::new());
    let Some((_, value)) = document.iter().find(|(name, _)| name.get_ref().as_ref() == "sink") else {
        return (sinks, faulty);
    };
    let node = Node::new(0, value);
    let DeValue::Array(tables) = node.value else {
        let help = "write it in double brackets, `[[sink]]`: there may be several".to_owned();
        report.error(node.loc, format!("`sink` is {}", node.described()), help);
        return (sinks, faulty);
    };
    let mut taken: HashMap<Arc<str>, Loc> = HashMap::new();
    for (index, table) in tables.iter().enumerate() {
        let node = Node::new(0, table);
        let mut own = report.apart();
        let (name, sink) = Sink::read(node, &mut own);
        let place = place_of(name.as_ref(), node.loc);
        if index >= SINKS_MAX {
            own.error(place, format!("there are more than {SINKS_MAX} sinks"), None);
        }
        let name = name.map(|at| at.value.0);
        if let Some(name) = &name {
            match taken.get(name) {
                Some(first) => {
                    let message = format!("the name `{name}` is that of the sink at {}", own.place(*first));
                    own.error(place, message, "every sink has a name of its own".to_owned());
                }
                None => {
                    taken.insert(Arc::clone(name), place);
                }
            }
        }
        match sink.filter(|_| !own.has_errors()) {
            Some(sink) => sinks.push(sink),
            None => {
                let (list, omitted) = own.finish();
                faulty.push(FaultySink { name, problems: Problems { list, omitted } });
            }
        }
    }
    (sinks, faulty)
}

/// All problems of the file in the order of their places.
fn merged(mut all: Problems, faulty: Vec<FaultySink>) -> Problems {
    for FaultySink { problems, .. } in faulty {
        all.list.extend::<Vec<Problem>>(problems.list);
        all.omitted += problems.omitted;
    }
    all.list.sort_by_key(|problem| (problem.line, problem.column));
    all
}
