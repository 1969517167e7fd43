//! Ends of the host at every operation, on a disk that loses what was not synced.

use proptest::prelude::*;

use super::*;
use crate::sink::evidence::disk::Disk as _;
use crate::sink::evidence::erase::Erasure;

/// What a writer does.
#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Sync,
    Checkpoint,
    Erase(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u64..300).prop_map(Step::Append),
        1 => Just(Step::Sync),
        2 => Just(Step::Checkpoint),
        1 => (0_u64..900).prop_map(Step::Erase),
    ];
    proptest::collection::vec(step, 1..8)
}

/// Does the steps until the host ends. Returns the `seq` behind the last event that was synced, and the last checkpoint.
fn run(disk: &Lossy, steps: &[Step], first: u64) -> (u64, Option<Note>) {
    let (mut seq, mut synced, mut note) = (first, first, None);
    let Ok(Opened { mut log, .. }) = opened(disk) else { return (synced, None) };
    let mut step = |step: &Step| -> std::io::Result<()> {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    let _fits = log.append(Kind::Event, &event(seq, at(seq)))?;
                    seq += 1;
                }
                log.commit()?;
            }
            Step::Sync => {
                log.sync()?;
                synced = seq;
            }
            Step::Checkpoint => {
                note = Some(log.checkpoint(Reason::Activity, at(seq), Sums::default())?);
                synced = seq;
            }
            Step::Erase(second) => {
                let (before, why, by) = (at(*second), "retention".to_owned(), "gdprport".to_owned());
                let erasure = Erasure { from: None, before, why, by };
                let done = log.erase(&erasure, at(seq), Sums::default())?;
                if done.note.is_some() {
                    (note, synced) = (done.note, seq);
                }
            }
        }
        Ok(())
    };
    for this in steps {
        if step(this).is_err() {
            break;
        }
    }
    (synced, note)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 }))]

    /// Nothing that was synced is lost, no checkpoint is ahead of the log, and what goes on is one log.
    #[test]
    fn a_log_goes_on_after_the_host_ends_anywhere(
        before in steps(),
        after in 0_u64..60,
        seed: u64,
        later in steps(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = Lossy::default();
        drop(started(&disk, at(0)));
        disk.end_after(after);
        let (synced, note) = run(&disk, &before, 1);
        let disk = disk.after_the_end(|below| random.usize(..below));
        let mut log = started(&disk, at(5000));
        let whole = log.tree.size();
        prop_assert!(whole >= synced, "{whole} entries of {synced} that were synced");
        // Events that are gone are declared, as the sink does.
        let emitted = before.iter().map(|step| if let Step::Append(count) = step { *count } else { 0 }).sum::<u64>();
        let gap = Own::Gap { time: at(5000), run: RUN, events: emitted, reason: "interrupted".into() };
        log.append(Kind::Own, &gap.content()).expect("nothing fails").expect("short");
        log.commit().expect("nothing fails");
        drop(log);
        run(&disk, &later, emitted + 1);
        let mut log = started(&disk, at(9000));
        checkpoint(&mut log, 9001);
        let kept: Vec<Elsewhere> = note.iter().map(elsewhere).collect();
        let verified = verified(&disk, &kept);
        prop_assert_eq!(verified.findings.kept().first(), None);
        prop_assert_eq!(verified.elsewhere, kept.len() as u64);
    }
}

/// A line of its text ends as a signature does.
#[test]
fn a_checkpoint_that_is_torn_at_any_byte_is_cut_off() {
    let disk = Lossy::default();
    drop(started(&disk, at(0)));
    let path = disk.paths().into_iter().find(|path| path.starts_with("checkpoints/")).expect("one was made");
    let whole = disk.read(&path).expect("no error").expect("it is there");
    for length in 1..whole.len() {
        let disk = disk.copy();
        disk.change(&path, |bytes| bytes.extend_from_slice(&whole[..length]));
        let mut log = started(&disk, at(5000));
        checkpoint(&mut log, 5001);
        assert_eq!(verified(&disk, &[]).findings.kept().first(), None, "{length} bytes");
    }
}
