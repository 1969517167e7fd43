//! How far a sink is: one small file for each, replaced as a whole.
//!
//! A cursor is of one sink (name, type, place) and one spool. One that cannot be read or is of something else is not used, and the
//! sink says where it begins instead.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gdprport_core::delivery::Sink;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::files::replace;
use crate::control::api::SinkTotals;
use crate::host::configured;
use crate::sink::spool::Seen;

/// Bytes that a cursor may have: this program's own have some 400.
const BYTES_MAX: u64 = 64 << 10;

/// A place in a spool: everything before it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The spool; `None`: whichever is there.
    pub(super) spool: Option<Uuid>,
    /// The index of the next record; `None`: the oldest one.
    pub(super) index: Option<u64>,
    /// The record before it, by which a spool that was put back from a copy is recognised.
    #[serde(default)]
    pub(super) seen: Option<Seen>,
}

/// What is known to lie in a spool before a place: what is lost at least, should the spool go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unread {
    pub(super) spool: Uuid,
    pub(super) index: u64,
    pub(super) events: u64,
}

impl Unread {
    /// How many lie before a place at least.
    pub(super) fn at(self, place: Place) -> u64 {
        let (Some(spool), index) = (place.spool, place.index.unwrap_or(0)) else { return 0 };
        if spool == self.spool { self.events.saturating_sub(index.saturating_sub(self.index)) } else { 0 }
    }
}

/// What is kept of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    version: u32,
    sink: String,
    #[serde(flatten)]
    kept: Kept,
}

/// What is kept of how far a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) place: Place,
    /// What became of the events before it.
    pub(super) totals: SinkTotals,
    /// What is known to lie behind it.
    #[serde(default)]
    pub(super) unread: Option<Unread>,
}

/// The version of the format.
const VERSION: u32 = 1;

/// Whose a cursor is: the same text for the same name, type and place of the receiver. A digest, because a place may be long.
fn identity(sink: &Sink) -> String {
    let mut digest = Sha256::new();
    for part in [&*sink.name, sink.target.kind().as_str(), &sink.target.place()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Whether a cursor of one is that of the other.
pub(super) fn is_same(sink: &Sink, other: &Sink) -> bool {
    identity(sink) == identity(other)
}

/// What was found of a sink that begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It continues here.
    Cursor(Kept),
    /// There is none.
    None,
    /// There is one of another receiver.
    OfAnother,
    /// There is one that cannot be used, and why.
    Unusable(String),
}

/// The file of a sink's cursor.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    sink: String,
    /// What was written last, by number: a write that comes late does not turn it back.
    written: u64,
}

impl CursorFile {
    /// Names the file, in a directory that is there.
    pub(super) fn new(directory: &Path, sink: &Sink) -> Self {
        Self { path: directory.join(&*sink.name), sink: identity(sink), written: 0 }
    }

    /// Reads it.
    pub(super) fn find(&self) -> Found {
        let text = match configured::read(&self.path, BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::None,
            Err(error) => return Found::Unusable(error.to_string()),
        };
        match serde_json::from_slice::<Cursor>(&text) {
            Ok(cursor) if cursor.version != VERSION => {
                Found::Unusable(format!("it is of version {}, this program reads {VERSION}", cursor.version))
            }
            Ok(cursor) if cursor.sink != self.sink => Found::OfAnother,
            Ok(cursor) => Found::Cursor(cursor.kept),
            Err(_) => Found::Unusable("it is no cursor".to_owned()),
        }
    }

    /// Reads it on the blocking pool. What does not come until then cannot be used.
    pub(super) async fn find_until(self, until: Instant) -> (Arc<Mutex<Self>>, Found) {
        let cursor = Arc::new(Mutex::new(self));
        let read = Arc::clone(&cursor);
        let read = spawn_blocking(move || read.lock().unwrap_or_else(PoisonError::into_inner).find());
        let found = match timeout_at(until, read).await {
            Ok(Ok(found)) => found,
            Ok(Err(panic)) => Found::Unusable(panic.to_string()),
            Err(_) => Found::Unusable("the disk does not answer".to_owned()),
        };
        (cursor, found)
    }

    /// Replaces it, unless a later one (by `number`) was written.
    ///
    /// # Errors
    /// If it cannot be written; the one before is still there.
    pub(super) fn write(&mut self, number: u64, kept: Kept) -> io::Result<()> {
        if number <= self.written {
            return Ok(());
        }
        let cursor = Cursor { version: VERSION, sink: self.sink.clone(), kept };
        let text = serde_json::to_vec(&cursor).map_err(io::Error::other)?;
        replace(&self.path, &text)?;
        self.written = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gdprport_core::delivery::Delivery;
    use gdprport_core::written::Source;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn sink(name: &str, address: &str) -> Sink {
        let text =
            format!("[[sink]]\nname = \"{name}\"\ntype = \"syslog\"\naddress = \"tcp://{address}:601\"\n");
        Delivery::parse(Source { name: "x".to_owned(), text }).expect("valid").sinks.remove(0)
    }

    fn kept(spool: Option<u128>, index: u64) -> Kept {
        let place = Place { spool: spool.map(Uuid::from_u128), index: Some(index), seen: None };
        let totals = SinkTotals { delivered: index, ..SinkTotals::since(Timestamp::UNIX_EPOCH) };
        Kept { place, totals, unread: None }
    }

    #[test]
    fn a_cursor_of_an_earlier_version_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = CursorFile::new(dir.path(), &sink("a", "x"));
        let text = format!(
            r#"{{"version":1,"sink":"{}","place":{{"spool":null,"index":3}},"totals":{{"since":"1970-01-01T00:00:00Z","delivered":3,"bytes":0,"filtered":0,"refused":0,"lost":0}}}}"#,
            file.sink
        );
        fs::write(dir.path().join("a"), text).expect("writable");
        assert_eq!(file.find(), Found::Cursor(kept(None, 3)));
    }

    #[test]
    fn what_lies_before_a_place_is_never_overstated() {
        let unread = Unread { spool: Uuid::from_u128(7), index: 10, events: 5 };
        let at = |index| unread.at(kept(Some(7), index).place);
        assert_eq!([at(8), at(10), at(12), at(15), at(99)], [5, 5, 3, 0, 0]);
        assert_eq!(unread.at(kept(Some(8), 10).place), 0, "of another spool nothing is known");
    }

    #[test]
    fn a_cursor_is_found_again_and_only_by_its_own_sink() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = CursorFile::new(dir.path(), &sink("a", "x"));
        assert_eq!(file.find(), Found::None);
        let mut kept = kept(Some(7), 3);
        kept.place.seen = Some(Seen { index: 2, time: 5, sum: 6 });
        kept.unread = Some(Unread { spool: Uuid::from_u128(7), index: 3, events: 9 });
        file.write(1, kept).expect("writable");
        let again = CursorFile::new(dir.path(), &sink("a", "x"));
        assert_eq!(again.find(), Found::Cursor(kept));
        assert_eq!(CursorFile::new(dir.path(), &sink("a", "y")).find(), Found::OfAnother);
        assert_eq!(CursorFile::new(dir.path(), &sink("b", "x")).find(), Found::None);
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_write_that_comes_late_does_not_turn_it_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = CursorFile::new(dir.path(), &sink("a", "x"));
        file.write(2, kept(None, 20)).expect("writable");
        file.write(1, kept(None, 10)).expect("nothing to do");
        assert_eq!(file.find(), Found::Cursor(kept(None, 20)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_cursor_or_are_said_to_be_none(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..400) {
            let dir = tempfile::tempdir().expect("a directory");
            let mut file = CursorFile::new(dir.path(), &sink("a", "x"));
            file.write(1, kept(Some(7), 3)).expect("writable");
            let whole = fs::read(dir.path().join("a")).expect("written");
            fs::write(dir.path().join("a"), &whole[..cut.min(whole.len())]).expect("writable");
            let found = file.find();
            prop_assert!(matches!(found, Found::Unusable(_)) != (cut >= whole.len()), "{found:?}");
            fs::write(dir.path().join("a"), &bytes).expect("writable");
            prop_assert!(matches!(file.find(), Found::Unusable(_)));
        }
    }
}
