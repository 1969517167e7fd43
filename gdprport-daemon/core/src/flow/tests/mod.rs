//! The table's guarantees, on synthetic records.

mod bounds;
mod ending;
mod found;
mod listing;
mod nat;
mod reevaluate;
mod refused;
mod summed;
mod undecided;
mod untaken;

use gdprport_common::SocketRole;

use super::*;
use crate::decode::{ConnectionEnd, ConnectionRecord, SocketEvent};
use crate::identity::OwnerRef;
use crate::model::{Attribution, Direction, Endpoint, Outcome, Posture, Process, Withheld};
use crate::policy::Facts;
use crate::posture::Tracker;
use crate::shared::Shared;
use crate::verdict::{Reason, ReasonId, ReasonSet, Verdict};

const SETTLE: u64 = 50;
const UPDATE: u64 = 1_000;

/// Knows processes by pid, allows pid 1 and 2, watches port 5432.
struct World {
    strict: bool,
    /// Of a violation.
    reasons: Vec<ReasonId>,
    /// Of every flow.
    port: Option<PortIndex>,
}

impl Context for World {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        let attribution = match owner.role {
            SocketRole::Connected | SocketRole::Accepted => Attribution::Exact,
            SocketRole::Bound => Attribution::Listener,
            SocketRole::Seeded => Attribution::Snapshot,
            SocketRole::None => return None,
        };
        Some(Shared::new(process(owner.tgid, attribution)))
    }

    fn in_common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.process_of(owner)
    }

    fn with_names(&mut self, process: &Process) -> Option<Shared<Process>> {
        let known = !self.strict;
        known.then(|| {
            Shared::new(Process { user: Some("etl".into()), names_pending: false, ..process.clone() })
        })
    }

    fn depends_on_posture(&self, _: &Facts<'_>) -> bool {
        true
    }

    fn tracker(&self, _: &Facts<'_>) -> Tracker {
        Tracker::new(None)
    }

    fn judge(&mut self, flow: &Flow) -> Judgement {
        let verdict = Shared::new(match &flow.process {
            Some(process) if process.pid <= 2 && !self.strict => Verdict::Declared { rule: "app".into() },
            Some(_) if !self.reasons.is_empty() => Verdict::Violation {
                reasons: self.reasons.iter().map(|id| Reason { id: *id, detail: "x".into() }).collect(),
                nearest: None,
            },
            Some(_) => Verdict::Declared { rule: "anybody".into() },
            None => Verdict::Undecided { missing: vec!["process".into()], nearest: None },
        });
        Judgement { verdict, port: self.port }
    }
}

fn process(pid: u32, attribution: Attribution) -> Process {
    Process { pid, uid: 0, gid: 0, attribution, ..Process::UNKNOWN }
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
        would_deny: false,
    }
}

/// A connection to the near end arrives at the listener of a process.
fn arrived(cookie: u64, time_ns: u64, tgid: u32) -> ConnectionRecord<'static> {
    ConnectionRecord::Arrived(event(cookie, time_ns, SocketRole::Bound, tgid, NEAR, FAR))
}

/// A process accepts it.
fn accepted(cookie: u64, time_ns: u64, tgid: u32) -> ConnectionRecord<'static> {
    ConnectionRecord::Accepted(event(cookie, time_ns, SocketRole::Accepted, tgid, NEAR, FAR))
}

fn ending(outcome: Outcome) -> ConnectionEnd {
    ConnectionEnd {
        acked: 10,
        bytes_received: Some(20),
        rtt_us: Some(5),
        retransmits: 0,
        since_ns: 3,
        outcome,
        aborted: false,
        grouped: false,
    }
}

const CLIENT: &str = "127.0.0.1:40000";
const SERVER: &str = "127.0.0.1:5432";
const FAR: &str = "192.0.2.9:40000";
const NEAR: &str = "10.0.0.1:5432";

struct Fixture {
    table: Table,
    world: World,
    out: Vec<Change>,
}

impl Fixture {
    fn new(flows: usize) -> Self {
        let limits = Limits { flows, settle_ns: SETTLE, update_ns: UPDATE, ..Limits::default() };
        Self {
            table: Table::new(limits),
            world: World { strict: false, reasons: vec![ReasonId::UndeclaredProcess], port: Some(0) },
            out: Vec::new(),
        }
    }

    fn ingest(&mut self, record: ConnectionRecord<'_>) -> Vec<Change> {
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

fn pid(process: Option<&Shared<Process>>) -> Option<(u32, Attribution)> {
    process.map(|process| (process.pid, process.attribution))
}

#[test]
fn a_flow_to_elsewhere_is_reported_at_once() {
    let mut fixture = Fixture::new(8);
    let out = fixture.ingest(ConnectionRecord::Connected(event(
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
fn the_prefork_worker_is_the_owner_not_the_master() {
    let mut fixture = Fixture::new(8);
    assert!(fixture.ingest(arrived(1, 10, 1)).is_empty());
    let out = fixture.ingest(accepted(1, 11, 2));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
}

/// It makes up no flow.
#[test]
fn an_acceptor_without_addresses_is_joined_by_its_cookie() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    let acceptor = |cookie| ConnectionRecord::Acceptor {
        cookie,
        owner: event(cookie, 11, SocketRole::Accepted, 2, NEAR, FAR).owner,
    };
    let out = fixture.ingest(acceptor(1));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
    assert!(fixture.ingest(acceptor(9)).is_empty());
    assert!(fixture.table.get(9).is_none());
}

#[test]
fn without_an_accept_the_listener_is_named_as_such() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    assert!(fixture.settle(10 + SETTLE - 1).is_empty());
    assert_eq!(fixture.table.next_settle(), Some(10 + SETTLE));
    let out = fixture.settle(10 + SETTLE);
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((1, Attribution::Listener)));
}

#[test]
fn a_late_acceptor_is_an_update_and_reevaluates_the_flow() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    fixture.settle(10 + SETTLE);
    let out = fixture.ingest(accepted(1, 500, 7));
    assert_eq!(kinds(&out), [ChangeKind::Updated]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((7, Attribution::Exact)));
    assert!(out[0].is_new_violation());
}

#[test]
fn both_ends_of_a_loopback_flow_know_each_other() {
    let mut fixture = Fixture::new(8);
    assert!(
        fixture
            .ingest(ConnectionRecord::Connected(event(1, 10, SocketRole::Connected, 1, CLIENT, SERVER)))
            .is_empty()
    );
    assert!(
        fixture
            .ingest(ConnectionRecord::Arrived(event(2, 11, SocketRole::Bound, 9, SERVER, CLIENT)))
            .is_empty()
    );
    let out =
        fixture.ingest(ConnectionRecord::Accepted(event(2, 12, SocketRole::Accepted, 2, SERVER, CLIENT)));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.peer_process.as_ref()), Some((1, Attribution::Exact)));
    assert_eq!(pid(out[1].flow.peer_process.as_ref()), Some((2, Attribution::Exact)));
}

#[test]
fn a_flow_that_ends_before_it_settled_is_opened_and_closed() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    let out = fixture.ingest(ConnectionRecord::Ended(
        event(1, 20, SocketRole::Bound, 1, NEAR, FAR),
        ending(Outcome::Closed),
    ));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!((out[1].flow.bytes_sent, out[1].flow.bytes_received), (Some(10), Some(20)));
    assert!(fixture.table.is_empty());
    assert!(fixture.settle(u64::MAX).is_empty());
}

#[test]
fn an_end_without_a_beginning_is_reported_in_full() {
    let mut fixture = Fixture::new(8);
    let out = fixture.ingest(ConnectionRecord::Ended(
        event(1, 20, SocketRole::Accepted, 2, NEAR, FAR),
        ending(Outcome::Closed),
    ));
    assert_eq!(kinds(&out), [ChangeKind::Closed]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((2, Attribution::Exact)));
    assert_eq!((out[0].flow.opened_ns, out[0].flow.direction), (Some(3), Direction::In));
    assert_eq!(fixture.table.counters().opening_missed, 1);
}

/// Its flow was counted when the policy changed.
#[test]
fn an_end_on_an_unwatched_port_lacks_no_opening() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    fixture.table.retain(|_| false, &mut fixture.out);
    fixture.out.clear();
    let end =
        || ConnectionRecord::Ended(event(1, 20, SocketRole::Bound, 1, NEAR, FAR), ending(Outcome::Closed));
    fixture.world.port = None;
    fixture.ingest(end());
    assert_eq!(fixture.table.counters().opening_missed, 0);
    fixture.world.port = Some(0);
    fixture.ingest(end());
    assert_eq!(
        fixture.table.counters().opening_missed,
        1,
        "its port is watched again, and the end is reported"
    );
}

#[test]
fn a_failed_connect_is_a_failure_and_not_a_flow() {
    let mut fixture = Fixture::new(8);
    let refused = event(1, 20, SocketRole::Connected, 7, "10.0.0.1:40000", "192.0.2.9:5432");
    let out = fixture.ingest(ConnectionRecord::Failed(refused, ending(Outcome::Refused)));
    assert_eq!(kinds(&out), [ChangeKind::Failed]);
    assert!(out[0].is_new_violation());
    assert_eq!((out[0].flow.direction, out[0].flow.outcome), (Direction::Out, Outcome::Refused));
    assert_eq!(fixture.table.counters().opening_missed, 0);
}

/// Its ephemeral port may be a watched number, and its owner may not be known.
#[test]
fn a_failed_connect_is_outward_whatever_its_port() {
    for role in [SocketRole::None, SocketRole::Connected, SocketRole::Bound] {
        let mut fixture = Fixture::new(8);
        let refused = event(1, 20, role, 7, "10.0.0.1:5432", "192.0.2.9:5432");
        let out = fixture.ingest(ConnectionRecord::Failed(refused, ending(Outcome::Refused)));
        assert_eq!(out[0].flow.direction, Direction::Out, "{role:?}");
    }
}

/// What is stored of the socket may be older than its flow.
#[test]
fn bytes_at_the_end_follow_the_direction_of_the_flow() {
    for role in [SocketRole::Connected, SocketRole::Bound] {
        let mut fixture = Fixture::new(8);
        fixture.ingest(arrived(1, 10, 1));
        let out = fixture
            .ingest(ConnectionRecord::Ended(event(1, 20, role, 1, NEAR, FAR), ending(Outcome::Closed)));
        let closed = out.last().expect("it ended");
        assert_eq!((closed.flow.direction, closed.flow.bytes_sent), (Direction::In, Some(10)), "{role:?}");
    }
}

#[test]
fn a_flow_that_nobody_answers_is_closed_and_no_failed_connect() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    let end = event(1, 20, SocketRole::Bound, 1, NEAR, FAR);
    let out = fixture.ingest(ConnectionRecord::Ended(end, ending(Outcome::TimedOut)));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!(out[1].flow.outcome, Outcome::TimedOut);
}

#[test]
fn a_violation_is_new_only_once() {
    let mut fixture = Fixture::new(8);
    let to = "192.0.2.9:5432";
    let out = fixture.ingest(ConnectionRecord::Connected(event(
        1,
        10,
        SocketRole::Connected,
        7,
        "10.0.0.1:40000",
        to,
    )));
    assert!(out[0].is_new_violation());
    fixture.table.report_progress(1, Progress::default(), &mut fixture.world, &mut fixture.out);
    assert!(!fixture.out[0].is_new_violation());
}

#[test]
fn a_violation_is_new_again_for_an_added_reason_only() {
    let mut fixture = Fixture::new(8);
    let mut new_reasons = |kinds: &[ReasonId]| {
        fixture.world.reasons = kinds.to_vec();
        if fixture.table.is_empty() {
            let to = "192.0.2.9:5432";
            fixture.ingest(ConnectionRecord::Connected(event(
                1,
                10,
                SocketRole::Connected,
                7,
                "10.0.0.1:40000",
                to,
            )))
        } else {
            fixture.table.report_progress(1, Progress::default(), &mut fixture.world, &mut fixture.out);
            std::mem::take(&mut fixture.out)
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
        assert_eq!(new_reasons(reasons), set(new), "{reasons:?}");
    }
}

/// Whether it is opened, refused or only its end is known; a later acceptor is known after all.
#[test]
fn how_an_owner_withheld_itself_goes_with_its_flow() {
    let mut fixture = Fixture::new(8);
    let hidden = |cookie, local, peer| {
        let mut event = event(cookie, 5, SocketRole::None, 0, local, peer);
        event.owner.withheld = Some(Withheld::OptionMemory);
        event
    };
    fixture.ingest(ConnectionRecord::Connected(hidden(1, FAR, NEAR)));
    let refused = ConnectionRecord::Ended(hidden(2, FAR, NEAR), ending(Outcome::Refused));
    for flow in fixture.ingest(refused).iter().map(|change| &change.flow).chain(fixture.table.get(1)) {
        assert_eq!(
            (flow.facts().owner_withheld, flow.process.is_none()),
            (Some(Withheld::OptionMemory), true)
        );
    }
    fixture.ingest(ConnectionRecord::Arrived(hidden(3, NEAR, FAR)));
    fixture.ingest(accepted(3, 6, 7));
    let flow = fixture.table.get(3).expect("open");
    assert_eq!((flow.owner_withheld, pid(flow.process.as_ref())), (None, Some((7, Attribution::Exact))));
}
