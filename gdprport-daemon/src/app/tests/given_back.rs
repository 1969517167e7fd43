//! A batch that the ledger has no room for is offered again: nothing of it is lost, and nothing is counted twice.

use std::time::{Duration, Instant};

use gdprport_core::decode::ConnectionRecord;
use gdprport_core::flow::Limits;
use gdprport_core::ledger::TallyLimits;

use super::world::{World, event};
use crate::ledger::testing::lock;

/// How many of them a batch has room for.
const ROWS: usize = 3;

/// Opens a connection by a client whose address is `peer`.
fn open(world: &mut World, cookie: u64, peer: u8) {
    let event = event(world.now_ns, cookie, 4 | peer << 4);
    world.record(ConnectionRecord::Arrived(event));
    world.record(ConnectionRecord::Accepted(event));
}

fn waiting(world: &World) -> u64 {
    world.keeper.snapshot().expect("a ledger").waiting
}

fn wait_until(world: &mut World, what: &str, mut is_so: impl FnMut(&mut World) -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so(world) {
        assert!(Instant::now() < until, "{what}: {:?}", world.keeper.snapshot());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_given_back_is_offered_again_and_counted_once() {
    let limits = TallyLimits { rows: ROWS, flows: 1_000 };
    let mut world = World::new((Limits::default(), limits), 1_000);
    world.second();
    wait_until(&mut world, "the run begins", |world| waiting(world) == 0);
    let locked = lock(&world.path());

    // Each batch has a flow; two find room with the thread, the others are kept here.
    let mut made = 0;
    for peer in 0..8 {
        made += 1;
        open(&mut world, made, peer);
        world.second();
    }
    let snapshot = world.keeper.snapshot().expect("a ledger");
    assert!(snapshot.waiting >= 2 && snapshot.returned > 0, "{snapshot:?}");
    // What does not fit beside what waits is counted, each once.
    for peer in 0..16 {
        made += 1;
        open(&mut world, made, peer);
    }
    let lost = world.monitor.tally.as_ref().expect("one is kept").lost();
    assert!(lost >= 16 - ROWS as u64, "{lost}");
    for _ in 0..4 {
        world.second();
    }
    assert_eq!(
        world.monitor.tally.as_ref().expect("one is kept").lost(),
        lost,
        "not again when it is offered"
    );
    assert_eq!(world.keeper.status(lost).lost, lost);

    drop(locked);
    wait_until(&mut world, "all is stored", |world| {
        world.second();
        waiting(world) == 0
    });
    world.stop();
    assert_eq!(world.sums().opened + lost, made);
    assert_eq!(world.observed().runs.len(), 1, "the run began once");
}
