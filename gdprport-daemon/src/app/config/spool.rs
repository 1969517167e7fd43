//! Whether and where a spool is written, how much of it is kept, and when it is on the disk, as it is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::size;
use crate::sink::spool::{SpoolSettings, SpoolSync};

/// For how long events can be kept: less is no spool, and each hour has a file.
const KEEP: std::ops::RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(60 * 24);

/// How long it may last until what was written is on the disk: more often is `batch`, more rarely `never`.
const SYNC: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// The part `[spool]` as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpoolConfig {
    /// Whether there is one. Not given: if there is a `[[sink]]`, for that reads it.
    enabled: Option<bool>,
    /// Its directory.
    #[serde(deserialize_with = "path")]
    path: PathBuf,
    /// Bytes that it may have.
    #[serde(deserialize_with = "max_size")]
    max_size: u64,
    /// For how long events are kept.
    #[serde(deserialize_with = "keep")]
    keep: Duration,
    /// When what was written is on the disk.
    #[serde(deserialize_with = "sync")]
    sync: SpoolSync,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        let SpoolSettings { dir, max_bytes, keep, sync } = SpoolSettings::new(SpoolSettings::DIR);
        Self { enabled: None, path: dir, max_size: max_bytes, keep, sync }
    }
}

impl SpoolConfig {
    /// What the spool is opened with; `None`: there is none. `read`: whether somebody reads it. A directory of the command line
    /// wins, and asks for one.
    #[must_use]
    pub(super) fn settings(&self, read: bool, given: Option<&Path>) -> Option<SpoolSettings> {
        (self.enabled.unwrap_or(read) || given.is_some()).then(|| SpoolSettings {
            dir: given.unwrap_or(&self.path).to_owned(),
            max_bytes: self.max_size,
            keep: self.keep,
            sync: self.sync,
        })
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.is_absolute() && path.file_name().is_some() {
        Ok(path)
    } else {
        Err(de::Error::custom(format!("{}: write the path of a directory, from the root", path.display())))
    }
}

fn max_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    size::size(deserializer, SpoolSettings::SIZE)
}

fn keep<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let keep = humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!("{error}: write it as \"7d\" or \"12h\"")))?;
    if KEEP.contains(&keep) { Ok(keep) } else { Err(de::Error::custom("must be from 1h to 60d")) }
}

fn sync<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SpoolSync, D::Error> {
    let text = String::deserialize(deserializer)?;
    match &*text {
        "batch" => return Ok(SpoolSync::Batch),
        "never" => return Ok(SpoolSync::Never),
        _ => {}
    }
    let period = humantime::parse_duration(&text)
        .map_err(|_| de::Error::custom(format!("`{text}`: write \"1s\", \"batch\" or \"never\"")))?;
    if SYNC.contains(&period) {
        Ok(SpoolSync::Within(period))
    } else {
        Err(de::Error::custom("must be from 100ms to 60s, or \"batch\" or \"never\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SpoolConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_of_the_spool_is_taken() {
        let text = "path = \"/data/spool\"\nkeep = \"12h\"\nmax_size = \"2GiB\"\nsync = \"batch\"\n";
        let settings = parse(text).expect("valid").settings(true, None).expect("there is a sink");
        let expected = SpoolSettings {
            dir: "/data/spool".into(),
            max_bytes: 2 << 30,
            keep: Duration::from_hours(12),
            sync: SpoolSync::Batch,
        };
        assert_eq!(settings, expected);
        let of = |sync| parse(&format!("sync = \"{sync}\"\n")).expect("valid").sync;
        assert_eq!(of("never"), SpoolSync::Never);
        assert_eq!(of("500ms"), SpoolSync::Within(Duration::from_millis(500)));
    }

    #[test]
    fn it_is_written_where_a_sink_reads_it_or_who_asks_wants_it() {
        let none = parse("").expect("valid");
        let usual = Some(SpoolSettings::new(SpoolSettings::DIR));
        assert_eq!((none.settings(false, None), none.settings(true, None)), (None, usual.clone()));
        let given = Some(SpoolSettings::new("/x"));
        assert_eq!(none.settings(false, Some(Path::new("/x"))), given);
        let (on, off) =
            (parse("enabled = true\n").expect("valid"), parse("enabled = false\n").expect("valid"));
        assert_eq!((on.settings(false, None), off.settings(true, None)), (usual, None));
        assert_eq!(off.settings(true, Some(Path::new("/x"))), given);
    }

    #[test]
    fn mistakes_of_the_spool_say_how_it_is_written() {
        for (text, part) in [
            ("path = \"spool\"", "from the root"),
            ("path = \"/\"", "from the root"),
            ("keep = \"10m\"", "from 1h to 60d"),
            ("keep = \"7\"", "write it as \"7d\""),
            ("max_size = \"256MB\"", "write it as \"256MiB\""),
            ("max_size = \"1MiB\"", "from 4MiB to 1024GiB"),
            ("sync = \"1h\"", "from 100ms"),
            ("sync = \"always\"", "write \"1s\", \"batch\" or \"never\""),
            ("limit = 1", "unknown field"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
