//! Promises about what a sink does not get: it is in its stream, counted, and never silent.

use std::fs;
use std::time::Duration;

use gdprport_core::event::{Body, Event, Kind};

use super::scene::{Receiver, Scene, sink, until};
use crate::control::api::SinkState;

fn segments(scene: &Scene) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(scene.spool())
        .expect("a spool")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_none_or(|ext| ext != "lock"))
        .collect();
    files.sort();
    files
}

/// The `sink.lost` events that a receiver got.
fn losses(receiver: &Receiver) -> Vec<Event> {
    let records = receiver.records.lock().expect("whole");
    let events = records.iter().map(|record| serde_json::from_slice::<Event>(record).expect("an event"));
    events.filter(|event| event.body.kind() == Kind::SinkLost).collect()
}

#[tokio::test]
async fn what_was_removed_before_it_was_sent_is_in_the_stream() {
    let mut scene = Scene::new();
    scene.write(10, Kind::FlowOpen);
    let receiver = Receiver::default();
    let config = sink("a", "filter = { kinds = \"flow.close\" }");
    let running = scene.begin(&config, &receiver);
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    running.stop().await;
    // The sensor goes on; the spool becomes full and its first segments go.
    scene.write(6_000, Kind::FlowOpen);
    let last = scene.write(1, Kind::FlowClose)[0];
    assert!(segments(&scene).len() > 3, "{:?}", segments(&scene));
    fs::remove_file(&segments(&scene)[0]).expect("a segment");
    fs::remove_file(&segments(&scene)[0]).expect("a segment");
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("the last", || again.ids().contains(&last)).await;
    let standing = running.stop().await;
    let lost = losses(&again);
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((&*of.sink.name, &*of.sink.transport, &*of.gap.reason), ("a", "http", "removed"));
    assert_eq!(lost[0].seq, 1, "of a run of its own");
    let sum: u64 =
        lost.iter().map(|event| if let Body::SinkLost(of) = &event.body { of.gap.lost } else { 0 }).sum();
    assert!(sum > 0 && standing.totals.lost == sum, "{standing:?}");
    assert_eq!(standing.totals.filtered + standing.totals.lost + 1, 6_011, "to the event");
    // The same loss has the same id, whoever finds it.
    let third = Receiver::default();
    fs::remove_file(scene.dir.path().join("cursors/a")).expect("a cursor");
    let copy = sink("a", "");
    scene.begin(&copy, &third).kill().await;
}

#[tokio::test]
async fn a_record_that_is_no_event_is_lost_and_the_others_arrive() {
    let mut scene = Scene::new();
    let mut ids = scene.write(2, Kind::FlowOpen);
    scene.write_lines([
        b"{\"schema\":\"gdprport.event/2\",\"kind\":\"flow.open\"}\n".to_vec(),
        b"\xff\xfe\n".to_vec(),
    ]);
    ids.extend(scene.write(2, Kind::FlowOpen));
    let receiver = Receiver::default();
    let running = scene.begin(&sink("a", ""), &receiver);
    until("all", || receiver.ids().len() >= 6).await;
    let standing = running.stop().await;
    assert_eq!((standing.totals.lost, standing.totals.delivered), (2, 6));
    assert!(losses(&receiver).iter().all(|event| event.id.get_version_num() == 7));
    let got = receiver.ids();
    assert!(ids.iter().all(|id| got.contains(id)));
    assert_eq!(standing.lost.map(|lost| lost.reason), Some("unreadable".to_owned()));
}

#[tokio::test]
async fn a_spool_that_was_created_anew_is_read_from_its_beginning() {
    let mut scene = Scene::new();
    scene.write(10, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().len() >= 10).await;
    running.stop().await;
    fs::remove_dir_all(scene.spool()).expect("a spool");
    let ids = scene.write(4, Kind::FlowClose);
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all of the new one", || again.ids().len() >= 4).await;
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    let standing = running.stop().await;
    assert_eq!(again.ids(), ids);
    assert!(standing.began.contains("created anew"), "{}", standing.began);
}

#[tokio::test]
async fn without_a_spool_a_sink_waits_and_says_so() {
    let mut scene = Scene::new();
    let receiver = Receiver::default();
    let running = scene.begin(&sink("a", ""), &receiver);
    until("no spool", || running.standing.facts().state == SinkState::NoSpool).await;
    let ids = scene.write(5, Kind::FlowOpen);
    until("all", || receiver.ids() == ids).await;
    assert_eq!(running.stop().await.failure, None);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_used_begins_anew_and_says_so() {
    let mut scene = Scene::new();
    let ids = scene.write(5, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().len() >= 5).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    running.stop().await;
    fs::write(scene.dir.path().join("cursors/a"), "{").expect("a cursor");
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all again", || again.ids() == ids).await;
    let standing = running.stop().await;
    assert_eq!(
        standing.began,
        "with the oldest event of the spool: its cursor cannot be used: it is no cursor"
    );
}
