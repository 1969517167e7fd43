//! The verification of a log, from its first block to what comes of it.

use super::finding::What;
use super::log::{Elsewhere, Log};
use super::state::{Absent, Expected, Pass, Stopped, Verified};
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::key::PublicKey;
use crate::evidence::note::{Note, divided};
use crate::evidence::rotation::Keys;
use crate::evidence::tile::WIDTH;

/// Verifies a log. `trusted`: the key that the auditor knows. `elsewhere`: checkpoints that were kept where the host's root could
/// not change them.
///
/// # Errors
/// If there is nothing to verify against, or a file cannot be read. What is wrong with the log is no error but a finding.
pub fn verify<L: Log>(
    log: &mut L,
    trusted: &PublicKey,
    elsewhere: &[Elsewhere],
) -> Result<Verified, Stopped<L::Error>> {
    let keys = keys(log, trusted)?;
    let mut pass = Pass::new(keys);
    let latest = pass.latest(&log.latest()?).map_err(Stopped::NoCheckpoint)?;
    pass.kept_elsewhere(elsewhere, latest.head);
    let mut number = 0;
    while number * WIDTH < latest.head.size {
        #[expect(clippy::cast_possible_truncation, reason = "at most 256")]
        let width = WIDTH.min(latest.head.size - number * WIDTH) as u16;
        if !pass.block(log, number, width, latest.head.size)? {
            break;
        }
        log.progress(pass.tree.size());
        number += 1;
    }
    pass.finish(log, &latest)
}

fn keys<L: Log>(log: &mut L, trusted: &PublicKey) -> Result<Keys, Stopped<L::Error>> {
    let bytes = log.rotations()?;
    let mut notes = Vec::new();
    for note in divided(&bytes) {
        notes.push(Note::parse(note).map_err(|error| Stopped::Keys(error.into()))?);
    }
    Keys::of(trusted, &notes).map_err(Stopped::Keys)
}

impl Pass {
    fn finish<L: Log>(mut self, log: &mut L, latest: &Checkpoint) -> Result<Verified, Stopped<L::Error>> {
        if self.tree.size() == latest.head.size {
            self.heads(log)?;
            let time = latest.facts.map(|facts| facts.time);
            self.compare(&Expected { head: latest.head, time, elsewhere: None, stamp: None });
        }
        self.rest(log, latest)?;
        self.absences();
        let Self { runs, marks, mut findings, erased, away, counts, stamps, .. } = self;
        let declared_missing = runs.declared;
        runs.finish(&mut findings);
        Ok(Verified {
            origin: latest.origin.to_string(),
            head: latest.head,
            facts: latest.facts,
            entries: counts.entries,
            events: counts.events,
            bytes: counts.bytes,
            declared_missing,
            checkpoints: marks.count,
            elsewhere: counts.elsewhere,
            stamps,
            erased,
            away,
            findings,
        })
    }

    /// What is not there was erased, and what was erased is not there.
    fn absences(&mut self) {
        for Absent { from, to, time } in &self.absent {
            if !self.erased.covers(*from, *to) {
                let detail = "these entries are not there, and nothing declares that they were erased";
                self.findings.over(What::Missing, (*from, *to), *time, detail);
            }
        }
        for range in self.erased.ranges() {
            let mut from = range.from;
            let within = |gone: &&Absent| gone.to > range.from && gone.from < range.to;
            for gone in self.absent.iter().filter(within) {
                if gone.from > from {
                    break;
                }
                from = gone.to;
            }
            if from < range.to {
                let detail = "it was declared erased and is there still";
                self.findings.at(What::NotErased, from, Some(range.time), detail);
            }
        }
    }
}
