//! One pass through a log: blocks into a tree, and the entries against each other.

use jiff::Timestamp;

use super::block::{Judged, judge};
use super::finding::What;
use super::log::{Log, Text};
use super::runs::EventHead;
use super::state::{Absent, Pass};
use crate::evidence::entry::{Entry, Kind};
use crate::evidence::note::Note;
use crate::evidence::own::{Own, time_of};
use crate::evidence::rotation::Rotation;
use crate::evidence::tile::{HEIGHT, WIDTH};
use crate::evidence::tree::Kept;

/// When the last entry before this place of a block was emitted; `before`: the one before the block. If neither is known, the first one
/// behind it.
fn near(entries: &[(u16, Entry<'_>)], place: u16, before: Option<Timestamp>) -> Option<Timestamp> {
    let mut earlier = entries.iter().rev().filter(|(at, _)| *at < place);
    earlier
        .find_map(|(_, entry)| time_of(entry))
        .or(before)
        .or_else(|| entries.iter().find_map(|(_, entry)| time_of(entry)))
}

impl Pass {
    /// One block. Returns whether to go on.
    pub(super) fn block<L: Log>(
        &mut self,
        log: &mut L,
        number: u64,
        width: u16,
        size: u64,
    ) -> Result<bool, L::Error> {
        let base = number * WIDTH;
        let block = log.block(number, width)?;
        let root = if u64::from(width) == WIDTH { log.kept(1, number, size)? } else { None };
        let Judged { hashes, entries, is_absent, wrong } = judge(&block, width, root);
        for (what, at, detail) in wrong {
            let time = near(&entries, at, self.time);
            self.findings.at(what, base + u64::from(at), time, detail);
        }
        if is_absent {
            self.absent(base, base + u64::from(width));
        }
        let mut kept = Vec::new();
        match (hashes, root) {
            (Some(hashes), _) => {
                for hash in hashes {
                    self.heads(log)?;
                    self.tree.append(hash, |hash| kept.push(hash));
                }
            }
            (None, Some(root)) => {
                self.heads(log)?;
                self.tree.append_tile(root, |hash| kept.push(hash));
            }
            (None, None) => {
                let detail = "neither its entry nor its hash is there: nothing behind it can be verified";
                self.findings.over(What::Missing, (base, size), self.time, detail);
                return Ok(false);
            }
        }
        for kept in kept.into_iter().filter(|kept| kept.level > 0) {
            self.upper(log, kept, size)?;
        }
        for (at, entry) in entries {
            self.entry(log, base + u64::from(at), &entry)?;
        }
        Ok(true)
    }

    pub(super) fn absent(&mut self, from: u64, to: u64) {
        self.runs.skip();
        match self.absent.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => self.absent.push(Absent { from, to, time: self.time }),
        }
    }

    /// Compares a hash of an upper level with its tile.
    pub(super) fn upper<L: Log>(&mut self, log: &mut L, kept: Kept, size: u64) -> Result<(), L::Error> {
        let Kept { level, index, hash } = kept;
        let stored = log.kept(level, index, size)?;
        if stored == Some(hash) {
            return Ok(());
        }
        let span = u32::from(level) * u32::from(HEIGHT);
        let range = (index << span, (index + 1) << span);
        let detail = match stored {
            Some(_) => format!("the tile of level {level} has another hash of these entries"),
            None => format!("the tile of level {level} is missing or too short"),
        };
        self.findings.over(What::TileChanged, range, self.time, detail);
        Ok(())
    }

    pub(super) fn entry<L: Log>(
        &mut self,
        log: &mut L,
        index: u64,
        entry: &Entry<'_>,
    ) -> Result<(), L::Error> {
        self.counts.entries += 1;
        self.counts.bytes += entry.content.len() as u64;
        match entry.kind {
            Some(Kind::Event) => match serde_json::from_slice::<EventHead>(entry.content) {
                Ok(head) => {
                    self.counts.events += 1;
                    self.time = Some(head.time);
                    self.runs.event(index, &head, &mut self.findings);
                }
                Err(_) => {
                    self.findings.at(What::Unreadable, index, self.time, "it is no event");
                }
            },
            Some(Kind::Own) => match Own::parse(entry.content) {
                Some(own) => self.own(log, index, own)?,
                None => self.findings.at(What::Unreadable, index, self.time, "it is no statement of the log"),
            },
            None => {
                let detail = "its kind is one of a newer version: verify with that";
                self.findings.at(What::Unreadable, index, self.time, detail);
            }
        }
        Ok(())
    }

    pub(super) fn own<L: Log>(&mut self, log: &mut L, index: u64, own: Own) -> Result<(), L::Error> {
        self.time = own.time().or(self.time);
        self.runs.own(index, &own, &mut self.findings);
        match own {
            Own::Erased { ranges, .. } => {
                let kept = |range: &(u64, u64)| ranges.covers(range.0, range.1);
                let lost = self.erased.ranges().iter().any(|range| !kept(&(range.from, range.to)));
                if lost {
                    let detail = "it does not state all that earlier erasures stated";
                    self.findings.at(What::Missing, index, self.time, detail);
                }
                self.erased = ranges;
            }
            Own::Policy { files, .. } => {
                for file in files {
                    let detail = match log.policy(&file.sha256)? {
                        Text::Right => continue,
                        Text::Wrong => format!("policy/{} is another text", file.sha256),
                        Text::Absent => format!("policy/{} is missing", file.sha256),
                    };
                    self.findings.at(What::Policy, index, self.time, detail);
                }
            }
            Own::Rotated { note, .. } => {
                let stated = Note::parse(note.as_bytes()).ok();
                let stated = stated.and_then(|note| Rotation::verified(&note).ok());
                let known = self.keys.rotations().iter().find(|rotation| rotation.entry == index);
                if stated.is_none() || stated.as_ref() != known {
                    let detail = "this rotation of the key is not the one of the file `rotations`";
                    self.findings.at(What::Unsigned, index, self.time, detail);
                }
            }
            Own::Unknown => {
                let detail = "it is a statement of a newer version: verify with that";
                self.findings.at(What::Unreadable, index, self.time, detail);
            }
            Own::Begun { .. }
            | Own::Started { .. }
            | Own::Stopped { .. }
            | Own::Gap { .. }
            | Own::Oversized { .. } => {}
        }
        Ok(())
    }
}
