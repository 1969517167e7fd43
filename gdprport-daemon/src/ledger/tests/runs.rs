//! Runs of the daemon: how they end, what may be missing then, and which policy applied.

use gdprport_core::event::Bound;
use gdprport_core::ledger::{Batch, Entry, ListenerDelta, ListenerEvent, RunEnd, VerdictKey};
use gdprport_core::model::Endpoint;
use gdprport_core::policy::Source;

use super::samples::{at, batch, began, edge, identity, port};
use super::scene::Scene;

fn ended(seconds: i64) -> Batch {
    let entries = vec![Entry::Ended { end: RunEnd::Stopped, at: at(seconds) }];
    Batch { until: at(seconds), entries, ..Batch::default() }
}

fn listening(seconds: i64, event: ListenerEvent) -> Batch {
    let delta = ListenerDelta {
        port: port(),
        local: Endpoint::new([0, 0, 0, 0].into(), 5432),
        identity: identity("/usr/bin/postgres"),
        verdict: VerdictKey::Declared { rule: "app".into() }.into(),
        event,
        at: at(seconds),
    };
    Batch { until: at(seconds), listeners: vec![delta], ..Batch::default() }
}

#[test]
fn a_run_that_stopped_has_no_gap() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r1", "b"), batch(5, vec![edge("10.0.0.1", 5, 1)]), ended(9)]);
    scene.written(vec![began(20, "r2", "b")]);
    let all = scene.all();
    let ends: Vec<_> = all.runs.iter().map(|run| (&*run.run, run.to, run.end)).collect();
    assert_eq!(ends, [("r1", at(9), Some(RunEnd::Stopped)), ("r2", at(20), None)]);
    assert_eq!(all.gaps, []);
}

#[test]
fn a_run_without_an_end_was_killed() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r1", "b"), batch(5, Vec::new())]);
    scene.written(vec![began(20, "r2", "b"), batch(25, Vec::new())]);
    scene.written(vec![began(26, "r3", "another boot")]);
    let all = scene.all();
    let ends: Vec<_> = all.runs.iter().map(|run| (&*run.run, run.to, run.end)).collect();
    let killed = Some(RunEnd::Killed);
    assert_eq!(ends, [("r1", at(5), killed), ("r2", at(25), killed), ("r3", at(26), None)]);
    let gaps: Vec<_> =
        all.gaps.iter().map(|gap| (gap.from, gap.to, gap.lost, gap.bound, &*gap.reason)).collect();
    let least = Some(Bound::AtLeast);
    assert_eq!(
        gaps,
        [(at(5), at(20), 0, least, "ledger:killed"), (at(25), at(26), 0, least, "ledger:killed")],
        "nothing is claimed until the next run"
    );
}

/// The ledger cannot be written any more, an hour passes, and the daemon is killed: that it ran is in no row.
#[test]
fn nothing_is_claimed_after_the_last_batch_of_a_killed_run() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r1", "b"), batch(5, Vec::new())]);
    scene.written(vec![began(3_605, "r2", "b")]);
    let all = scene.all();
    assert_eq!((all.runs[0].to, all.gaps[0].from, all.gaps[0].to), (at(5), at(5), at(3_605)));
    let within = scene.reader().observed(at(1_800), at(1_801)).expect("an answer");
    assert_eq!(within.gaps.len(), 1, "also for who asks about a moment in between");
}

#[test]
fn a_clock_set_back_makes_no_gap_of_what_is_stored() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r1", "b"), batch(7_200, Vec::new())]);
    scene.written(vec![began(3_600, "r2", "b")]);
    let gap = &scene.all().gaps[0];
    assert_eq!((gap.from, gap.to), (at(7_200), at(7_202)));
}

#[test]
fn listeners_of_a_run_end_with_it() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r1", "b"), listening(1, ListenerEvent::Opened), batch(9, Vec::new())]);
    let open = &scene.all().listeners[0];
    assert_eq!((open.open, open.first, open.last), (true, at(1), at(9)), "as far as the ledger knows");
    scene.written(vec![began(20, "r2", "b"), batch(30, Vec::new())]);
    let closed = &scene.all().listeners[0];
    assert_eq!((closed.open, closed.last), (false, at(9)));
    scene.written(vec![
        listening(31, ListenerEvent::Opened),
        listening(32, ListenerEvent::Opened),
        listening(33, ListenerEvent::Closed),
    ]);
    assert!(scene.all().listeners[0].open, "one of two");
    scene.written(vec![listening(34, ListenerEvent::Closed)]);
    assert_eq!((scene.all().listeners[0].open, scene.all().listeners[0].last), (false, at(34)));
}

#[test]
fn a_policy_has_its_text_once_and_its_periods() {
    let scene = Scene::new();
    let sources: std::sync::Arc<[Source]> = [Source { name: "a.toml".into(), text: "# ä\n".into() }].into();
    let applied = |seconds, digest: Option<&str>| Batch {
        until: at(seconds),
        entries: vec![Entry::Policy {
            digest: digest.map(Into::into),
            sources: std::sync::Arc::clone(&sources),
            at: at(seconds),
        }],
        ..Batch::default()
    };
    scene.written(vec![
        began(0, "r1", "b"),
        applied(0, Some("d1")),
        applied(5, None),
        applied(7, Some("d1")),
        batch(8, vec![edge("10.0.0.1", 8, 1)]),
        ended(9),
    ]);
    let periods: Vec<_> =
        scene.all().policies.iter().map(|p| (p.digest.as_deref().map(str::to_owned), p.from, p.to)).collect();
    let d1 = || Some("d1".to_owned());
    assert_eq!(periods, [(d1(), at(0), Some(at(5))), (None, at(5), Some(at(7))), (d1(), at(7), Some(at(9)))]);
    let sources = scene.reader().policy_text("d1").expect("an answer").expect("it applied");
    assert_eq!((sources.len(), &*sources[0].text), (1, "# ä\n"));
    assert!(scene.reader().policy_text("d2").expect("an answer").is_none());
}

#[test]
fn a_clock_set_back_a_year_changes_no_order() {
    let scene = Scene::new();
    let year = 365 * 86_400;
    scene.written(vec![
        began(0, "r", "b"),
        batch(1, vec![edge("10.0.0.1", 1, 1)]),
        batch(2 - year, vec![edge("10.0.0.2", 2 - year, 1)]),
        batch(3 - year, vec![edge("10.0.0.1", 3 - year, 1)]),
    ]);
    let rows = scene.reader().edges(&super::super::EdgeFilter::default()).expect("an answer");
    let rows: Vec<_> =
        rows.iter().map(|row| (row.edge.key.peer.to_string(), row.edge.day.to_string())).collect();
    let row = |peer: &str, day: &str| (peer.to_owned(), day.to_owned());
    assert_eq!(
        rows,
        [
            row("10.0.0.1/32", "2026-11-29"),
            row("10.0.0.2/32", "2025-11-29"),
            row("10.0.0.1/32", "2025-11-29")
        ]
    );
    assert_eq!(scene.all().runs[0].to, at(3 - year));
}
