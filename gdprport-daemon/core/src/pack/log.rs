//! The evidence log as a pack has it: which of its checkpoints are handed over, and who signed when.
//!
//! Does not belong here: whether they are right, which `evidence::verify` says with the log itself, and reading its files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{Checkpoint, Note, Rotation, divided, is_torn};

/// Bytes of a note that is handed over at most: one of ours has 600. A log may have one for each day of a long time.
const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// What a pack has of the evidence log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPart {
    /// Its checkpoints, in their order.
    pub checkpoints: Vec<Handed>,
    /// Notes among its checkpoints that are none, as far as they were looked at.
    pub unreadable: u64,
    /// Notes of rotations of its key, one behind the other; empty: there was none.
    pub rotations: String,
}

/// A checkpoint that is handed over, as its note says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "HandedCheckpoint")]
pub struct Handed {
    /// Whose log: the name of its key, too.
    pub origin: String,
    /// Entries of the log by then.
    pub size: u64,
    /// The root of its tree, in Base64.
    pub root: String,
    /// When it was made, by the host's clock.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// Its number among the checkpoints of the log, from 0.
    pub sequence: u64,
    /// The signed note.
    #[serde(skip)]
    pub note: String,
}

impl Handed {
    fn of(note: &[u8]) -> Option<Self> {
        if note.len() > NOTE_BYTES_MAX {
            return None;
        }
        let parsed = Note::parse(note).ok()?;
        let read: Checkpoint = parsed.unverified_text().parse().ok()?;
        let facts = read.facts?;
        Some(Self {
            origin: read.origin.to_string(),
            size: read.head.size,
            root: read.head.root.base64(),
            time: facts.time,
            sequence: facts.sequence,
            note: String::from_utf8(note.to_vec()).ok()?,
        })
    }
}

/// Chooses among the checkpoints of a log those of a period: the last one before it, its first, and the last of each of its days,
/// so that as many are kept as it has days, however many there are.
#[derive(Debug)]
pub struct Choice {
    from: Timestamp,
    to: Timestamp,
    before: Option<Handed>,
    first: Option<Handed>,
    /// By days since 1970, in UTC.
    last_of: BTreeMap<i64, Handed>,
    unreadable: u64,
}

impl Choice {
    /// Of a period with both its ends.
    #[must_use]
    pub const fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, before: None, first: None, last_of: BTreeMap::new(), unreadable: 0 }
    }

    /// Whether this note is a checkpoint before the period: all that stand before it are older.
    #[must_use]
    pub fn is_before(&self, note: &[u8]) -> bool {
        Handed::of(note).is_some_and(|handed| handed.time < self.from)
    }

    /// Looks at the next checkpoint of the log.
    pub fn take(&mut self, note: &[u8]) {
        let Some(handed) = Handed::of(note) else {
            // The end of one that is being written is missing; it is none of the period.
            self.unreadable += u64::from(!is_torn(note));
            return;
        };
        if handed.time > self.to {
            return;
        }
        if handed.time < self.from {
            // Of a clock that was set back while the period had begun, the time is not known.
            if self.first.is_none() {
                self.before = Some(handed);
            }
            return;
        }
        if self.first.is_none() {
            self.first = Some(handed.clone());
        }
        self.last_of.insert(handed.time.as_second().div_euclid(DAY_S), handed);
    }

    /// What was chosen, with those of these rotations that were made by the end of the period.
    #[must_use]
    pub fn chosen(self, rotations: &[u8]) -> LogPart {
        let mut checkpoints: Vec<Handed> =
            self.before.into_iter().chain(self.first).chain(self.last_of.into_values()).collect();
        checkpoints.sort_by_key(|handed| handed.sequence);
        checkpoints.dedup_by_key(|handed| handed.sequence);
        let made = |note: &[u8]| {
            let rotation = Note::parse(note).ok().and_then(|note| Rotation::verified(&note).ok())?;
            (rotation.time <= self.to).then(|| String::from_utf8_lossy(note).into_owned())
        };
        LogPart {
            checkpoints,
            unreadable: self.unreadable,
            rotations: divided(rotations).filter_map(made).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Facts, Hash, Head, KeyName, Reason, SecretKey, Sums};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn key(secret: u8) -> SecretKey {
        SecretKey::new(KeyName::new("gdprport/db1").expect("a name"), &[secret; 32])
    }

    fn note(sequence: u64, time: Timestamp) -> Vec<u8> {
        let facts = Facts {
            sequence,
            time,
            boot: uuid::Uuid::nil(),
            reason: Reason::Activity,
            sums: Sums::default(),
        };
        let head = Head { size: 10 * sequence, root: Hash::of(&sequence.to_be_bytes()) };
        let origin = key(1).public().name().clone();
        let text = Checkpoint { origin, head, facts: Some(facts) }.to_string();
        Note::sign(text, &[&key(1)]).to_string().into_bytes()
    }

    /// The sequences of what is chosen from the 1st to the end of the 3rd, of checkpoints with these times.
    fn chosen(times: &[&str]) -> Vec<u64> {
        let mut choice = Choice::new(at("2026-11-01T00:00:00Z"), at("2026-11-03T23:59:59Z"));
        for (sequence, time) in (0..).zip(times) {
            choice.take(&note(sequence, at(time)));
        }
        choice.chosen(b"").checkpoints.iter().map(|handed| handed.sequence).collect()
    }

    #[test]
    fn a_period_has_the_ends_of_its_days_and_what_was_before() {
        assert_eq!(chosen(&[]), [0; 0]);
        assert_eq!(chosen(&["2026-10-30T00:00:00Z", "2026-11-04T00:00:00Z"]), [0]);
        let times = [
            "2026-10-30T00:00:00Z",
            "2026-10-31T23:59:59.999999Z", // the last before
            "2026-11-01T00:00:00Z",        // the first
            "2026-11-01T12:00:00Z",
            "2026-11-01T23:59:59Z", // the last of its day
            "2026-11-03T00:00:00Z",
            "2026-11-03T23:59:59Z", // the latest
            "2026-11-04T00:00:00Z",
        ];
        assert_eq!(chosen(&times), [1, 2, 4, 6]);
        assert_eq!(chosen(&times[2..3]), [0], "the first, the latest and the last of its day are one");
    }

    #[test]
    fn a_clock_that_goes_back_and_forth_makes_no_more_than_the_days() {
        let times: Vec<&str> = (0..100)
            .map(|at| ["2026-11-03T10:00:00Z", "2026-11-02T10:00:00Z", "2026-10-01T00:00:00Z"][at % 3])
            .collect();
        assert_eq!(chosen(&times), [0, 97, 99]);
    }

    #[test]
    fn no_checkpoint_is_counted_unless_it_is_being_written() {
        let mut choice = Choice::new(at("2026-11-01T00:00:00Z"), at("2026-11-03T00:00:00Z"));
        let whole = note(0, at("2026-11-02T00:00:00Z"));
        choice.take(&whole);
        choice.take(&whole[..whole.len() - 9]);
        choice.take("nonsense\n\n\u{2014} a AAAAAAA=\n".as_bytes());
        let foreign = Note::sign("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n".into(), &[&key(1)]);
        choice.take(foreign.to_string().as_bytes());
        let mut long = whole.clone();
        long.extend_from_slice(&"\u{2014} a AAAAAAA=\n".repeat(2_000).into_bytes());
        choice.take(&long);
        assert!(
            !choice.is_before(&whole)
                && !choice.is_before(b"")
                && choice.is_before(&note(1, Timestamp::UNIX_EPOCH))
        );
        let part = choice.chosen(b"");
        assert_eq!((part.checkpoints.len(), part.unreadable), (1, 3));
        assert_eq!(part.checkpoints[0].note.as_bytes(), whole, "as it stands in the log");
    }

    #[test]
    fn rotations_of_a_later_time_are_no_part_of_it() {
        let rotation =
            |old, new, entry, time| Rotation::sign(&key(old), &key(new), entry, at(time)).to_string();
        let (one, two) =
            (rotation(1, 2, 5, "2026-11-02T00:00:00Z"), rotation(2, 3, 9, "2026-11-04T00:00:00Z"));
        let choice = Choice::new(at("2026-11-01T00:00:00Z"), at("2026-11-03T00:00:00Z"));
        let unsigned =
            Note::sign(Note::parse(one.as_bytes()).expect("a note").unverified_text().to_owned(), &[&key(9)]);
        let part = choice.chosen(format!("{one}{unsigned}{two}").as_bytes());
        assert_eq!(part.rotations, one);
    }
}
