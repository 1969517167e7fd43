//! Whether the spool can be written, and by this daemon alone.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::room::free_bytes;
use crate::control::api::{Check, CheckResult};
use crate::host::trust::exposure_of_state;
use crate::sink::SinkStats;
use crate::sink::spool::{SpoolError, SpoolReader, SpoolSettings};

/// What is left of its file system below which it may not be written any more soon: what is written before anything is removed is
/// more.
const SPACE: u64 = 64 << 20;

/// How it is. `sinks`: of a daemon that runs in this process. `configured`: where the next one would write it.
pub(super) fn check(sinks: Option<&[SinkStats]>, configured: Option<&SpoolSettings>) -> Option<Check> {
    let written = sinks.into_iter().flatten().find(|sink| sink.spooled.is_some());
    let path = match (written, sinks, configured) {
        (Some(sink), ..) => PathBuf::from(sink.counts.name.strip_prefix("spool:")?),
        (None, None, Some(settings)) => settings.dir.clone(),
        _ => return None,
    };
    let error = written.and_then(|sink| sink.last_error.as_deref());
    let (result, found, remedy) = match wrong(&path, error) {
        Some((found, remedy)) => (CheckResult::Degraded, found, remedy),
        None => (
            CheckResult::Ok,
            format!("{}, which nobody but root and the service can change", path.display()),
            None,
        ),
    };
    Some(Check { id: "spool".to_owned(), result, found, remedy })
}

/// What is wrong with it in one sentence, and what to do.
fn wrong(path: &Path, error: Option<&str>) -> Option<(String, Option<String>)> {
    const ELSEWHERE: &str = "give it another place: `path` in [spool] of gdprport.toml";
    let shown = path.display();
    let says = |found: String, remedy: &str| Some((found, Some(format!("{remedy}, or {ELSEWHERE}"))));
    if let Some(error) = error {
        // The sentence ends with its remedy.
        let (found, remedy) =
            error.split_once("; ").map_or((error, None), |(found, remedy)| (found, Some(remedy)));
        return Some((found.to_owned(), remedy.map(ToOwned::to_owned)));
    }
    if let Ok(Some(how)) = exposure_of_state(path) {
        return says(
            format!("others than root can change {shown}, so nothing is stored: {how}"),
            "let only root and the service change it",
        );
    }
    let extent = SpoolReader::open(path).and_then(|mut reader| reader.extent());
    if let Err(SpoolError::Newer { version, .. }) = extent {
        let found = format!(
            "{shown} is of a newer gdprport (format {version}), so nothing is stored and nothing is sent"
        );
        return says(found, "update this gdprport");
    }
    // Root may write to any other one.
    if access(path, Access::WRITE_OK) == Err(rustix::io::Errno::ROFS) {
        let found =
            format!("{shown} cannot be written, as its file system is read-only, so nothing is stored");
        return says(found, "mount it writable");
    }
    match free_bytes(&path.join("in")) {
        Some(free) if free < SPACE => {
            says(format!("{} MiB are free where {shown} is", free >> 20), "make room there")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_fault_of_a_spool_has_a_sentence_and_a_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let shown = dir.path().display().to_string();
        assert_eq!(wrong(dir.path(), None), None);
        assert_eq!(wrong(&dir.path().join("missing"), None), None, "the daemon makes it");
        let stopped = "the spool /s cannot be written: No space left on device; make room there";
        let (found, remedy) = wrong(dir.path(), Some(stopped)).expect("it is wrong");
        assert_eq!(found, "the spool /s cannot be written: No space left on device");
        assert_eq!(remedy.as_deref(), Some("make room there"));
        let newer = [&b"gdprspl\x1a\x02\x00"[..], &[0; 86]].concat();
        fs::write(dir.path().join("00000000000000000001.spool"), newer).expect("a segment");
        let (found, remedy) = wrong(dir.path(), None).expect("it is wrong");
        assert_eq!(
            found,
            format!("{shown} is of a newer gdprport (format 2), so nothing is stored and nothing is sent")
        );
        assert!(
            remedy.is_some_and(|remedy| remedy.starts_with("update this gdprport, or give it another place"))
        );
    }
}
