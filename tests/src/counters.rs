//! The daemon's counters, as its status and its `coverage` events show them: conservation is checked, and the sums
//! printed.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::event::{Event, at};
use crate::log::EventLog;
use crate::wait;

/// The count at a dotted path; 0 if there is none.
#[must_use]
pub fn count(value: &Value, path: &str) -> u64 {
    at(value, path).as_u64().unwrap_or_default()
}

/// The sum over all reasons at a dotted path.
#[must_use]
pub fn sum(value: &Value, path: &str) -> u64 {
    at(value, path).as_object().map_or(0, |reasons| reasons.values().filter_map(Value::as_u64).sum())
}

/// Prints a line. Not by `println!`, which the test harness hides unless a test fails.
///
/// # Panics
/// When standard output cannot be written.
pub fn print(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("standard output can be written");
}

/// Checks the conservation of events in the kernel side, the daemon and every sink, in a status or a `coverage` event;
/// prints the sums.
///
/// # Panics
/// When one does not hold.
#[track_caller]
pub fn check_conservation(counters: &Value) {
    let mut text = String::new();
    let [seen, emitted, filtered, grouped] = ["seen", "emitted", "filtered", "grouped"]
        .map(|key| count(counters, &format!("coverage.kernel.{key}")));
    let lost = sum(counters, "coverage.kernel.dropped");
    let _ = writeln!(
        text,
        "\nkernel: {seen} seen = {emitted} emitted + {filtered} filtered + {grouped} grouped + {lost} dropped"
    );
    let [received, delivered, suppressed] =
        ["received", "delivered", "suppressed"].map(|key| count(counters, &format!("coverage.{key}")));
    let dropped = sum(counters, "coverage.dropped");
    let _ = write!(
        text,
        "daemon: {received} received = {delivered} delivered + {suppressed} suppressed + {dropped} dropped"
    );
    let sinks = [&counters["coverage"]["sinks"], &counters["sinks"]].into_iter().find_map(Value::as_array);
    let sinks = sinks.map(Vec::as_slice).unwrap_or_default();
    for sink in sinks {
        let _ = write!(text, "\n{}", sums(sink));
    }
    print(&text);
    assert_eq!(seen, emitted + filtered + grouped + lost, "{}", counters["coverage"]);
    assert_eq!(received, delivered + suppressed + dropped, "{}", counters["coverage"]);
    for sink in sinks {
        check_sink_conservation(sink);
    }
}

fn sums(sink: &Value) -> String {
    let [received, delivered, queued] = ["received", "delivered", "queued"].map(|key| count(sink, key));
    let (name, dropped) = (sink["name"].as_str().unwrap_or_default(), sum(sink, "dropped"));
    format!("{name}: {received} received = {delivered} delivered + {queued} queued + {dropped} dropped")
}

/// Checks the conservation of events in one sink.
///
/// # Panics
/// When it does not hold.
#[track_caller]
pub fn check_sink_conservation(sink: &Value) {
    let [received, delivered, queued] = ["received", "delivered", "queued"].map(|key| count(sink, key));
    assert_eq!(received, delivered + queued + sum(sink, "dropped"), "{sink}");
}

/// Checks, for one port of a status, that every flow that was reported is open or was reported again; prints the sums.
///
/// # Panics
/// When it does not hold.
#[track_caller]
pub fn check_flow_conservation(port: &Value) {
    let [opened, missed, closed, open, evicted, unwatched] =
        ["opened", "opening_missed", "closed", "open", "evicted", "unwatched"].map(|key| count(port, key));
    print(&format!(
        "{}: {opened} opened + {missed} whose opening was missed = {closed} closed + {open} open + {evicted} evicted + \
         {unwatched} unwatched",
        port["name"].as_str().unwrap_or_default()
    ));
    assert_eq!(opened + missed, closed + open + evicted + unwatched, "{port}");
}

/// Waits until the daemon has read all records of the kernel programs, and returns its status.
///
/// # Panics
/// When it does not catch up.
#[track_caller]
#[must_use]
pub fn settled(daemon: &Daemon) -> Value {
    let mut last = Value::Null;
    wait::within(wait::TIMEOUT, "the daemon has caught up", || {
        let now = daemon.status();
        let quiet = count(&now, "coverage.kernel.seen") == count(&last, "coverage.kernel.seen");
        let caught_up = count(&now, "coverage.records") == count(&now, "coverage.kernel.emitted");
        last = now.clone();
        (quiet && caught_up).then_some(now)
    })
}

/// The losses that the `coverage` events of a stream report for this reason: gaps with the same beginning count once,
/// by the last of them.
///
/// # Panics
/// When a gap ends before it begins.
#[must_use]
pub fn reported_lost(log: &EventLog, reason: &str) -> u64 {
    let mut gaps = std::collections::BTreeMap::new();
    for event in log.seen().iter().filter(|event| event.kind() == "coverage") {
        for gap in event.at("coverage.gaps").as_array().map(Vec::as_slice).unwrap_or_default() {
            let [name, from, to] = ["reason", "from", "to"].map(|key| gap[key].as_str().unwrap_or_default());
            if name.starts_with(reason) {
                assert!(from <= to, "{gap}");
                gaps.insert((name.to_owned(), from.to_owned()), gap["lost"].as_u64().unwrap_or_default());
            }
        }
    }
    gaps.values().sum()
}

/// The last `coverage` event of a stream.
///
/// # Panics
/// When there is none.
#[track_caller]
#[must_use]
pub fn last_coverage(log: &EventLog) -> &Event {
    log.seen().iter().rev().find(|event| event.kind() == "coverage").expect("a `coverage` event")
}
