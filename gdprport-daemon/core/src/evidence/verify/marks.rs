//! The checkpoints of a log, in the order in which they were made: whether one is missing, whether their sizes and times go on,
//! and whether the daemon was silent for longer than it may.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Findings, What};
use crate::evidence::checkpoint::{Checkpoint, Facts, Reason};
use crate::evidence::proof::Head;

/// How long may pass between two checkpoints of one daemon: an hour, and what a busy host is late.
const SILENCE_MAX: SignedDuration = SignedDuration::from_mins(65);

/// What is known of the checkpoint before.
#[derive(Debug, Clone, Copy)]
struct Last {
    head: Head,
    facts: Facts,
}

/// Goes through the log's own checkpoints.
#[derive(Debug, Default)]
pub(super) struct Marks {
    last: Option<Last>,
    /// Checkpoints that were read.
    pub(super) count: u64,
}

impl Marks {
    /// The next one of the log's own files.
    pub(super) fn next(&mut self, checkpoint: &Checkpoint, findings: &mut Findings) {
        let Some(facts) = checkpoint.facts else {
            findings.at(
                What::Checkpoints,
                checkpoint.head.size,
                None,
                "a checkpoint among the log's own has no sequence and no time",
            );
            return;
        };
        self.count += 1;
        let this = Last { head: checkpoint.head, facts };
        match self.last.replace(this) {
            Some(last) => compare(&last, &this, findings),
            None if facts.sequence != 0 => findings.on(
                What::Checkpoints,
                Some(facts.time),
                format!("the first {} checkpoints are missing", facts.sequence),
            ),
            None => {}
        }
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<(Head, Facts)> {
        self.last.map(|last| (last.head, last.facts))
    }
}

fn compare(last: &Last, this: &Last, findings: &mut Findings) {
    let (before, now) = (&last.facts, &this.facts);
    let mut add = |what, detail: String| findings.at(what, last.head.size, Some(now.time), detail);
    if now.sequence <= before.sequence {
        add(What::Checkpoints, format!("checkpoint {} stands behind {}", now.sequence, before.sequence));
    } else if now.sequence - before.sequence > 1 {
        let missing = now.sequence - before.sequence - 1;
        add(What::Checkpoints, format!("{missing} checkpoint(s) before number {} are missing", now.sequence));
    }
    if this.head.size < last.head.size {
        add(
            What::Checkpoints,
            format!(
                "checkpoint {} has {} entries, fewer than the one before ({})",
                now.sequence, this.head.size, last.head.size
            ),
        );
    }
    if silent(before, now) {
        let hours = now.time.duration_since(before.time).as_secs_f64() / 3600.0;
        add(
            What::Silent,
            format!(
                "for {hours:.1} hours there is no checkpoint, where the daemon makes one each hour; it was not stopped in between"
            ),
        );
    }
}

/// Whether the daemon made no checkpoint for longer than it may. After its end, in whatever way, the next one is of a start.
fn silent(before: &Facts, now: &Facts) -> bool {
    let running = now.reason != Reason::Start && before.reason != Reason::Stop && now.boot == before.boot;
    running && now.time.duration_since(before.time) > SILENCE_MAX
}

/// Times between a checkpoint and the next one that begins another daemon: nobody watched.
#[must_use]
pub(super) fn away(before: Option<(Head, Facts)>, now: &Facts) -> Option<(Timestamp, Timestamp, bool)> {
    let (_, before) = before?;
    (now.reason == Reason::Start).then_some((before.time, now.time, before.reason == Reason::Stop))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::evidence::{Hash, KeyName, Sums};

    fn checkpoint(sequence: u64, size: u64, minute: i64, reason: Reason) -> Checkpoint {
        Checkpoint {
            origin: KeyName::new("host").expect("a name"),
            head: Head { size, root: Hash::of(b"") },
            facts: Some(Facts {
                sequence,
                time: Timestamp::from_second(minute * 60).expect("a time"),
                boot: uuid::Uuid::nil(),
                reason,
                sums: Sums::default(),
            }),
        }
    }

    fn found(checkpoints: &[Checkpoint]) -> Vec<What> {
        let (mut marks, mut findings) = (Marks::default(), Findings::default());
        checkpoints.iter().for_each(|checkpoint| marks.next(checkpoint, &mut findings));
        findings.kept().iter().map(|finding| finding.what).collect()
    }

    #[rstest]
    #[case::in_order(&[(0, 2, 0, Reason::Start), (1, 9, 1, Reason::Activity), (2, 9, 61, Reason::Heartbeat)], &[])]
    #[case::missing(&[(0, 2, 0, Reason::Start), (2, 9, 1, Reason::Activity)], &[What::Checkpoints])]
    #[case::swapped(&[(0, 2, 0, Reason::Start), (2, 9, 2, Reason::Activity), (1, 8, 1, Reason::Activity)], &[What::Checkpoints, What::Checkpoints, What::Checkpoints])]
    #[case::smaller(&[(0, 9, 0, Reason::Start), (1, 8, 1, Reason::Activity)], &[What::Checkpoints])]
    #[case::without_a_beginning(&[(3, 9, 0, Reason::Start)], &[What::Checkpoints])]
    #[case::silent(&[(0, 2, 0, Reason::Start), (1, 2, 66, Reason::Heartbeat)], &[What::Silent])]
    #[case::stopped(&[(0, 2, 0, Reason::Start), (1, 2, 1, Reason::Stop), (2, 3, 9000, Reason::Start)], &[])]
    #[case::killed(&[(0, 2, 0, Reason::Start), (1, 3, 9000, Reason::Start)], &[])]
    fn checkpoints_follow_each_other(#[case] given: &[(u64, u64, i64, Reason)], #[case] expected: &[What]) {
        let given: Vec<Checkpoint> = given
            .iter()
            .map(|(sequence, size, minute, reason)| checkpoint(*sequence, *size, *minute, *reason))
            .collect();
        let found = found(&given);
        if expected.len() == 3 {
            // Sequence, size, and the sequence behind the gap.
            assert!(found.iter().all(|what| *what == What::Checkpoints) && found.len() >= 2, "{found:?}");
        } else {
            assert_eq!(found, expected);
        }
    }
}
