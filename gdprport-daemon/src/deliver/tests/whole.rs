//! The promise about everything at once: whatever the receiver does and whenever the deliverer is killed or stopped, every record of
//! the spool is delivered, refused, filtered or reported as lost, and the totals say which to the event.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gdprport_core::event::Kind;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use uuid::Uuid;

use super::scene::{Scene, sink, until};
use crate::control::api::SinkState;
use crate::deliver::{Failure, Limits, Message, Outcome, Refused, Sending, Transport};

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
enum Call {
    All,
    /// So many are taken, then the connection breaks.
    Part(u8),
    /// Every so many are refused, the others taken.
    Refuse(u8),
    /// So many at most, and what is alone is refused.
    AtMost(u8),
    /// A contract that is not kept: a part, and nothing about the rest.
    Silent(u8),
    /// No answer before the deliverer is killed.
    Kill,
    /// The same, but it is asked to stop.
    Stop,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => Just(Call::All),
        1 => any::<u8>().prop_map(Call::Part),
        3 => any::<u8>().prop_map(Call::Refuse),
        3 => any::<u8>().prop_map(Call::AtMost),
        1 => any::<u8>().prop_map(Call::Silent),
        3 => Just(Call::Kill),
        1 => Just(Call::Stop),
    ]
}

/// What the receiver knows, over all lives of the deliverer.
#[derive(Debug, Default)]
struct Ledger {
    calls: VecDeque<Call>,
    /// Events in the order in which they were acknowledged in this life.
    acknowledged: Vec<Uuid>,
    /// Events that were acknowledged or refused at any time.
    settled: BTreeSet<Uuid>,
    /// Reports of losses among them.
    losses: BTreeSet<Uuid>,
}

#[derive(Clone)]
struct Fickle {
    ledger: Arc<Mutex<Ledger>>,
    kill: Arc<Notify>,
    stop: Arc<Notify>,
}

impl Fickle {
    fn settle(&self, batch: &[Message]) {
        let mut ledger = self.ledger.lock().expect("whole");
        for Message { event, .. } in batch {
            if event.body.kind() == Kind::SinkLost {
                ledger.losses.insert(event.id);
            } else {
                ledger.settled.insert(event.id);
                ledger.acknowledged.push(event.id);
            }
        }
    }
}

impl Transport for Fickle {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        let call = self.ledger.lock().expect("whole").calls.pop_front().unwrap_or(Call::All);
        let some = |n: u8| usize::from(n) % batch.len();
        let failure = |too_large| Failure { why: "no".to_owned(), after: None, too_large };
        Box::pin(async move {
            match call {
                Call::All => {
                    self.settle(batch);
                    Outcome::all(batch.len())
                }
                Call::Part(n) => {
                    self.settle(&batch[..some(n)]);
                    Outcome { done: some(n), refused: Vec::new(), failure: Some(failure(false)) }
                }
                Call::Refuse(n) => {
                    self.settle(batch);
                    let each = usize::from(n) % 7 + 1;
                    // Twice the same, and one that is not there: neither may upset the totals.
                    let refused = (0..batch.len()).step_by(each).flat_map(|index| [index, index]);
                    let refused = refused.chain([batch.len()]);
                    let refused = refused.map(|index| Refused { index, why: "no".to_owned() }).collect();
                    Outcome { done: batch.len(), refused, failure: None }
                }
                Call::AtMost(n) if batch.len() > usize::from(n) % 5 => {
                    if batch.len() == 1 {
                        self.settle(batch);
                    }
                    Outcome { done: 0, refused: Vec::new(), failure: Some(failure(true)) }
                }
                Call::AtMost(_) => {
                    self.settle(batch);
                    Outcome::all(batch.len())
                }
                Call::Silent(n) => {
                    self.settle(&batch[..some(n)]);
                    Outcome { done: some(n), refused: Vec::new(), failure: None }
                }
                Call::Kill | Call::Stop => {
                    // It is not acknowledged, and so not noted here either: it must come again.
                    if matches!(call, Call::Kill) { &self.kill } else { &self.stop }.notify_one();
                    std::future::pending().await
                }
            }
        })
    }

    fn limits(&self) -> Limits {
        Limits { events: 16, bytes: 1 << 20 }
    }
}

/// What one write to the spool is.
#[derive(Debug, Clone, Copy)]
enum Written {
    Wanted(u8),
    Filtered(u8),
    Unreadable(u8),
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        3 => (1_u8..40).prop_map(Written::Wanted),
        2 => (1_u8..40).prop_map(Written::Filtered),
        1 => (1_u8..3).prop_map(Written::Unreadable),
    ]
}

/// One case: a life of the deliverer for each write, and another one for each time that it is killed or stopped.
fn live(writes: &[Written], calls: Vec<Call>) -> Result<(), TestCaseError> {
    let mut scene = Scene::new();
    let config = sink("a", "filter = { kinds = \"flow.open\" }");
    let ledger = Arc::new(Mutex::new(Ledger { calls: calls.into(), ..Ledger::default() }));
    let (mut wanted, mut filtered, mut unreadable) = (Vec::new(), 0_u64, 0_u64);
    for write in writes {
        match *write {
            Written::Wanted(n) => wanted.extend(scene.write(n.into(), Kind::FlowOpen)),
            Written::Filtered(n) => filtered += scene.write(n.into(), Kind::FlowClose).len() as u64,
            Written::Unreadable(n) => {
                scene.write_lines((0..n).map(|_| b"{\"schema\":\"another\"}\n".to_vec()));
                unreadable += u64::from(n);
            }
        }
        let totals = loop {
            // A runtime of its own: when it is dropped, whatever waits is dropped where it waits.
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let fickle = Fickle { ledger: Arc::clone(&ledger), kill: Arc::default(), stop: Arc::default() };
            ledger.lock().expect("whole").acknowledged.clear();
            let ended = runtime.block_on(async {
                let running = scene.begin_with(&config, Box::new(fickle.clone()));
                let idle = || running.standing.facts().state == SinkState::Idle;
                tokio::select! {
                    () = until("idle", idle) => Some(running.stop().await.totals),
                    () = fickle.stop.notified() => { running.stop().await; None }
                    () = fickle.kill.notified() => None,
                }
            });
            drop(runtime);
            let ledger = ledger.lock().expect("whole");
            let order: BTreeMap<Uuid, usize> = wanted.iter().copied().zip(0..).collect();
            let mut got: Vec<usize> = ledger.acknowledged.iter().map(|id| order[id]).collect();
            // One that is kept although it is too large alone.
            got.dedup();
            prop_assert!(
                got.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                "in order, none left out: {got:?}"
            );
            if let Some(totals) = ended {
                break totals;
            }
        };
        let ledger = ledger.lock().expect("whole");
        prop_assert!(wanted.iter().all(|id| ledger.settled.contains(id)), "every event");
        prop_assert_eq!((totals.filtered, totals.lost), (filtered, unreadable));
        prop_assert_eq!(ledger.losses.len() as u64, unreadable, "each reported, by one id");
        prop_assert_eq!(totals.delivered + totals.refused, wanted.len() as u64 + unreadable);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_settled_once_whatever_happens(
        writes in prop::collection::vec(written(), 1..5),
        calls in prop::collection::vec(call(), 0..24),
    ) {
        live(&writes, calls)?;
    }
}

/// What the filter leaves out in front of an event that waits is counted once, however often the deliverer begins.
#[test]
fn what_waits_is_not_counted_again_after_a_kill() {
    let writes = [Written::Filtered(30), Written::Unreadable(1), Written::Wanted(3), Written::Filtered(5)];
    live(&writes, vec![Call::Kill, Call::Stop, Call::Kill, Call::Silent(1), Call::Kill])
        .expect("the totals add up");
}

/// A transport that panics is a fault of ours, and no reason to deliver nothing any more.
#[tokio::test]
async fn a_panic_in_a_transport_does_not_end_its_sink() {
    struct Panics(super::scene::Receiver);
    impl Transport for Panics {
        fn send<'a>(&'a mut self, _: &'a [Message]) -> Sending<'a> {
            self.0.next.lock().expect("whole").push_back(super::scene::Step::Fail);
            panic!("as a library may");
        }

        fn limits(&self) -> Limits {
            self.0.limits()
        }
    }
    let mut scene = Scene::new();
    let ids = scene.write(20, Kind::FlowOpen);
    let receiver = super::scene::Receiver::default();
    let made = Arc::new(Mutex::new(0));
    let (count, inner) = (Arc::clone(&made), receiver.clone());
    let make = move || -> Box<dyn Transport> {
        let mut count = count.lock().expect("whole");
        *count += 1;
        if *count == 1 {
            Box::new(Panics(super::scene::Receiver::default()))
        } else {
            Box::new(inner.clone())
        }
    };
    let running = scene.begin_always(&sink("a", ""), make);
    until("all", || receiver.ids() == ids).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let standing = running.stop().await;
    assert_eq!((*made.lock().expect("whole"), standing.totals.delivered), (2, 20));
    assert_eq!(standing.failed_attempts, 1, "it is shown");
}
