//! Promises about what a sink does not get: it is in its stream, counted, and never silent.

use std::fs;
use std::time::Duration;

use gdprport_core::event::{Body, Bound, Event, Kind};

use super::scene::{Receiver, Scene, Step, sink, until};
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
    let before = jiff::Timestamp::now();
    fs::remove_dir_all(scene.spool()).expect("a spool");
    let ids = scene.write(4, Kind::FlowClose);
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all of the new one", || again.ids().len() >= 4).await;
    until("idle", || running.standing.facts().state == SinkState::Idle).await;
    let standing = running.stop().await;
    let (got, lost) = (again.ids(), losses(&again));
    assert_eq!(got[1..], ids);
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((lost.len(), lost[0].id), (1, got[0]), "first of all");
    assert_eq!((&*of.gap.reason, of.gap.lost, of.gap.bound), ("spool-replaced", 0, Some(Bound::AtLeast)));
    // The last that came before it, and when it was noticed.
    assert!(of.gap.from <= before && of.gap.to >= before, "{of:?}");
    assert_eq!((standing.totals.lost, standing.totals.uncounted), (0, 1));
    let lost = standing.lost.expect("a loss");
    assert_eq!((lost.events, lost.bound, &*lost.reason), (0, Some(Bound::AtLeast), "spool-replaced"));
    assert!(standing.began.contains("created anew"), "{}", standing.began);
}

/// Of what lay in it, at least what was known of it when it was looked at last.
#[tokio::test]
async fn a_spool_that_goes_unread_is_lost_with_what_is_known() {
    let mut scene = Scene::new();
    scene.write(150, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    receiver.next([Step::Take(40)]);
    *receiver.always.lock().expect("whole") = Some(Step::Fail);
    let running = scene.begin(&config, &receiver);
    until("it took some", || receiver.ids().len() == 40).await;
    until("it fails", || running.standing.facts().state == SinkState::Failing).await;
    scene.board(&running).look(jiff::Timestamp::now()).await;
    let unread = running.standing.facts().unread.expect("some");
    assert_eq!((unread.index, unread.events), (41, 110));
    running.stop().await;
    fs::remove_dir_all(scene.spool()).expect("a spool");
    let ids = scene.write(3, Kind::FlowClose);
    // One that cannot report it stays where it was.
    let running = scene.begin(&config, &receiver);
    until("it fails", || running.standing.facts().state == SinkState::Failing).await;
    let place = running.standing.facts().place;
    assert_eq!(place.index, Some(41));
    running.kill().await;
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all of the new one", || again.ids().len() >= 4).await;
    let standing = running.stop().await;
    assert_eq!(again.ids()[1..], ids);
    let lost = losses(&again);
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((of.gap.lost, of.gap.bound), (110, Some(Bound::AtLeast)));
    assert_eq!((standing.totals.lost, standing.totals.uncounted), (110, 1));
}

/// The sensor does not use the indexes of what somebody removed again.
#[tokio::test]
async fn a_newest_segment_that_was_removed_is_a_loss() {
    let mut scene = Scene::new();
    scene.write(400, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    receiver.next([Step::Take(40)]);
    *receiver.always.lock().expect("whole") = Some(Step::Fail);
    let running = scene.begin(&config, &receiver);
    until("it took some", || receiver.ids().len() == 40).await;
    running.stop().await;
    let files = segments(&scene);
    assert!(files.len() > 2, "{files:?}");
    fs::remove_file(&files[files.len() - 1]).expect("a segment");
    let ids = scene.write(20, Kind::FlowClose);
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all", || again.ids().last() == ids.last()).await;
    running.stop().await;
    let (got, lost) = (again.ids(), losses(&again));
    assert!(ids.iter().all(|id| got.contains(id)), "nothing new is passed over");
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((lost.len(), &*of.gap.reason, of.gap.bound), (1, "interrupted", Some(Bound::AtLeast)));
}

/// As far as it was written, whoever put it there and whenever that is noticed.
#[tokio::test]
async fn a_spool_put_back_from_a_copy_passes_over_nothing_new() {
    let mut scene = Scene::new();
    scene.write(10, Kind::FlowOpen);
    let copy: Vec<_> =
        segments(&scene).into_iter().map(|path| (fs::read(&path).expect("a segment"), path)).collect();
    let old = scene.write(10, Kind::FlowOpen);
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().last() == old.last()).await;
    running.stop().await;
    for (bytes, path) in copy {
        fs::write(path, bytes).expect("a segment");
    }
    // As many as before and more, so that its end says nothing.
    let ids = scene.write(15, Kind::FlowClose);
    let again = Receiver::default();
    let running = scene.begin(&config, &again);
    until("all", || again.ids().last() == ids.last()).await;
    running.stop().await;
    let got = again.ids();
    assert!(ids.iter().all(|id| got.contains(id)), "{} of 15", got.len());
    let lost = losses(&again);
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((lost.len(), &*of.gap.reason, of.gap.bound), (1, "spool-replaced", Some(Bound::AtLeast)));
}

#[tokio::test]
async fn damage_in_the_middle_is_a_loss_to_the_event() {
    let mut scene = Scene::new();
    let ids = scene.write(400, Kind::FlowOpen);
    let path = segments(&scene)[0].clone();
    let mut bytes = fs::read(&path).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).expect("a segment");
    let (receiver, config) = (Receiver::default(), sink("a", ""));
    let running = scene.begin(&config, &receiver);
    until("all", || receiver.ids().last() == ids.last()).await;
    let standing = running.stop().await;
    let lost = losses(&receiver);
    let Body::SinkLost(of) = &lost[0].body else { panic!("{lost:?}") };
    assert_eq!((lost.len(), &*of.gap.reason, of.gap.bound), (1, "damaged", None));
    assert!(of.gap.from <= of.gap.to);
    assert_eq!(standing.totals.delivered - 1 + of.gap.lost, 400);
}

/// Nothing of it is lost: it is read once this program can.
#[tokio::test]
async fn a_spool_of_a_newer_version_waits_and_says_so() {
    let mut scene = Scene::new();
    let ids = scene.write(5, Kind::FlowOpen);
    let path = segments(&scene)[0].clone();
    let whole = fs::read(&path).expect("a segment");
    let mut newer = whole.clone();
    newer[8] = 2;
    fs::write(&path, newer).expect("a segment");
    let receiver = Receiver::default();
    let running = scene.begin(&sink("a", ""), &receiver);
    until("no spool", || running.standing.facts().state == SinkState::NoSpool).await;
    let status = scene.board(&running).status(Duration::from_secs(5)).await;
    assert!(status.spool.error.is_some_and(|error| error.contains("newer gdprport")), "the status too");
    fs::write(&path, whole).expect("a segment");
    until("all", || receiver.ids() == ids).await;
    let standing = running.stop().await;
    assert_eq!((standing.totals.lost, standing.totals.uncounted), (0, 0));
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
