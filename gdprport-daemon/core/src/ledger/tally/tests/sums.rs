//! Whatever happens in whatever order, the batches of all runs come to what the events say.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use gdprport_common::SocketRole;
use proptest::prelude::*;

use super::reference::{Reference, Sums};
use super::*;
use crate::decode::{ConnectionEnd, ConnectionRecord, SocketEvent};
use crate::flow::{Context, FoundFlow, Judgement, Limits, Progress, Table};
use crate::hostile::Input;
use crate::identity::OwnerRef;
use crate::model::{Nat, Outcome, Translation};
use crate::policy::Facts;
use crate::posture::Tracker;
use crate::verdict::{Reason, ReasonId};

/// Few, so that the table is full soon.
const LIMITS: Limits = Limits { flows: 6, settle_ns: 50, update_ns: 1_000, undecided_bytes: 4_096 };

/// What verdicts depend on, and the processes that are known: some of them again and again, some as new values that are
/// equal.
struct World {
    policy: u8,
    known: Vec<Shared<Process>>,
    roles: [Arc<str>; 2],
}

impl World {
    fn new() -> Self {
        let known = ["/usr/bin/a", "/usr/bin/b"].map(process).to_vec();
        Self { policy: 0, known, roles: ["app".into(), "etl".into()] }
    }
}

impl Context for World {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        let known = self.known.get(owner.tgid as usize & 3)?;
        Some(if owner.tgid & 4 == 0 { known.clone() } else { Shared::new(Process::clone(known)) })
    }

    fn in_common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.process_of(owner)
    }

    fn with_names(&mut self, process: &Process) -> Option<Shared<Process>> {
        Some(Shared::new(Process { user: Some("etl".into()), names_pending: false, ..process.clone() }))
    }

    fn judge(&mut self, flow: &Flow) -> Judgement {
        let role = Arc::clone(&self.roles[usize::from(flow.posture.is_some())]);
        let reasons = |ids: &[ReasonId]| {
            ids.iter().map(|id| Reason { id: *id, detail: flow.cookie.to_string() }).collect::<Vec<_>>()
        };
        let verdict = match (self.policy & 3, flow.process.is_some()) {
            (0 | 1, true) => Verdict::Declared { rule: role },
            (2, true) => Verdict::Violation { reasons: reasons(&[ReasonId::UndeclaredPeer]), nearest: None },
            (_, true) => Verdict::Violation {
                reasons: reasons(&[ReasonId::UndeclaredPeer, ReasonId::Plaintext]),
                nearest: Some(crate::verdict::Nearest { role, failed: Vec::new() }),
            },
            (_, false) => Verdict::Undecided { missing: vec![flow.cookie.to_string()], nearest: None },
        };
        let port = usize::from(flow.port() == 6379);
        let watched = self.policy & 4 == 0 || port == 0;
        Judgement { verdict: verdict.into(), port: watched.then_some(port) }
    }

    fn depends_on_posture(&self, _: &Facts<'_>) -> bool {
        true
    }

    fn tracker(&self, _: &Facts<'_>) -> Tracker {
        Tracker::new(None)
    }
}

fn event(time_ns: u64, whose: u8) -> SocketEvent {
    let cookie = u64::from(whose & 15);
    let net = if whose & 2 == 0 { 127 } else { 10 };
    let address = |bit: u8| IpAddr::V4(Ipv4Addr::new(net, 0, 0, 1 + (whose >> bit & 1)));
    let number = if whose & 4 == 0 { 5432 } else { 6379 };
    let (near, far) =
        (Endpoint::new(address(4), number), Endpoint::new(address(5), 40_000 + u16::from(whose >> 6)));
    let (local, peer) = if whose & 1 == 0 { (near, far) } else { (far, near) };
    let role = SocketRole::from_raw(whose % 5).unwrap_or(SocketRole::None);
    let owner = OwnerRef { role, tgid: whose.into(), netns_cookie: 1, time_ns, ..OwnerRef::NOBODY };
    SocketEvent { time_ns, cookie, local, peer, owner, would_deny: false }
}

/// Runs, one after the other, and what was made of them.
struct Play {
    world: World,
    table: Table,
    tally: Tally,
    reference: Reference,
    sums: Sums,
    run: (u32, u64),
    now: Timestamp,
    now_ns: u64,
    out: Vec<Change>,
}

impl Play {
    fn new() -> Self {
        let mut table = Table::new(LIMITS);
        table.follow_translations(true);
        let mut tally = Tally::new(TallyLimits::default(), 0);
        tally.set_policy(None, ports());
        Self {
            world: World::new(),
            table,
            tally,
            reference: Reference::default(),
            sums: Sums::default(),
            run: (0, 0),
            now: noon(),
            now_ns: 0,
            out: Vec::new(),
        }
    }

    fn digest(&self) -> Option<Arc<str>> {
        (self.world.policy > 0).then(|| format!("sha256:{}", self.world.policy).into())
    }

    fn ports(&self) -> Vec<PortKey> {
        ports().into_iter().take(if self.world.policy & 4 == 0 { 2 } else { 1 }).collect()
    }

    fn publish(&mut self) {
        let (digest, ports) = (self.digest(), self.ports());
        for change in std::mem::take(&mut self.out) {
            if change.flow.port_index.is_none() && change.kind == ChangeKind::Opened {
                // As the monitor does with what belongs to no port that is watched.
                self.table.discard(change.flow.cookie);
            }
            self.tally.flow(&change, self.now);
            self.reference.flow(self.run, &change, (digest.as_ref(), &ports), self.now);
        }
    }

    fn set_policy(&mut self, policy: u8) {
        let watched = |flow: &Flow| policy & 4 == 0 || flow.port() == 5432;
        let _ = self.table.retain(watched, &mut self.out);
        self.publish();
        self.world.policy = policy;
        self.tally.set_policy(self.digest().as_ref(), self.ports());
        self.table.reevaluate(&mut self.world, &mut self.out);
        self.publish();
    }

    fn drain(&mut self) {
        let batch = self.tally.drain(false, self.now);
        self.sums.add(batch);
    }

    /// The daemon is started again; it finds what is open.
    fn restart(&mut self) {
        self.drain();
        let open: Vec<Flow> = self.table.iter().cloned().collect();
        self.run = (self.run.0 + 1, self.now_ns);
        self.table = Table::new(LIMITS);
        self.table.follow_translations(true);
        self.tally = Tally::new(TallyLimits::default(), self.run.1);
        self.tally.set_policy(self.digest().as_ref(), self.ports());
        for flow in open {
            let Flow { cookie, direction, local, peer, process, netns_cookie, .. } = flow;
            let progress = Progress {
                bytes_sent: flow.bytes_sent,
                bytes_received: flow.bytes_received,
                ..Progress::default()
            };
            let predates_daemon = true;
            let found = FoundFlow {
                cookie,
                direction,
                local,
                peer,
                process,
                netns_cookie,
                progress,
                predates_daemon,
            };
            self.table.adopt(found, self.now_ns, &mut self.world, &mut self.out);
        }
        self.publish();
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let (what, whose) = (input.u8(), input.u8());
        match what >> 5 {
            0..=3 => {}
            4 => self.now_ns += u64::from(input.u8()),
            5 => self.now += std::time::Duration::from_secs(60 * u64::from(input.u8())),
            6 => self.now += std::time::Duration::from_secs(3_600 * u64::from(input.u8() & 31)),
            _ => self.now -= std::time::Duration::from_secs(600 * u64::from(input.u8())),
        }
        let (event, Self { table, world, out, .. }) = (event(self.now_ns, whose), &mut *self);
        let now_ns = event.time_ns;
        match what & 31 {
            0..=2 => table.ingest(&ConnectionRecord::Connected(event), world, out),
            3..=5 => table.ingest(&ConnectionRecord::Arrived(event), world, out),
            6 | 7 => table.ingest(&ConnectionRecord::Accepted(event), world, out),
            8..=11 => {
                let outcome = if what & 3 == 0 { Outcome::Refused } else { Outcome::Closed };
                let end = ConnectionEnd {
                    acked: input.u16().into(),
                    bytes_received: Some(input.u8().into()),
                    rtt_us: None,
                    retransmits: 0,
                    since_ns: now_ns.saturating_sub(input.u8().into()),
                    outcome,
                    aborted: false,
                    grouped: false,
                };
                let record = match outcome {
                    Outcome::Refused => ConnectionRecord::Failed(event, end),
                    _ => ConnectionRecord::Ended(event, end),
                };
                table.ingest(&record, world, out);
            }
            12..=15 => {
                let bytes = input.take(usize::from(whose >> 4));
                let (cookie, offset) = (event.cookie, 0);
                let payload = ConnectionRecord::Payload { cookie, sent: what & 1 == 1, offset, bytes };
                table.ingest(&payload, world, out);
            }
            16..=18 => {
                table.settle(now_ns, out);
                table.stop_waiting(now_ns, out);
            }
            19..=22 => {
                let progress = Progress {
                    bytes_sent: (whose & 16 == 0).then(|| input.u16().into()),
                    bytes_received: (whose & 32 == 0).then(|| input.u8().into()),
                    ..Progress::default()
                };
                table.report_progress(event.cookie, progress, world, out);
            }
            23 => table.closed_unseen(event.cookie, now_ns, world, out),
            24 => {
                let nat = Nat::Translated(Box::new(Translation {
                    peer: Some(Endpoint::new([192, 0, 2, whose & 1].into(), 1)),
                    ..Translation::default()
                }));
                table.translated(event.cookie, Some(nat), world, out);
            }
            25 => {
                let SocketEvent { cookie, local, peer, .. } = event;
                let direction = if whose & 1 == 0 { Direction::In } else { Direction::Out };
                let (process, predates_daemon) = (world.known.first().cloned(), whose & 64 == 0);
                let progress =
                    Progress { bytes_sent: (whose & 32 == 0).then_some(500), ..Progress::default() };
                let netns_cookie = 1;
                let found = FoundFlow {
                    cookie,
                    direction,
                    local,
                    peer,
                    process,
                    netns_cookie,
                    progress,
                    predates_daemon,
                };
                table.adopt(found, now_ns, world, out);
            }
            26 => table.resolve_names(world, out),
            27 | 28 => return self.drain(),
            29 | 30 => return self.set_policy(whose & 7),
            _ => return self.restart(),
        }
        let _ = table.take_questions();
        self.publish();
    }
}

/// Plays all steps and compares.
fn play(bytes: &[u8]) {
    let mut play = Play::new();
    let mut input = Input(bytes);
    while !input.is_empty() {
        play.step(&mut input);
    }
    play.drain();
    let sum = |of: fn(&crate::ledger::Counts) -> u64| play.sums.rows.values().map(of).sum::<u64>();
    let ends = [sum(|counts| counts.opened), sum(|counts| counts.closed), sum(|counts| counts.failed)];
    assert_eq!(ends, play.reference.events, "the numbers of events");
    assert_eq!([sum(|c| c.bytes_sent), sum(|c| c.bytes_received)], play.reference.bytes());
    assert_eq!(play.tally.lost(), 0);
    let stand = play.sums.rows.iter().filter(|(_, counts)| counts.standing() > 0);
    let stand: HashMap<_, _> = stand.map(|(row, counts)| (row.clone(), counts.standing())).collect();
    assert_eq!(stand, play.reference.stayed(), "each flow stands where it stood last");
    if !play.reference.went_back {
        let mut days = BTreeMap::new();
        stand.iter().for_each(|((day, _), flows)| *days.entry(*day).or_default() += flows);
        assert_eq!(days, play.reference.by_day(), "each flow of a day stands in one row");
    }
    let (sums, expected) = (play.sums.without_nothing(), play.reference.sums.without_nothing());
    for (row, counts) in &expected.rows {
        assert_eq!(sums.rows.get(row), Some(counts), "{row:?}");
    }
    assert_eq!(
        (sums.volume, sums.coverage, sums.rows.len()),
        (expected.volume, expected.coverage, expected.rows.len())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn batches_come_to_what_the_events_say(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        play(&bytes);
    }
}
