//! Timestamps on the disk: `NAME.tsr`, the answer of the authority, with `NAME.note` beside it, the checkpoint that it is of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gdprport_core::evidence::Checkpoint;
use jiff::Timestamp;

use super::name::{StampName, superfluous};
use crate::deliver::files::{directory, replace};
use crate::host::configured;

/// The directory of timestamps in the deliverer's state directory.
pub(crate) const DIRECTORY: &str = "stamps";

/// Bytes of a note that are read.
const NOTE_BYTES_MAX: u64 = 128 << 10;

/// The directory, and what is in it.
#[derive(Debug)]
pub(super) struct KeptStamps {
    dir: PathBuf,
    /// In the order of time.
    names: Vec<StampName>,
}

impl KeptStamps {
    /// Makes the directory, if it is not there, and lists it.
    ///
    /// # Errors
    /// If it cannot be made, written to or listed.
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        let dir = directory(state, DIRECTORY)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let name = entry?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".tsr"));
            names.extend(stem.and_then(StampName::parse));
        }
        names.sort();
        Ok(Self { dir, names })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// The latest one.
    pub(super) fn latest(&self) -> Option<&StampName> {
        self.names.last()
    }

    /// The entries of the log that the latest one covers, if its note can be read.
    pub(super) fn covered(&self) -> Option<u64> {
        let note = configured::read(&self.path(self.latest()?, "note"), NOTE_BYTES_MAX).ok()?;
        let text = String::from_utf8(note).ok()?;
        let end = text.find("\n\n")?;
        text[..=end].parse::<Checkpoint>().ok().map(|read| read.head.size)
    }

    /// Adds one, and removes those that need not be kept any more.
    ///
    /// # Errors
    /// If it cannot be written. What cannot be removed is tried again with the next one.
    pub(super) fn add(
        &mut self,
        name: &StampName,
        note: &str,
        answer: &[u8],
        now: Timestamp,
    ) -> io::Result<()> {
        // So there is no timestamp without its note.
        replace(&self.path(name, "note"), note.as_bytes())?;
        replace(&self.path(name, "tsr"), answer)?;
        self.names.push(name.clone());
        self.names.sort();
        self.names.dedup();
        let gone: Vec<StampName> = superfluous(&self.names, now).into_iter().cloned().collect();
        for name in gone {
            let removed = ["tsr", "note"].map(|end| fs::remove_file(self.path(&name, end)));
            if removed.iter().all(|removed| removed.as_ref().map_or_else(is_absent, |()| true)) {
                self.names.retain(|kept| *kept != name);
            }
        }
        Ok(())
    }

    fn path(&self, name: &StampName, end: &str) -> PathBuf {
        self.dir.join(format!("{name}.{end}"))
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use gdprport_core::evidence::Hash;

    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        let state = tempfile::tempdir().expect("a directory");
        let mut kept = KeptStamps::open(state.path()).expect("writable");
        assert_eq!((kept.count(), kept.latest()), (0, None));
        let now = "2026-11-30T14:05:01Z".parse::<Timestamp>().expect("a time");
        let note = format!("log\n3\n{}\n\n\u{2014} log AAAAAAA=\n", Hash::of(b"x").base64());
        let name = StampName::new(now, 41, &Hash::of(b"x"));
        kept.add(&name, &note, b"answer", now).expect("writable");
        fs::write(state.path().join("stamps/other.tsr"), "").expect("writable");
        let again = KeptStamps::open(state.path()).expect("readable");
        assert_eq!((again.count(), again.latest(), again.covered()), (1, Some(&name), Some(3)));
        assert_eq!(fs::read(again.path(&name, "tsr")).expect("written"), b"answer");
        assert_eq!(fs::read_to_string(again.path(&name, "note")).expect("written"), note);
        assert_eq!(
            fs::read_dir(state.path().join("stamps")).expect("listed").count(),
            3,
            "nothing else is left"
        );
    }

    #[test]
    fn what_need_not_be_kept_goes_with_its_note() {
        let state = tempfile::tempdir().expect("a directory");
        let mut kept = KeptStamps::open(state.path()).expect("writable");
        let add = |kept: &mut KeptStamps, time: &str, now: &str| {
            let name = StampName::new(time.parse().expect("a time"), 1, &Hash::of(b"x"));
            kept.add(&name, "note", b"answer", now.parse().expect("a time")).expect("writable");
        };
        add(&mut kept, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z");
        add(&mut kept, "2026-01-01T11:00:00Z", "2026-01-01T11:00:00Z");
        assert_eq!(kept.count(), 2);
        add(&mut kept, "2026-06-01T11:00:00Z", "2026-06-01T11:00:00Z");
        let mut files: Vec<_> = fs::read_dir(state.path().join("stamps"))
            .expect("listed")
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        files.sort();
        assert_eq!(files.len(), 4, "{files:?}");
        assert!(files[0].to_string_lossy().starts_with("20260101T110000Z"), "{files:?}");
    }
}
