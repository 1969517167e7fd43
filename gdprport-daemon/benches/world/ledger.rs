//! What the ledger costs the loop: adding up, and handing over what came together.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gdprport_core::flow::{Change, ChangeKind, Flow, Standing};
use gdprport_core::ledger::{PortKey, Tally, TallyLimits};
use gdprport_core::model::{Attribution, Direction, Endpoint, Process};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{ReasonSet, Verdict};
use jiff::Timestamp;

use super::case::Item;

/// Rows of a usual host: ten programs, each called from fifty addresses.
const ROWS: u64 = 500;

/// Flows between two batches: a busy second.
const BATCH: u64 = 1_024;

/// One item: a flow, opened and closed, of one of 500 rows; a batch is drained every 1,024.
pub(super) fn tally() -> Item {
    let mut ledger = Ledger::new();
    Box::new(move |number| {
        ledger.flow(number);
        if number.is_multiple_of(BATCH) {
            ledger.drain();
        }
    })
}

/// One item: a second in which 50 of the rows are counted into, and its batch.
pub(super) fn batch() -> Item {
    const FLOWS: u64 = 50;
    let mut ledger = Ledger::new();
    Box::new(move |number| {
        for flow in 0..FLOWS {
            ledger.flow(FLOWS * number + flow);
        }
        ledger.drain();
    })
}

struct Ledger {
    tally: Tally,
    flows: Vec<Flow>,
    now: Timestamp,
}

impl Ledger {
    fn new() -> Self {
        let mut tally = Tally::new(TallyLimits::default(), 0);
        tally.set_policy(None, [PortKey { name: "customers-db".into(), number: 5432, declared: true }]);
        let now = "2026-11-23T13:20:00.123456789Z".parse().expect("a time");
        Self { tally, flows: flows(), now }
    }

    fn flow(&mut self, number: u64) {
        let template = &self.flows[(number * 7 % ROWS) as usize];
        let mut change = Change {
            kind: ChangeKind::Opened,
            flow: Flow { cookie: number, ..template.clone() },
            new_reasons: ReasonSet::default(),
            was: None,
        };
        self.tally.flow(black_box(&change), self.now);
        change.kind = ChangeKind::Closed;
        change.was = Some(Standing::Declared);
        (change.flow.bytes_sent, change.flow.bytes_received) = (Some(1_839), Some(411));
        self.tally.flow(black_box(&change), self.now);
    }

    fn drain(&mut self) {
        self.tally.watched(Duration::from_secs(1), self.now);
        black_box(self.tally.drain(false, self.now));
    }
}

fn flows() -> Vec<Flow> {
    let local = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)), 5432);
    let mut flows = Vec::new();
    for program in 0..10 {
        let process = Shared::new(Process {
            exe: Some(format!("/usr/bin/service-{program}").into()),
            uid: 1_001,
            unit: Some(format!("service-{program}.service").into()),
            attribution: Attribution::Exact,
            ..Process::UNKNOWN
        });
        let verdict = Shared::new(Verdict::Declared { rule: format!("role-{program}").into() });
        for peer in 0..50 {
            let peer = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 3, peer)), 40_000);
            flows.push(Flow {
                process: Some(Shared::clone(&process)),
                verdict: Shared::clone(&verdict),
                port_index: Some(0),
                opened_ns: Some(1),
                ..Flow::new(0, Direction::In, local, peer)
            });
        }
    }
    flows
}
