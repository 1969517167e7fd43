//! Promises of queues and sinks together: exact counts, whatever the destinations do.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};

use proptest::prelude::*;

use super::*;
use crate::sink::destination::Target;
use crate::sink::report::{Failure, Report};
use crate::sink::testing::{adds_up, dropped, published, wait_until};
use gdprport_core::encode::native;
use gdprport_core::event::{Kind, Stamper, samples};

/// A destination that writes nothing until its gate is opened (its sender dropped).
struct Gated(Receiver<()>);

impl Target for Gated {
    fn write(&mut self, _: &Batch, count: usize) -> Report {
        let _ = self.0.recv();
        Report { delivered: count, bytes: count, skipped: Vec::new(), failure: None }
    }
}

/// Publishes the sample of a kind.
fn publish(fanout: &mut Fanout, stamper: &mut Stamper, kind: Kind) {
    fanout.publish(stamper.stamp(samples::now(), samples::body(kind)), native);
}

fn capacity(events: usize) -> NonZeroUsize {
    NonZeroUsize::new(events).expect("not zero")
}

fn gated(name: &'static str, room: usize) -> (Sender<()>, Sink) {
    let (gate, closed) = channel();
    (gate, Sink::spawn(name, capacity(room), Gated(closed)).expect("a thread"))
}

#[test]
fn a_full_queue_loses_exactly_what_exceeds_it() {
    let (gate, sink) = gated("slow", 100);
    let mut fanout = Fanout::new(vec![sink]);
    let mut stamper = samples::stamper();
    for _ in 0..137 {
        publish(&mut fanout, &mut stamper, Kind::FlowOpen);
    }
    fanout.deliver();
    assert_eq!(dropped(&fanout.stats()[0]), [("queue-full", 37)]);
    assert_eq!(fanout.stats()[0].counts.queued, 100);
    drop(gate);
    let stats = fanout.shutdown(Duration::from_secs(30));
    assert_eq!((stats[0].counts.delivered, stats[0].counts.queued), (100, 0));
    assert!(stats.iter().all(adds_up));
}

#[test]
fn a_loss_is_reported_even_when_the_queue_is_full() {
    let (gate, sink) = gated("slow", 100);
    let mut fanout = Fanout::new(vec![sink]);
    let mut stamper = samples::stamper();
    for _ in 0..120 {
        publish(&mut fanout, &mut stamper, Kind::FlowOpen);
    }
    for _ in 0..20 {
        publish(&mut fanout, &mut stamper, Kind::Coverage);
    }
    fanout.deliver();
    assert_eq!(fanout.stats()[0].counts.queued, 116, "few places, so that these are bounded too");
    assert_eq!(dropped(&fanout.stats()[0]), [("queue-full", 24)]);
    drop(gate);
    assert!(fanout.shutdown(Duration::from_secs(30)).iter().all(adds_up));
}

#[test]
fn a_stuck_sink_holds_up_no_other() {
    let (gate, stuck) = gated("stuck", 10);
    let (open, quick) = gated("quick", 1_000);
    drop(open);
    let mut fanout = Fanout::new(vec![stuck, quick]);
    let mut stamper = samples::stamper();
    for _ in 0..500 {
        publish(&mut fanout, &mut stamper, Kind::FlowOpen);
    }
    fanout.deliver();
    wait_until(|| fanout.stats()[1].counts.delivered == 500);
    assert_eq!(dropped(&fanout.stats()[0]), [("queue-full", 490)]);
    let stats = fanout.shutdown(Duration::from_millis(20));
    assert_eq!(
        dropped(&stats[0]),
        [("queue-full", 490), ("deadline", 10)].into_iter().rev().collect::<Vec<_>>()
    );
    assert!(stats.iter().all(adds_up));
    drop(gate);
}

#[test]
fn a_sink_whose_thread_dies_counts_what_it_is_given() {
    struct Broken;
    impl Target for Broken {
        fn write(&mut self, _: &Batch, _: usize) -> Report {
            // Without the message on standard error that panic!() would print.
            std::panic::resume_unwind(Box::new("a renderer failed"));
        }
    }
    let sink = Sink::spawn("broken", capacity(10), Broken).expect("a thread");
    sink.push(&published(1)[0]);
    wait_until(|| sink.stats().closed);
    sink.push(&published(1)[0]);
    let stats = sink.finish(Instant::now() + Duration::from_secs(30));
    assert_eq!(dropped(&stats), [("closed", 2)]);
}

#[test]
fn a_few_events_are_written_without_waiting_for_more() {
    let (open, sink) = gated("quick", 1_000);
    drop(open);
    sink.push(&published(1)[0]);
    wait_until(|| sink.stats().counts.delivered == 1);
}

/// A destination that fails on demand.
struct Moody(Vec<u8>, usize);

impl Target for Moody {
    fn write(&mut self, _: &Batch, count: usize) -> Report {
        self.1 += 1;
        let mood = self.0.get(self.1 % self.0.len().max(1)).copied().unwrap_or(0);
        let delivered = count.saturating_sub(usize::from(mood % 4));
        let failure = match mood {
            250.. => Some(Failure::Closed("gone".to_owned())),
            _ if delivered < count => Some(Failure::Io("full".to_owned())),
            _ => None,
        };
        Report { delivered, bytes: delivered, skipped: Vec::new(), failure }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_counters_add_up_in_every_snapshot(moods in prop::collection::vec(any::<u8>(), 0..20), room in 1usize..200) {
        let sink = Sink::spawn("moody", capacity(room), Moody(moods, 0)).expect("a thread");
        let events = published(300);
        for (n, event) in events.into_iter().enumerate() {
            sink.push(&event);
            let stats = sink.stats();
            prop_assert!(adds_up(&stats) && stats.counts.queued <= room as u64, "{:?}", stats);
            if n % 50 == 0 {
                std::thread::yield_now();
            }
        }
        let stats = sink.finish(Instant::now() + Duration::from_secs(30));
        prop_assert!(adds_up(&stats));
        prop_assert_eq!((stats.counts.received, stats.counts.queued), (300, 0));
    }
}
