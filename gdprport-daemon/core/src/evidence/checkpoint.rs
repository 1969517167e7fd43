//! Checkpoints: what the log was at one moment, as the text that is signed (C2SP tlog-checkpoint), and the facts that gdprport
//! adds in extension lines. Does not belong here: signatures (`note`).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

use super::hash::Hash;
use super::key::KeyName;
use super::proof::Head;

/// The first extension line: what the others are. A later version adds lines and keeps these.
const FORMAT: &str = "gdprport.checkpoint/1";

/// A checkpoint, as its text says. Whether it is signed is the note's matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log: the name of its key, too.
    pub origin: KeyName,
    /// Size and root of the tree.
    pub head: Head,
    /// When and why it was made. `None` if its extension lines are not gdprport's.
    pub facts: Option<Facts>,
}

/// When and why a checkpoint was made, and what was watched by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Counts the checkpoints of a log from 0, without a gap.
    pub sequence: u64,
    /// When it was made, by the host's clock, to the microsecond.
    pub time: Timestamp,
    /// The kernel's random id of the boot.
    pub boot: Uuid,
    /// Why it was made.
    pub reason: Reason,
    /// What was watched, seen and missed since the daemon that made it was started.
    pub sums: Sums,
}

/// Sums of one run of the daemon, from its start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Milliseconds for which its hooks were attached.
    pub watched_ms: u64,
    /// Events that were emitted.
    pub emitted: u64,
    /// Of these, those that are not in the log; gap entries have them too.
    pub unlogged: u64,
    /// Occasions that the daemon knows to have missed: records of the kernel that were lost.
    pub lost: u64,
}

/// Why a checkpoint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The daemon was started.
    Start,
    /// A minute has passed in which something was logged.
    Activity,
    /// An hour has passed without anything to log.
    Heartbeat,
    /// A policy became active.
    Policy,
    /// Entries were erased.
    Erasure,
    /// Another key signs from now on.
    Rotation,
    /// The daemon ends.
    Stop,
}

impl Reason {
    /// All of them, with their words.
    const ALL: [(Self, &'static str); 7] = [
        (Self::Start, "start"),
        (Self::Activity, "activity"),
        (Self::Heartbeat, "heartbeat"),
        (Self::Policy, "policy"),
        (Self::Erasure, "erasure"),
        (Self::Rotation, "rotation"),
        (Self::Stop, "stop"),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or("", |(_, word)| word)
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(reason, _)| *reason)
    }
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It has fewer than three lines, or an empty one.
    #[error("it has not the three lines of a checkpoint: origin, size and root")]
    Lines,
    /// The origin is none.
    #[error("its first line is no name of a log")]
    Origin,
    /// The size is no decimal number.
    #[error("its second line is no size of a tree")]
    Size,
    /// The root is no hash.
    #[error("its third line is no root hash in Base64")]
    Root,
    /// It says that it is gdprport's, and its extension lines are not.
    #[error("its extension lines are not those of {FORMAT}")]
    Facts,
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        let origin = KeyName::new(origin).ok_or(CheckpointError::Origin)?;
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        let extension: Vec<&str> = lines.collect();
        if extension.iter().any(|line| line.is_empty()) {
            return Err(CheckpointError::Lines);
        }
        let facts = match extension.split_first() {
            Some((&FORMAT, lines)) => Some(Facts::of(lines).ok_or(CheckpointError::Facts)?),
            _ => None,
        };
        Ok(Self { origin, head: Head { size, root }, facts })
    }
}

impl Facts {
    /// From the lines behind the first; those that are not known are a later version's.
    fn of(lines: &[&str]) -> Option<Self> {
        let value = |key: &str| {
            let mut values =
                lines.iter().filter_map(|line| line.split_once(' ').filter(|(name, _)| *name == key));
            let (_, value) = values.next()?;
            values.next().is_none().then_some(value)
        };
        let number = |key| value(key).and_then(decimal);
        Some(Self {
            sequence: number("sequence")?,
            time: value("time")?.parse().ok()?,
            boot: value("boot")?.parse().ok()?,
            reason: Reason::from_word(value("reason")?)?,
            sums: Sums {
                watched_ms: number("watched_ms")?,
                emitted: number("emitted")?,
                unlogged: number("unlogged")?,
                lost: number("lost")?,
            },
        })
    }
}

/// A decimal number without sign and leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// The text that is signed, each line with its line feed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.head.size, self.head.root.base64())?;
        let Some(Facts { sequence, time, boot, reason, sums }) = &self.facts else { return Ok(()) };
        writeln!(f, "{FORMAT}\nsequence {sequence}\ntime {time:.6}\nboot {boot}\nreason {}", reason.word())?;
        let Sums { watched_ms, emitted, unlogged, lost } = sums;
        writeln!(f, "watched_ms {watched_ms}\nemitted {emitted}\nunlogged {unlogged}\nlost {lost}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the specification (C2SP tlog-checkpoint).
    const EXAMPLE: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn sample() -> Checkpoint {
        Checkpoint {
            origin: KeyName::new("gdprport/db1.example.org").expect("a name"),
            head: Head { size: 70_000, root: Hash::of(b"root") },
            facts: Some(Facts {
                sequence: 41,
                time: "2026-11-30T01:02:03.000004Z".parse().expect("a time"),
                boot: "8d0f3b62-7a55-4f0c-9d5e-3c1f6a2b4e70".parse().expect("an id"),
                reason: Reason::Heartbeat,
                sums: Sums { watched_ms: 3_600_000, emitted: 812, unlogged: 0, lost: 3 },
            }),
        }
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let read: Checkpoint = EXAMPLE.parse().expect("the specification's");
        assert_eq!((read.origin.as_str(), read.head.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(read.facts, None);
        assert_eq!(read.to_string(), EXAMPLE);
    }

    #[test]
    fn a_checkpoint_has_the_lines_that_are_documented() {
        insta::assert_snapshot!(sample(), @r"
        gdprport/db1.example.org
        70000
        SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=
        gdprport.checkpoint/1
        sequence 41
        time 2026-11-30T01:02:03.000004Z
        boot 8d0f3b62-7a55-4f0c-9d5e-3c1f6a2b4e70
        reason heartbeat
        watched_ms 3600000
        emitted 812
        unlogged 0
        lost 3
        ");
        assert_eq!(sample().to_string().parse(), Ok(sample()));
    }

    #[test]
    fn lines_of_a_later_version_are_passed_over() {
        let text = format!("{}hub 1234\nword\n", sample());
        assert_eq!(text.parse(), Ok(sample()));
    }

    #[test]
    fn what_is_no_checkpoint_says_which_line() {
        let text = sample().to_string();
        for (text, error) in [
            ("a\n1\n".to_owned(), CheckpointError::Lines),
            (text.trim_end().to_owned(), CheckpointError::Lines),
            (format!("{text}\n"), CheckpointError::Lines),
            (text.replace("gdprport/db1", "a b"), CheckpointError::Origin),
            (text.replace("\n70000", "\n070000"), CheckpointError::Size),
            (text.replace("\n70000", "\n-1"), CheckpointError::Size),
            (text.replace("\n70000", "\n18446744073709551616"), CheckpointError::Size),
            (text.replace("SBNJ", "SBN"), CheckpointError::Root),
            (text.replace("sequence 41\n", ""), CheckpointError::Facts),
            (text.replace("reason heartbeat", "reason fun"), CheckpointError::Facts),
            (text.replace("lost 3", "lost 3\nlost 0"), CheckpointError::Facts),
            (text.replace("2026-11-30", "2026-13-30"), CheckpointError::Facts),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_checkpoint_or_none(text in "a\n[0-9]{1,3}\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n(\\PC{0,9}\n){0,4}") {
            if let Ok(read) = text.parse::<Checkpoint>() {
                prop_assert!(text.starts_with(&read.to_string()));
            }
        }
    }
}
