//! What rules with a volume have moved, as the daemon asks for it while it goes on counting.

use std::sync::mpsc::channel;

use gdprport_core::ledger::{Batch, VolumeHour};
use gdprport_core::model::Direction;
use gdprport_core::volume::{Known, Wanted};
use jiff::Timestamp;

use super::super::Ledger;
use super::samples::{at, batch, began, port};
use super::scene::{Scene, finish, offer};

const HOUR: i64 = 3_600;

/// What was known, and since when; or why it is not.
type Answer = Result<(Vec<Known>, Option<Timestamp>), String>;

fn volume(seconds: i64, rule: Option<&str>, bytes: u64) -> VolumeHour {
    VolumeHour {
        hour: at(seconds),
        port: port(),
        direction: Direction::In,
        rule: rule.map(Into::into),
        flows: 1,
        bytes_sent: bytes,
        bytes_received: 1,
    }
}

fn moved(seconds: i64, volume: Vec<VolumeHour>) -> Batch {
    Batch { volume, ..batch(seconds, Vec::new()) }
}

fn ask(ledger: &Ledger, port: &str, from: i64) -> std::sync::mpsc::Receiver<Answer> {
    let (to, answer) = channel();
    let wanted = Wanted { port: port.into(), role: "app".into(), from: at(from) };
    ledger.ask_volumes(vec![wanted], move |known| drop(to.send(known)));
    answer
}

/// Or what is in the batch behind it would count twice.
#[test]
fn an_answer_has_what_was_offered_before_and_nothing_later() {
    let scene = Scene::new();
    let ledger = scene.open();
    let hour = |seconds, bytes| moved(seconds, vec![volume(0, Some("app"), bytes)]);
    offer(&ledger, vec![began(0, "r", "b"), hour(1, 100)]);
    let first = ask(&ledger, "orders", 0);
    offer(&ledger, vec![hour(2, 10_000)]);
    let (known, begin) = first.recv().expect("an answer").expect("known");
    assert_eq!((known[0].bytes, begin), (101, Some(at(0))));
    let (known, _) = ask(&ledger, "orders", 0).recv().expect("an answer").expect("known");
    assert_eq!(known[0].bytes, 10_102);
    finish(ledger);
}

#[test]
fn only_the_hours_of_the_window_and_the_rule_count() {
    let scene = Scene::new();
    let ledger = scene.open();
    let hours = vec![
        volume(0, Some("app"), 1_000),
        volume(HOUR, Some("app"), 50),
        volume(2 * HOUR, Some("app"), 7),
        volume(2 * HOUR, Some("other"), 500),
        volume(2 * HOUR, None, 600),
    ];
    offer(&ledger, vec![began(0, "r", "b"), moved(1, hours)]);
    for (port, from, bytes) in [("orders", HOUR, 59), ("orders", 2 * HOUR, 8), ("another", 0, 0)] {
        let (known, _) = ask(&ledger, port, from).recv().expect("an answer").expect("known");
        assert_eq!(known[0].bytes, bytes, "{port} from {from}");
    }
    finish(ledger);
}
