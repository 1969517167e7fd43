//! Checkpoints that an authority stamped, against the log. Whether the timestamps themselves are good is the core's.

use gdprport_core::evidence::{Elsewhere, LatestStamp, Note, Stamp, StampError, What};
use jiff::SignedDuration;

use super::lossy::Lossy;
use super::{append, at, checkpoint, elsewhere, found, none, started, verified};

/// A note that was stamped at this second.
fn stamped(note: &Note, second: u64) -> Elsewhere {
    let (time, accuracy) = (at(second), SignedDuration::from_secs(1));
    let stamp = Stamp { time, accuracy, authority: "tsa".to_owned() };
    Elsewhere { stamp: Some(Ok(stamp)), ..elsewhere(note) }
}

#[test]
fn timestamps_say_by_when_entries_were_there() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..700);
    let early = checkpoint(&mut log, 700);
    append(&mut log, 700..1000);
    let late = checkpoint(&mut log, 1000);
    let both = verified(&disk, &[stamped(&late, 1002), stamped(&early, 701)]);
    none(&both);
    let stamps = both.stamps.expect("asked");
    let latest = LatestStamp { time: at(1002), entries: 1000, authority: "tsa".to_owned() };
    assert_eq!((stamps.count, stamps.latest), (2, Some(latest)));
    assert_eq!(both.elsewhere, 0, "they need not have been elsewhere");
    assert_eq!(verified(&disk, &[elsewhere(&early)]).stamps, None);
}

#[test]
fn a_checkpoint_is_no_later_than_its_timestamp() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..10);
    let made = checkpoint(&mut log, 1000);
    // Five minutes, and the second by which the authority may be wrong.
    none(&verified(&disk, &[stamped(&made, 1000 - 301)]));
    assert_eq!(found(&verified(&disk, &[stamped(&made, 1000 - 302)])), [What::Timestamp]);
}

#[test]
fn bad_timestamps_and_those_of_other_logs_are_found() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..10);
    let made = checkpoint(&mut log, 10);
    let bad = Elsewhere { stamp: Some(Err(StampError::Signature)), ..elsewhere(&made) };
    let with_bad = verified(&disk, &[bad]);
    assert_eq!(found(&with_bad), [What::Timestamp]);
    assert_eq!(with_bad.stamps.map(|stamps| (stamps.count, stamps.latest)), Some((0, None)));
    let again = Lossy::default();
    let mut other = started(&again, at(0));
    append(&mut other, 1..10);
    checkpoint(&mut other, 10);
    assert_eq!(found(&verified(&again, &[stamped(&made, 11)])), [What::Forked]);
}
