//! The log as the bench measures it: its writer without queue and thread, and the verification of what it wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdprport_core::evidence::verify;
use uuid::Uuid;

use super::disk::Directory;
use super::files::Files;
use super::handle::EvidenceHandle;
use super::key;
use super::settings::EvidenceSettings;
use super::writer::{ThisRun, Writer};
use crate::sink::Batch;
use crate::sink::destination::Target as _;

/// A log that is written as fast as it can be.
pub struct Logged {
    writer: Box<Writer>,
    /// What stands in each line before and behind its number.
    line: (String, String),
    next: u64,
    handed: Arc<Batch>,
}

impl std::fmt::Debug for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logged").field("next", &self.next).finish_non_exhaustive()
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Entries that are right.
    pub entries: u64,
    /// What is wrong.
    pub findings: u64,
}

impl Logged {
    /// A log in this directory, of events that are this native line, each with a number of its own.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn new(dir: &Path, line: &str) -> Result<Self, String> {
        let run = Uuid::now_v7();
        let after = |text: &str, key: &str| text.find(key).map(|at| at + key.len());
        let number = after(line, "\"seq\":").ok_or("it has no seq")?;
        let digits = line[number..].bytes().take_while(u8::is_ascii_digit).count();
        let (before, mut behind) = (line[..number].to_owned(), line[number + digits..].to_owned());
        let id = after(&behind, "\"run\":\"").filter(|at| behind.is_char_boundary(at + 36));
        let id = id.ok_or("it has no run behind its seq")?;
        behind.replace_range(id..id + 36, &run.to_string());
        let settings =
            EvidenceSettings { dir: dir.to_owned(), key: key_of(dir), keep: None, max_bytes: u64::MAX };
        let this = ThisRun { run, boot: Uuid::nil(), host: "bench".to_owned() };
        let mut writer = Box::new(Writer::new(settings, this, EvidenceHandle::default(), None));
        writer.open();
        Ok(Self { writer, line: (before, behind), next: 1, handed: Arc::new(Batch::default()) })
    }

    /// Makes the next events, which takes no part in the measurement. Returns their bytes.
    pub fn prepare(&mut self, events: u64) -> usize {
        let mut batch = Batch::default();
        let (begin, rest) = &self.line;
        for seq in self.next..self.next + events {
            batch.add(|line| {
                line.extend_from_slice(begin.as_bytes());
                line.extend_from_slice(seq.to_string().as_bytes());
                line.extend_from_slice(rest.as_bytes());
                line.push(b'\n');
            });
        }
        self.next += events;
        self.handed = Arc::new(batch);
        self.handed.bytes() - self.handed.len()
    }

    /// Writes what was prepared, and does what is due then.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn write(&mut self) -> Result<(), String> {
        let report = self.writer.write(&self.handed, self.handed.len());
        if let Some(failure) = report.failure {
            return Err(format!("{failure:?}"));
        }
        if self.writer.due().is_some_and(|due| due <= std::time::Instant::now()) {
            self.writer.tend()?;
        }
        Ok(())
    }
}

fn key_of(dir: &Path) -> PathBuf {
    dir.with_extension("key")
}

/// Verifies a log of [`Logged`], as `gdprport evidence verify` does.
///
/// # Errors
/// Why it cannot be verified.
pub fn verified(dir: &Path) -> Result<Found, String> {
    let key = key::read(&key_of(dir)).map_err(|error| format!("{error:?}"))?;
    let disk = Directory::new(dir.to_owned());
    let verified = verify(&mut Files::new(&disk, |_| {}), key.public(), &[]);
    let verified = verified.map_err(|error| format!("{error:?}"))?;
    Ok(Found { entries: verified.entries, findings: verified.findings.count() })
}
