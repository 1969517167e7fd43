//! Promises about what is sent: every event, in order, again only with the same id, whatever the receiver does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gdprport_core::event::Kind;

use super::scene::{Receiver, Scene, Step, now, sink, until};
use crate::control::api::SinkState;

#[tokio::test]
async fn every_event_arrives_in_order_and_none_again_after_a_stop() {
    let mut scene = Scene::new();
    let mut ids = scene.write(250, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().len() >= 250).await;
    let standing = running.stop().await;
    assert_eq!((standing.totals.delivered, standing.totals.lost), (250, 0));
    ids.extend(scene.write(30, Kind::FlowClose));
    let running = scene.begin(&config, &receiver);
    until("the rest", || receiver.ids().len() >= 280).await;
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    let standing = running.stop().await;
    assert_eq!(receiver.ids(), ids, "none twice");
    assert_eq!(standing.totals.delivered, 280, "totals go on");
    assert!(standing.began.contains("where it was"), "{}", standing.began);
}

#[tokio::test]
async fn after_a_kill_events_come_again_with_the_same_id() {
    let mut scene = Scene::new();
    let ids: BTreeSet<_> = scene.write(500, Kind::FlowOpen).into_iter().collect();
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    for _ in 0..3 {
        let running = scene.begin(&config, &receiver);
        let before = receiver.ids().len();
        until("some", || receiver.ids().len() > before).await;
        running.kill().await;
    }
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().into_iter().collect::<BTreeSet<_>>() == ids).await;
    running.stop().await;
}

#[tokio::test]
async fn a_batch_that_breaks_off_goes_on_behind_what_arrived() {
    let mut scene = Scene::new();
    let ids = scene.write(100, Kind::FlowOpen);
    let receiver = Receiver::default();
    receiver.next([Step::Take(7), Step::Fail, Step::Take(0), Step::Take(50)]);
    let running = scene.begin(&sink("a", ""), &receiver);
    until("all", || receiver.ids().len() >= 100).await;
    let standing = running.stop().await;
    assert_eq!(receiver.ids(), ids);
    assert_eq!(standing.failure, None, "it works again");
}

#[tokio::test]
async fn what_is_too_large_is_halved_and_alone_refused() {
    let mut scene = Scene::new();
    let ids = scene.write(64, Kind::FlowOpen);
    let receiver = Receiver::default();
    *receiver.always.lock().expect("whole") = Some(Step::AtMost(5));
    let running = scene.begin(&sink("a", ""), &receiver);
    until("all", || receiver.ids().len() >= 64).await;
    let standing = running.stop().await;
    assert_eq!((receiver.ids(), standing.totals.refused), (ids, 0));
    let receiver = Receiver::default();
    receiver.next(vec![Step::AtMost(0); 8]);
    let running = scene.begin(&sink("b", ""), &receiver);
    until("the others", || receiver.ids().len() >= 62).await;
    let standing = running.stop().await;
    assert_eq!(receiver.ids().len() as u64 + standing.totals.refused, 64);
    assert!(standing.totals.refused > 0 && standing.refused.is_some_and(|last| last.why == "too large"));
}

/// A proxy in front of the receiver that takes nothing at all must not make it lose the whole spool.
#[tokio::test]
async fn a_receiver_for_which_all_is_too_large_keeps_events() {
    let mut scene = Scene::new();
    let ids = scene.write(64, Kind::FlowOpen);
    let receiver = Receiver::default();
    *receiver.always.lock().expect("whole") = Some(Step::AtMost(0));
    let running = scene.begin(&sink("a", ""), &receiver);
    until("it waits", || running.standing.facts().state == SinkState::Failing).await;
    assert!(receiver.ids().is_empty());
    *receiver.always.lock().expect("whole") = None;
    until("the others", || receiver.ids().last() == ids.last()).await;
    let standing = running.stop().await;
    assert_eq!((standing.totals.refused, standing.totals.delivered), (8, 56));
}

#[tokio::test]
async fn an_event_that_is_refused_is_counted_and_kept_as_the_last() {
    let mut scene = Scene::new();
    let ids = scene.write(20, Kind::FlowOpen);
    let receiver = Receiver::default();
    receiver.next([Step::Refuse(3)]);
    let running = scene.begin(&sink("a", ""), &receiver);
    until("the others", || receiver.ids().len() >= 19).await;
    let standing = running.stop().await;
    assert_eq!((standing.totals.delivered, standing.totals.refused), (19, 1));
    let refused = standing.refused.expect("it is kept");
    assert_eq!((refused.id, &*refused.why, &*refused.kind), (ids[3], "no such field", "flow.open"));
}

#[tokio::test]
async fn one_dead_sink_does_not_slow_another() {
    let mut scene = Scene::new();
    let (dead, slow, live) = (Receiver::default(), Receiver::default(), Receiver::default());
    *dead.always.lock().expect("whole") = Some(Step::Hang);
    *slow.always.lock().expect("whole") = Some(Step::Fail);
    let ids = scene.write(300, Kind::FlowOpen);
    let sinks = ["dead", "slow", "live"].map(|name| sink(name, ""));
    let begun = Instant::now();
    let running: Vec<_> = sinks.iter().zip([&dead, &slow, &live]).map(|(s, r)| scene.begin(s, r)).collect();
    until("all at the live one", || live.ids() == ids).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(dead.ids().is_empty() && slow.ids().is_empty());
    until("it fails", || running[1].standing.facts().state == SinkState::Failing).await;
    for running in running {
        running.stop().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "a receiver that hangs holds up no end");
}

#[tokio::test]
async fn a_pause_that_the_receiver_asks_for_is_kept() {
    let mut scene = Scene::new();
    scene.write(1, Kind::FlowOpen);
    let receiver = Receiver::default();
    receiver.next([Step::Later(Duration::from_millis(900))]);
    let begun = Instant::now();
    let running = scene.begin(&sink("a", ""), &receiver);
    until("it", || receiver.ids().len() == 1).await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn a_filter_leaves_out_and_counts_the_others() {
    let mut scene = Scene::new();
    scene.write(40, Kind::FlowOpen);
    let wanted = scene.write(2, Kind::Violation);
    scene.write(1_500, Kind::FlowClose);
    let receiver = Receiver::default();
    let running = scene.begin(&sink("a", "filter = { severity = \"high\" }"), &receiver);
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    let standing = running.stop().await;
    assert_eq!((receiver.ids(), standing.totals.filtered), (wanted, 1_540));
}

#[tokio::test]
async fn a_new_sink_begins_where_it_says_and_tells_why() {
    let mut scene = Scene::new();
    scene.write(10, Kind::FlowOpen);
    let receiver = Receiver::default();
    let running = scene.begin(&now("a"), &receiver);
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    let later = scene.write(3, Kind::FlowClose);
    until("what came later", || receiver.ids().len() >= 3).await;
    let standing = running.stop().await;
    assert_eq!((receiver.ids(), &*standing.began), (later, "with what comes from now on: it is new"));
    // Another receiver is another sink, though it has the same name.
    let other = Receiver::default();
    let mut config = sink("a", "");
    let gdprport_core::delivery::Target::Http(settings) = sink("b", "").target else { panic!("http") };
    config.target = gdprport_core::delivery::Target::Http(settings);
    let running = scene.begin(&config, &other);
    until("everything", || other.ids().len() >= 13).await;
    let standing = running.stop().await;
    assert_eq!(standing.began, "with the oldest event of the spool: its receiver is another one now");
}

/// Killed before anything was sent: "now" is not later the next time.
#[tokio::test]
async fn a_new_sink_that_is_killed_at_once_begins_there_again() {
    let mut scene = Scene::new();
    scene.write(10, Kind::FlowOpen);
    let receiver = Receiver::default();
    let running = scene.begin(&now("a"), &receiver);
    until("it is noted", || scene.dir.path().join("cursors/a").exists()).await;
    running.kill().await;
    let missed = scene.write(3, Kind::FlowClose);
    let running = scene.begin(&now("a"), &receiver);
    until("what came meanwhile", || receiver.ids().len() >= 3).await;
    running.stop().await;
    assert_eq!(receiver.ids(), missed);
}

/// The deliverer may begin before the sensor has made its spool: then all of it comes from now on.
#[tokio::test]
async fn now_is_not_later_than_a_spool_that_comes_after_it() {
    let mut scene = Scene::new();
    let receiver = Receiver::default();
    let running = scene.begin(&now("a"), &receiver);
    until("no spool", || running.standing.facts().state == SinkState::NoSpool).await;
    let ids = scene.write(5, Kind::FlowOpen);
    until("all", || receiver.ids() == ids).await;
    running.stop().await;
}

/// Where it was is not known, so that "now" would skip what nobody has got.
#[tokio::test]
async fn a_cursor_that_cannot_be_used_skips_nothing() {
    let mut scene = Scene::new();
    scene.write(5, Kind::FlowOpen);
    let receiver = Receiver::default();
    let running = scene.begin(&now("a"), &receiver);
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    running.stop().await;
    std::fs::write(scene.dir.path().join("cursors/a"), "{").expect("a cursor");
    let missed = scene.write(3, Kind::FlowClose);
    let running = scene.begin(&now("a"), &receiver);
    until("what came meanwhile", || receiver.ids().ends_with(&missed)).await;
    running.stop().await;
}

/// The sensor's own bytes, not what this program would make of them.
#[tokio::test]
async fn a_native_record_is_what_the_sensor_wrote() {
    let scene = Scene::new();
    let event = gdprport_core::event::samples::event(Kind::FlowOpen);
    let mut line = serde_json::to_vec(&event).expect("plain data");
    line.pop();
    line.extend_from_slice(b",\"later\":\"minor version\"}");
    let sent = line.clone();
    line.push(b'\n');
    scene.write_lines([line]);
    let receiver = Receiver::default();
    let running = scene.begin(&sink("a", ""), &receiver);
    until("it", || receiver.ids().len() == 1).await;
    running.stop().await;
    assert_eq!(*receiver.records.lock().expect("whole"), [sent]);
}
