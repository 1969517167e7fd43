//! What sinks wrote and the sums of what they lost are what was published, however they fail.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gdprport_core::encode::native;
use gdprport_core::event::{Event, Kind, Stamper, samples};
use proptest::prelude::*;

use super::*;
use crate::sink::destination::Target;
use crate::sink::report::{Failure, Report};
use crate::sink::testing::{adds_up, together, wait_until};
use crate::sink::{Fanout, Sink};

/// Keeps what it wrote. Of each call it fails to write so many lines, and waits for its gate where there is one.
struct Keeper {
    written: Arc<Mutex<Vec<u8>>>,
    moods: Vec<u8>,
    gate: Option<Receiver<()>>,
}

impl Target for Keeper {
    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        let mood = self.moods.pop().map_or(0, usize::from);
        let failed = mood.min(count);
        let failure = (failed > 0).then(|| Failure::Io("full".to_owned()));
        let mut written = self.written.lock().expect("no panic");
        let (delivered, mut skipped) = (count - failed, Vec::new());
        if mood.is_multiple_of(2) {
            written.extend_from_slice(batch.lines(delivered));
        } else {
            // As journald and the spool may do: the first ones.
            skipped = (0..failed).collect();
            (failed..count).for_each(|index| written.extend_from_slice(batch.line(index)));
        }
        Report { delivered, bytes: delivered, skipped, failure }
    }
}

fn keeper(
    name: &'static str,
    room: usize,
    moods: Vec<u8>,
    gate: Option<Receiver<()>>,
) -> (Sink, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::default();
    let target = Keeper { written: Arc::clone(&written), moods, gate };
    (Sink::spawn(name, NonZeroUsize::new(room).expect("not zero"), target).expect("a thread"), written)
}

fn events(written: &Mutex<Vec<u8>>) -> Vec<Event> {
    let written = written.lock().expect("no panic");
    let lines = written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("an event")).collect()
}

/// Connections, bytes sent of those that closed, and violations.
fn sums(events: &[Event]) -> [u64; 4] {
    let mut sums = [0; 4];
    for event in events {
        match event.body.kind() {
            Kind::FlowOpen => sums[0] += 1,
            Kind::FlowClose => {
                sums[1] += 1;
                sums[2] += event.body.flow().and_then(|flow| flow.flow.bytes_sent).unwrap_or(0);
            }
            Kind::Violation => sums[3] += 1,
            Kind::FlowSummary => {
                let gdprport_core::event::Body::FlowSummary(event) = &event.body else { continue };
                let summary = &event.summary;
                let more = [summary.opened, summary.closed, summary.bytes_sent, summary.violations];
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            _ => {}
        }
    }
    sums
}

/// Publishes an open, a violation or a close.
fn publish(fanout: &mut Fanout, stamper: &mut Stamper, count: usize) {
    for number in 0..count {
        let kind = [Kind::FlowOpen, Kind::Violation, Kind::FlowClose][number % 3];
        fanout.publish(stamper.stamp(samples::now(), samples::body(kind)), native);
    }
    fanout.deliver();
}

/// As the loop does it.
fn send(fanout: &mut Fanout, own: &mut Stamper, ending: bool) -> bool {
    let due = fanout.lost(samples::now(), ending);
    for (sink, bodies) in &due {
        let events: Vec<Event> = bodies.iter().map(|body| own.stamp(samples::now(), body.clone())).collect();
        fanout.publish_to(*sink, events, native);
    }
    !due.is_empty()
}

fn idle(fanout: &Fanout) -> bool {
    fanout.stats().iter().all(|sink| sink.counts.queued == 0)
}

#[test]
fn a_sink_that_caught_up_gets_what_it_lost_and_no_other_does() {
    let (gate, closed) = channel();
    let (slow, of_slow) = keeper("file:/var/log/x", 300, Vec::new(), Some(closed));
    let (quick, of_quick) = keeper("spool:/x", 1_000, Vec::new(), None);
    let (mut fanout, mut stamper) = (Fanout::new(vec![slow, quick]), samples::stamper());
    let mut own = stamper.of_run(uuid::Uuid::now_v7());
    publish(&mut fanout, &mut stamper, 600);
    assert!(!send(&mut fanout, &mut own, false), "it does not work yet");
    drop(gate);
    wait_until(|| idle(&fanout));
    while !send(&mut fanout, &mut own, false) {}
    assert!(!send(&mut fanout, &mut own, false), "each once");
    assert_eq!(fanout.published(), 600, "what one sink gets is not published");
    let stats = fanout.shutdown(Duration::from_secs(30));
    assert!(stats.iter().all(adds_up));
    let (slow, quick) = (events(&of_slow), events(&of_quick));
    assert_eq!((quick.len(), sums(&slow)), (600, sums(&quick)));
    let run = own.agent().run;
    assert!(quick.iter().all(|event| event.agent.run != run), "no gap in the numbers of the others");
    let own: Vec<u64> = slow.iter().filter(|event| event.agent.run == run).map(|event| event.seq).collect();
    assert_eq!(own, (1..=own.len() as u64).collect::<Vec<_>>());
    let gdprport_core::event::Body::FlowSummary(last) = &slow.last().expect("sums").body else {
        panic!("a summary is last")
    };
    let overload = last.summary.overload.as_ref().expect("why");
    assert_eq!((overload.sink.as_deref(), overload.reason.as_deref()), (Some("file"), Some("queue-full")));
}

/// Nor more at a time than there is room for.
#[test]
fn a_sink_that_goes_on_losing_gets_sums_once_a_minute() {
    let (losses, batch) = (Losses::default(), together(10));
    let after = |seconds| samples::now() + SignedDuration::from_secs(seconds);
    let lose = || losses.add("file:/x", DropReason::QueueFull, &batch, 3..10);
    assert_eq!(losses.take(10, after(0), false), []);
    for second in 1..60 {
        lose();
        assert_eq!(losses.take(10, after(second), false), []);
    }
    lose();
    losses.add("file:/x", DropReason::IoError, &batch, 0..1);
    assert_eq!(losses.take(1, after(61), false).len(), 1, "as much as there is room for");
    assert_eq!(losses.take(10, after(61), false).len(), 1, "and the rest");
    assert_eq!(losses.take(10, after(61), true), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_fails_what_was_written_and_the_sums_add_up(
        moods in prop::collection::vec(0u8..40, 0..40),
        bursts in prop::collection::vec(1usize..120, 1..10),
        room in 1usize..200,
    ) {
        let (sink, written) = keeper("file:/x", room, moods, None);
        let (all, published) = keeper("all", 10_000, Vec::new(), None);
        let (mut fanout, mut stamper) = (Fanout::new(vec![sink, all]), samples::stamper());
        let mut own = stamper.of_run(uuid::Uuid::now_v7());
        for burst in bursts {
            publish(&mut fanout, &mut stamper, burst);
            send(&mut fanout, &mut own, false);
        }
        wait_until(|| idle(&fanout));
        while send(&mut fanout, &mut own, true) {
            wait_until(|| idle(&fanout));
        }
        let stats = fanout.shutdown(Duration::from_secs(30));
        prop_assert!(stats.iter().all(adds_up));
        prop_assert_eq!(sums(&events(&written)), sums(&events(&published)));
    }
}
