//! Another key signs from some entry on, wherever the host ends meanwhile.

use proptest::prelude::*;

use super::super::recover::Signers;
use super::super::rotate::Next;
use super::*;

/// Opens a log with the keys that lie there, and does with the next one what the daemon does.
fn opened_with(disk: &Lossy, in_place: &mut u8, next: &mut Option<u8>) -> Log<Lossy> {
    let signers = Signers { key: key(*in_place), next: next.map(key) };
    let opened = open(disk.clone(), signers, Uuid::nil(), salts);
    let Opened { log, next: then, .. } = opened.unwrap_or_else(|error| panic!("{error:?}"));
    match then {
        Next::Signs => *in_place = next.take().expect("there is one"),
        Next::Void => *next = None,
        Next::Absent => assert_eq!(*next, None),
    }
    log
}

fn verified_by(disk: &Lossy, secret: u8) -> Verified {
    let public = key(secret).public().clone();
    verify(&mut Files::new(disk, |_| {}), &public, &[])
        .unwrap_or_else(|error| panic!("nothing could be verified: {error:?}"))
}

#[test]
fn whoever_knows_one_of_the_keys_verifies_the_log() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..300);
    let early = checkpoint(&mut log, 300);
    for new in [2, 3] {
        log.rotate(key(new), at(300)).expect("nothing fails");
        log.checkpoint(Reason::Rotation, at(300), Sums::default()).expect("nothing fails");
        log.rotated().expect("nothing fails");
        append(&mut log, u64::from(new) * 300 - 300..u64::from(new) * 300);
        checkpoint(&mut log, 300 * u64::from(new));
    }
    drop(log);
    for secret in 1..=3 {
        let public = key(secret).public().clone();
        let verified = verify(&mut Files::new(&disk, |_| {}), &public, &[elsewhere(&early)]);
        let verified = verified.unwrap_or_else(|error| panic!("key {secret}: {error:?}"));
        none(&verified);
        assert_eq!((verified.events, verified.elsewhere), (899, 1));
    }
    assert!(verify(&mut Files::new(&disk, |_| {}), key(4).public(), &[]).is_err());
    // Neither an older key nor a stranger's signs what comes then.
    for secret in [1, 2, 4] {
        assert!(matches!(open(disk.clone(), key(secret), Uuid::nil(), salts), Err(Unusable::Wrong(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 32 }))]

    /// Whenever the host ends, one of the two keys signs on, and the log is one that verifies by both.
    #[test]
    fn a_rotation_that_is_interrupted_is_done_or_never_was(
        events in 1_u64..600,
        after in 0_u64..40,
        key_was_moved: bool,
        seed: u64,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = Lossy::default();
        let mut log = started(&disk, at(0));
        append(&mut log, 1..events);
        disk.end_after(after);
        // The key's own files are another file system's: what was renamed there may be so, or not yet.
        let (mut in_place, mut next) = (1, Some(2));
        let stated = log.rotate(key(2), at(events)).is_ok();
        if stated && key_was_moved {
            (in_place, next) = (2, None);
            let done = log.checkpoint(Reason::Rotation, at(events), Sums::default()).is_ok();
            if done {
                let _ends = log.rotated();
            }
        }
        drop(log);
        let disk = disk.after_the_end(|below| random.usize(..below));
        let mut log = opened_with(&disk, &mut in_place, &mut next);
        prop_assert_eq!(next, None, "no key is left over");
        prop_assert_eq!(log.key.public().clone(), key(in_place).public().clone());
        let gap = Own::Gap { time: at(events), run: RUN, events: 600, reason: "interrupted".into() };
        log.append(Kind::Own, &gap.content()).expect("nothing fails").expect("short");
        append(&mut log, 600..700);
        checkpoint(&mut log, 1000);
        drop(log);
        // The first key was never trusted by anybody else than the log's own chain.
        for secret in [1, in_place] {
            none(&verified_by(&disk, secret));
        }
        drop(opened_with(&disk, &mut in_place, &mut next));
    }
}
