//! The table's promises, on made-up records.

mod found;
mod undecided;

use gdprport_common::SocketRole;

use super::*;
use crate::decode::{Ending, Record, SocketEvent};
use crate::model::Attribution;
use crate::verdict::{Reason, ReasonId};

const SETTLE: u64 = 50;
const UPDATE: u64 = 1_000;

/// Knows processes by pid, allows pid 1 and 2, watches port 5432.
struct World {
    strict: bool,
    /// Of a violation.
    reasons: Vec<ReasonId>,
}

impl Context for World {
    fn who(&mut self, owner: &OwnerRef) -> Option<Arc<Process>> {
        let attribution = match owner.role {
            SocketRole::Connected | SocketRole::Accepted => Attribution::Exact,
            SocketRole::Bound => Attribution::Listener,
            SocketRole::Seeded => Attribution::Snapshot,
            SocketRole::None => return None,
        };
        Some(Arc::new(process(owner.tgid, attribution)))
    }

    fn named(&mut self, process: &Process) -> Option<Arc<Process>> {
        let known = !self.strict;
        known.then(|| Arc::new(Process { user: Some("etl".into()), names_pending: false, ..process.clone() }))
    }

    fn weighs_posture(&self, _: &Facts<'_>) -> bool {
        true
    }

    fn tracker(&self, _: &Facts<'_>) -> Tracker {
        Tracker::new(None)
    }

    fn judge(&mut self, flow: &Flow) -> Arc<Verdict> {
        Arc::new(match &flow.process {
            Some(process) if process.pid <= 2 && !self.strict => Verdict::Declared { rule: "app".into() },
            Some(_) if !self.reasons.is_empty() => Verdict::Violation {
                reasons: self.reasons.iter().map(|id| Reason { id: *id, detail: "x".into() }).collect(),
                nearest: None,
            },
            Some(_) => Verdict::Declared { rule: "anybody".into() },
            None => Verdict::Undecided { missing: vec!["process".into()], nearest: None },
        })
    }

    fn is_watched(&self, port: u16) -> bool {
        port == 5432
    }
}

fn process(pid: u32, attribution: Attribution) -> Process {
    Process {
        pid,
        started: None,
        exe: None,
        script: None,
        comm: None,
        uid: 0,
        user: None,
        gid: 0,
        group: None,
        names_pending: false,
        container_unproven: false,
        unit: None,
        slice: None,
        container: None,
        cgroup: None,
        netns: None,
        parent: None,
        attribution,
    }
}

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("address");
    Endpoint::new(address.ip(), address.port())
}

fn event(cookie: u64, time_ns: u64, role: SocketRole, tgid: u32, local: &str, peer: &str) -> SocketEvent {
    SocketEvent {
        time_ns,
        cookie,
        local: endpoint(local),
        peer: endpoint(peer),
        owner: OwnerRef { role, tgid, netns_cookie: 1, time_ns, ..OwnerRef::NOBODY },
    }
}

fn ending(outcome: Outcome) -> Ending {
    Ending { acked: 10, bytes_received: Some(20), rtt_us: Some(5), retransmits: 0, since_ns: 3, outcome }
}

const CLIENT: &str = "127.0.0.1:40000";
const SERVER: &str = "127.0.0.1:5432";
const FAR: &str = "192.0.2.9:40000";
const NEAR: &str = "10.0.0.1:5432";

struct Bench {
    table: Table,
    world: World,
    out: Vec<Change>,
}

impl Bench {
    fn new(flows: usize) -> Self {
        let limits = Limits { flows, settle_ns: SETTLE, update_ns: UPDATE, ..Limits::default() };
        Self {
            table: Table::new(limits),
            world: World { strict: false, reasons: vec![ReasonId::UndeclaredProcess] },
            out: Vec::new(),
        }
    }

    fn take(&mut self, record: Record<'_>) -> Vec<Change> {
        self.table.ingest(&record, &mut self.world, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn settle(&mut self, now: u64) -> Vec<Change> {
        self.table.settle(now, &mut self.out);
        std::mem::take(&mut self.out)
    }
}

fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
    changes.iter().map(|change| change.kind).collect()
}

fn pid(process: Option<&Arc<Process>>) -> Option<(u32, Attribution)> {
    process.map(|process| (process.pid, process.attribution))
}

#[test]
fn a_flow_to_elsewhere_is_reported_at_once() {
    let mut bench = Bench::new(8);
    let out = bench.take(Record::Connected(event(
        1,
        10,
        SocketRole::Connected,
        1,
        "10.0.0.1:40000",
        "192.0.2.9:5432",
    )));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(out[0].flow.port(), 5432);
}

#[test]
fn prefork_worker_is_the_owner_not_the_master() {
    let mut bench = Bench::new(8);
    assert!(bench.take(Record::Arrived(event(1, 10, SocketRole::Bound, 1, NEAR, FAR))).is_empty());
    let out = bench.take(Record::Accepted(event(1, 11, SocketRole::Accepted, 2, NEAR, FAR)));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
}

#[test]
fn an_acceptor_without_addresses_is_joined_by_the_cookie_and_makes_no_flow_up() {
    let mut bench = Bench::new(8);
    bench.take(Record::Arrived(event(1, 10, SocketRole::Bound, 1, NEAR, FAR)));
    let acceptor = |cookie| Record::Acceptor {
        cookie,
        owner: event(cookie, 11, SocketRole::Accepted, 2, NEAR, FAR).owner,
    };
    let out = bench.take(acceptor(1));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
    assert!(bench.take(acceptor(9)).is_empty());
    assert!(bench.table.get(9).is_none());
}

#[test]
fn an_accept_that_does_not_show_leaves_the_listener_named_as_such() {
    let mut bench = Bench::new(8);
    bench.take(Record::Arrived(event(1, 10, SocketRole::Bound, 1, NEAR, FAR)));
    assert!(bench.settle(10 + SETTLE - 1).is_empty());
    assert_eq!(bench.table.next_settle(), Some(10 + SETTLE));
    let out = bench.settle(10 + SETTLE);
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((1, Attribution::Listener)));
}

#[test]
fn a_late_acceptor_is_reported_as_an_update_and_judged_anew() {
    let mut bench = Bench::new(8);
    bench.take(Record::Arrived(event(1, 10, SocketRole::Bound, 1, NEAR, FAR)));
    bench.settle(10 + SETTLE);
    let out = bench.take(Record::Accepted(event(1, 500, SocketRole::Accepted, 7, NEAR, FAR)));
    assert_eq!(kinds(&out), [ChangeKind::Updated]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((7, Attribution::Exact)));
    assert!(out[0].is_new_violation());
}

#[test]
fn names_that_come_late_are_put_in_once_and_the_flow_is_judged_anew() {
    let mut bench = Bench::new(8);
    for cookie in [1, 2] {
        bench.take(Record::Arrived(event(cookie, 10, SocketRole::Bound, 1, NEAR, FAR)));
        let late = Arc::new(Process { names_pending: true, ..process(7, Attribution::Exact) });
        bench.table.flows.get_mut(&cookie).expect("it is there").flow.process = Some(late);
    }
    bench.take(Record::Accepted(event(1, 11, SocketRole::Accepted, 2, NEAR, FAR)));
    bench.settle(10 + SETTLE);
    bench.world.strict = true;
    bench.table.name_again(&mut bench.world, &mut bench.out);
    assert!(bench.out.is_empty(), "still not told");
    bench.world.strict = false;
    bench.table.name_again(&mut bench.world, &mut bench.out);
    let out = std::mem::take(&mut bench.out);
    assert_eq!(kinds(&out), [ChangeKind::Updated]);
    assert_eq!(out[0].flow.cookie, 2);
    let named = out[0].flow.process.as_ref().expect("a process");
    assert_eq!((named.user.as_deref(), named.names_pending), (Some("etl"), false));
    bench.table.name_again(&mut bench.world, &mut bench.out);
    assert!(bench.out.is_empty(), "once is enough");
}

#[test]
fn both_ends_of_a_loopback_flow_know_each_other() {
    let mut bench = Bench::new(8);
    assert!(bench.take(Record::Connected(event(1, 10, SocketRole::Connected, 1, CLIENT, SERVER))).is_empty());
    assert!(bench.take(Record::Arrived(event(2, 11, SocketRole::Bound, 9, SERVER, CLIENT))).is_empty());
    let out = bench.take(Record::Accepted(event(2, 12, SocketRole::Accepted, 2, SERVER, CLIENT)));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.peer_process.as_ref()), Some((1, Attribution::Exact)));
    assert_eq!(pid(out[1].flow.peer_process.as_ref()), Some((2, Attribution::Exact)));
}

#[test]
fn a_flow_that_ends_before_it_settled_is_opened_and_closed() {
    let mut bench = Bench::new(8);
    bench.take(Record::Arrived(event(1, 10, SocketRole::Bound, 1, NEAR, FAR)));
    let out =
        bench.take(Record::Ended(event(1, 20, SocketRole::Bound, 1, NEAR, FAR), ending(Outcome::Closed)));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!((out[1].flow.bytes_sent, out[1].flow.bytes_received), (Some(10), Some(20)));
    assert!(bench.table.is_empty());
    assert!(bench.settle(u64::MAX).is_empty());
}

#[test]
fn an_end_without_a_beginning_is_still_told_in_full() {
    let mut bench = Bench::new(8);
    let out =
        bench.take(Record::Ended(event(1, 20, SocketRole::Accepted, 2, NEAR, FAR), ending(Outcome::Closed)));
    assert_eq!(kinds(&out), [ChangeKind::Closed]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
    assert_eq!((out[0].flow.opened_ns, out[0].flow.direction), (Some(3), Direction::In));
    assert_eq!(bench.table.counters().opening_missed, 1);
}

#[test]
fn a_failed_connect_is_a_failure_and_not_a_flow() {
    let mut bench = Bench::new(8);
    let refused = event(1, 20, SocketRole::Connected, 7, "10.0.0.1:40000", "192.0.2.9:5432");
    let out = bench.take(Record::Ended(refused, ending(Outcome::Refused)));
    assert_eq!(kinds(&out), [ChangeKind::Failed]);
    assert!(out[0].is_new_violation());
    assert_eq!((out[0].flow.direction, out[0].flow.outcome), (Direction::Out, Outcome::Refused));
    assert_eq!(bench.table.counters().opening_missed, 0);
}

#[test]
fn a_violation_is_new_only_once() {
    let mut bench = Bench::new(8);
    let to = "192.0.2.9:5432";
    let out = bench.take(Record::Connected(event(1, 10, SocketRole::Connected, 7, "10.0.0.1:40000", to)));
    assert!(out[0].is_new_violation());
    bench.table.progress(1, Progress::default(), &mut bench.world, &mut bench.out);
    assert!(!bench.out[0].is_new_violation());
}

#[test]
fn a_violation_is_new_again_when_a_reason_is_added_and_only_that_one_is() {
    let mut bench = Bench::new(8);
    let mut look = |kinds: &[ReasonId]| {
        bench.world.reasons = kinds.to_vec();
        if bench.table.is_empty() {
            let to = "192.0.2.9:5432";
            bench.take(Record::Connected(event(1, 10, SocketRole::Connected, 7, "10.0.0.1:40000", to)))
        } else {
            bench.table.progress(1, Progress::default(), &mut bench.world, &mut bench.out);
            std::mem::take(&mut bench.out)
        }
        .remove(0)
        .new_reasons
    };
    let set = |ids: &[ReasonId]| {
        let reasons = ids.iter().map(|id| Reason { id: *id, detail: String::new() }).collect();
        ReasonSet::from(&Verdict::Violation { reasons, nearest: None })
    };
    use ReasonId::{Plaintext, UndeclaredPeer, UndeclaredProcess};
    for (reasons, new) in [
        (&[UndeclaredProcess][..], &[UndeclaredProcess][..]),
        (&[UndeclaredProcess, Plaintext], &[Plaintext]),
        (&[Plaintext], &[]),
        (&[UndeclaredPeer, UndeclaredProcess], &[UndeclaredPeer]),
        (&[], &[]),
        (&[Plaintext], &[Plaintext]),
    ] {
        assert_eq!(look(reasons), set(new), "{reasons:?}");
    }
}

#[test]
fn the_table_is_bounded_and_what_goes_is_the_oldest_and_counted() {
    let mut bench = Bench::new(2);
    for cookie in 1..=3 {
        let local = format!("10.0.0.1:{}", 40_000 + cookie);
        let record = event(cookie, cookie, SocketRole::Connected, 1, &local, "192.0.2.9:5432");
        bench.take(Record::Connected(record));
    }
    assert_eq!((bench.table.len(), bench.table.counters().evicted), (2, 1));
    assert!(bench.table.get(1).is_none() && bench.table.get(3).is_some());
}

#[test]
fn a_flow_that_has_to_go_before_it_settled_is_told_first() {
    let mut bench = Bench::new(1);
    assert!(bench.take(Record::Arrived(event(1, 1, SocketRole::Bound, 1, NEAR, FAR))).is_empty());
    let out = bench.take(Record::Arrived(event(2, 2, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Forgotten(Forgotten::TableFull)]);
    assert_eq!((out[0].flow.cookie, out[1].flow.cookie), (1, 1));
    assert_eq!(bench.table.counters().evicted, 1);
}

#[test]
fn a_flow_that_was_evicted_before_it_was_accepted_drives_out_no_other() {
    let mut bench = Bench::new(1);
    bench.take(Record::Arrived(event(1, 1, SocketRole::Bound, 1, NEAR, FAR)));
    bench.take(Record::Arrived(event(2, 2, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")));
    assert!(bench.take(Record::Accepted(event(3, 1, SocketRole::Accepted, 1, NEAR, FAR))).is_empty());
    assert!(bench.table.get(2).is_some());
    assert_eq!(bench.table.counters().evicted, 1);
}

#[test]
fn flows_of_a_port_that_is_no_longer_watched_are_forgotten_aloud() {
    let mut bench = Bench::new(2);
    bench.take(Record::Arrived(event(1, 1, SocketRole::Bound, 1, NEAR, FAR)));
    bench.out.clear();
    assert_eq!(bench.table.retain(|_| false, &mut bench.out), 1);
    assert_eq!(kinds(&bench.out), [ChangeKind::Opened, ChangeKind::Forgotten(Forgotten::Unwatched)]);
    assert!(bench.table.is_empty());
}

#[test]
fn queues_do_not_grow_with_flows_that_ended() {
    let mut bench = Bench::new(100);
    for cookie in 1..20_000 {
        bench.take(Record::Arrived(event(cookie, cookie, SocketRole::Bound, 1, NEAR, FAR)));
        bench.take(Record::Ended(
            event(cookie, cookie, SocketRole::Bound, 1, NEAR, FAR),
            ending(Outcome::Closed),
        ));
    }
    let mut due = bench.table.due_updates(u64::MAX);
    assert!(due.is_empty(), "{due:?}");
    bench.take(Record::Arrived(event(30_000, 1, SocketRole::Bound, 1, NEAR, FAR)));
    due = bench.table.due_updates(UPDATE + 1);
    assert_eq!(due, [30_000]);
}

#[test]
fn long_lived_flows_come_up_again_and_again() {
    let mut bench = Bench::new(8);
    let record = event(1, 10, SocketRole::Connected, 1, "10.0.0.1:40000", "192.0.2.9:5432");
    bench.take(Record::Connected(record));
    assert!(bench.table.due_updates(10 + UPDATE - 1).is_empty());
    assert_eq!(bench.table.due_updates(10 + UPDATE), [1]);
    assert_eq!(bench.table.due_updates(10 + 2 * UPDATE), [1]);
}

#[test]
fn a_change_of_policy_reports_only_what_it_changed() {
    let mut bench = Bench::new(8);
    let to = "192.0.2.9:5432";
    bench.take(Record::Connected(event(1, 10, SocketRole::Connected, 1, "10.0.0.1:40000", to)));
    bench.take(Record::Connected(event(2, 10, SocketRole::Connected, 7, "10.0.0.1:40001", to)));
    bench.world.strict = true;
    bench.table.rejudge(&mut bench.world, &mut bench.out);
    assert_eq!(kinds(&bench.out), [ChangeKind::Updated]);
    assert!(bench.out[0].is_new_violation() && bench.out[0].flow.cookie == 1);
}

#[test]
fn a_time_at_the_end_of_all_times_does_no_harm() {
    let mut bench = Bench::new(4);
    bench.take(Record::Arrived(event(1, u64::MAX, SocketRole::Bound, 1, NEAR, FAR)));
    assert_eq!(bench.table.next_settle(), Some(u64::MAX));
    assert_eq!(bench.table.due_updates(u64::MAX), [1]);
}
