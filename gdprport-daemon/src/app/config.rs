//! How the daemon runs: `gdprport.toml`, every key with a default, so that no file is needed.
//!
//! What the policy is about (ports, peers, records) does not belong here.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::core::flow::Limits;
use crate::host::probes::Sizes;
use crate::out::DEFAULT_CAPACITY;

/// The file as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where events go.
    pub events: Events,
    /// How much is remembered.
    pub limits: Capacities,
    /// How often things are looked at.
    pub intervals: Intervals,
}

/// Where events go, unless the command line says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// A file of JSON lines.
    pub file: Option<PathBuf>,
    /// The systemd journal.
    pub journald: bool,
    /// Events that may wait for each way out; beyond it they are dropped and counted.
    pub queue: NonZeroUsize,
}

impl Default for Events {
    fn default() -> Self {
        Self { file: None, journald: false, queue: DEFAULT_CAPACITY }
    }
}

/// How much is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capacities {
    /// Open flows.
    pub flows: u32,
    /// Bytes of the ring buffer between kernel and daemon; a power of two.
    pub ring_bytes: u32,
    /// Processes whose identity the kernel side keeps.
    pub tasks: u32,
    /// Executables whose name the kernel side keeps.
    pub execs: u32,
}

impl Default for Capacities {
    fn default() -> Self {
        let sizes = Sizes::default();
        let flows = u32::try_from(Limits::default().flows).unwrap_or(u32::MAX);
        Self { flows, ring_bytes: sizes.ring_bytes, tasks: sizes.tasks, execs: sizes.execs }
    }
}

/// How often things are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intervals {
    /// Between two `flow.update` of a long-lived flow.
    #[serde(deserialize_with = "duration")]
    pub flow_update: Duration,
    /// Between two rounds of resolving host names.
    #[serde(deserialize_with = "duration")]
    pub names: Duration,
    /// Between two `coverage` events when nothing is lost.
    #[serde(deserialize_with = "duration")]
    pub coverage: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            flow_update: Duration::from_secs(60),
            names: Duration::from_secs(60),
            coverage: Duration::from_secs(300),
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!("{error}: write it as \"60s\" or \"5m\"")))?;
    if (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&duration) {
        Ok(duration)
    } else {
        Err(de::Error::custom("must be from 1s to 1d"))
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It has an error; the text shows where.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
}

impl Config {
    /// Reads the file; one that does not exist is the default.
    ///
    /// # Errors
    /// If it exists and cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        };
        Self::parse(&text).map_err(|message| ConfigError::Invalid { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let limits = &config.limits;
        if !limits.ring_bytes.is_power_of_two() || !(1 << 16..=1 << 28).contains(&limits.ring_bytes) {
            return Err("limits.ring_bytes must be a power of two from 65536 to 268435456".to_owned());
        }
        for (name, value) in [
            ("flows", limits.flows),
            ("tasks", limits.tasks),
            ("execs", limits.execs),
            ("queue", u32::try_from(config.events.queue.get()).unwrap_or(u32::MAX)),
        ] {
            if !(64..=1 << 22).contains(&value) {
                return Err(format!("{name} must be from 64 to 4194304"));
            }
        }
        Ok(config)
    }

    /// Sizes of the kernel side's maps.
    #[must_use]
    pub const fn sizes(&self) -> Sizes {
        Sizes { ring_bytes: self.limits.ring_bytes, tasks: self.limits.tasks, execs: self.limits.execs }
    }

    /// Bounds of the flow table.
    #[must_use]
    pub fn flow_limits(&self) -> Limits {
        Limits {
            flows: self.limits.flows as usize,
            update_ns: u64::try_from(self.intervals.flow_update.as_nanos()).unwrap_or(u64::MAX),
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_and_so_is_none() {
        assert_eq!(Config::parse("").expect("valid"), Config::default());
        assert_eq!(Config::load(Path::new("/nonexistent/x.toml")).expect("valid"), Config::default());
    }

    #[test]
    fn every_key_is_taken() {
        let config = Config::parse(
            "[events]\nfile = \"/e\"\njournald = true\nqueue = 100\n[limits]\nflows = 1000\nring_bytes = 65536\n\
             tasks = 1000\nexecs = 100\n[intervals]\nflow_update = \"10s\"\nnames = \"5m\"\ncoverage = \"1h\"\n",
        )
        .expect("valid");
        assert_eq!(config.sizes(), Sizes { ring_bytes: 65_536, tasks: 1_000, execs: 100 });
        assert_eq!(config.flow_limits().update_ns, 10_000_000_000);
        assert_eq!(config.intervals.coverage, Duration::from_secs(3600));
    }

    #[test]
    fn mistakes_name_the_place_or_the_key() {
        let error = Config::parse("[limits]\nflow = 1\n").expect_err("unknown key");
        assert!(error.contains("line 2") && error.contains("flow"), "{error}");
        let error = Config::parse("[limits]\nring_bytes = 100000\n").expect_err("no power of two");
        assert!(error.contains("power of two"), "{error}");
        let error = Config::parse("[intervals]\nnames = \"0s\"\n").expect_err("too short");
        assert!(error.contains("from 1s to 1d"), "{error}");
    }
}
