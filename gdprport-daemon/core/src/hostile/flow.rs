//! Records of one flow after the other, in any order, at any time: the counters of the table must balance.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use gdprport_common::SocketRole;

use super::input::Input;
use crate::decode::{ConnectionEnd, ConnectionRecord, SocketEvent};
use crate::flow::{Change, ChangeKind, Context, Flow, Judgement, Limits, Removal, Table};
use crate::identity::OwnerRef;
use crate::model::{Endpoint, Nat, Outcome, Process, Translation};
use crate::policy::Facts;
use crate::posture::Tracker;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Few, so that the table is full soon.
const LIMITS: Limits = Limits { flows: 6, settle_ns: 50, update_ns: 1_000, undecided_bytes: 512 };

/// No process is known, and every flow is allowed.
struct Permissive;

impl Context for Permissive {
    fn process_of(&mut self, _: &OwnerRef) -> Option<Shared<Process>> {
        None
    }

    fn in_common(&mut self, _: &OwnerRef) -> Option<Shared<Process>> {
        None
    }

    fn with_names(&mut self, _: &Process) -> Option<Shared<Process>> {
        None
    }

    fn judge(&mut self, flow: &Flow) -> Judgement {
        let verdict = Shared::new(match flow.posture {
            Some(_) => Verdict::Declared { rule: "any".into() },
            None => Verdict::Undecided { missing: vec!["the encryption".to_owned()], nearest: None },
        });
        Judgement { verdict, port: Some(0) }
    }

    fn depends_on_posture(&self, _: &Facts<'_>) -> bool {
        true
    }

    fn tracker(&self, _: &Facts<'_>) -> Tracker {
        Tracker::new(None)
    }
}

/// Any order of records leaves a table within its bounds that reports every flow's opening once and every end once,
/// whatever was lost between them. Each step is a byte that chooses what happens, one for the socket, and its data.
pub fn flow(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut table = Table::new(LIMITS);
    table.follow_translations(true);
    let mut reported = Reported::default();
    let mut out = Vec::new();
    let mut now = 0_u64;
    while !input.is_empty() {
        let (what, whose) = (input.u8(), input.u8());
        now = match what >> 5 {
            // The clock stands, goes on or jumps, even backwards: the records of two processors overtake each other.
            0..=3 => now,
            4..=5 => now.saturating_add(u64::from(input.u8())),
            6 => now.saturating_sub(u64::from(input.u8())),
            _ => input.u64(),
        };
        let event = event(now, whose);
        match what & 15 {
            0 | 1 => table.ingest(&ConnectionRecord::Connected(event), &mut Permissive, &mut out),
            2 | 3 => table.ingest(&ConnectionRecord::Arrived(event), &mut Permissive, &mut out),
            4 if what & 16 != 0 => {
                let acceptor = ConnectionRecord::Acceptor { cookie: event.cookie, owner: event.owner };
                table.ingest(&acceptor, &mut Permissive, &mut out);
            }
            4 => table.ingest(&ConnectionRecord::Accepted(event), &mut Permissive, &mut out),
            5..=7 => {
                let outcome = [Outcome::Closed, Outcome::Reset, Outcome::Refused][usize::from(what & 15) - 5];
                let ending = ConnectionEnd {
                    acked: input.u64(),
                    bytes_received: Some(0),
                    rtt_us: None,
                    retransmits: 0,
                    since_ns: now,
                    outcome,
                    aborted: outcome == Outcome::Reset,
                    grouped: outcome == Outcome::Reset,
                };
                let record = match outcome {
                    Outcome::Refused => ConnectionRecord::Failed(event, ending),
                    _ => ConnectionRecord::Ended(event, ending),
                };
                table.ingest(&record, &mut Permissive, &mut out);
            }
            8..=10 => {
                let offset = u32::from(input.u16());
                let length = input.u8();
                let bytes = input.take(usize::from(length));
                let payload =
                    ConnectionRecord::Payload { cookie: event.cookie, sent: what & 1 == 1, offset, bytes };
                table.ingest(&payload, &mut Permissive, &mut out);
            }
            11 | 12 => {
                table.settle(now, &mut out);
                table.stop_waiting(now, &mut out);
            }
            13 => assert!(table.due_updates(now).iter().all(|cookie| table.get(*cookie).is_some())),
            14 => drop(table.retain(|flow| flow.cookie != event.cookie, &mut out)),
            _ if what & 16 != 0 => {
                let peer = Some(Endpoint::new(event.peer.ip, 1));
                let nat = [None, Some(Nat::Unknown), Some(translated(peer))][usize::from(whose % 3)].clone();
                table.translated(event.cookie, nat, &mut Permissive, &mut out);
            }
            _ => table.reevaluate(&mut Permissive, &mut out),
        }
        assert!(table.take_questions().len() <= 2, "a record asks about its own flow");
        assert!(table.take_summed().len() <= 1, "a record is the end of one flow");
        assert!(table.len() <= LIMITS.flows, "{} flows", table.len());
        assert!(table.undecided_fit(), "what undecided flows take is counted, and bounded");
        for change in out.drain(..) {
            reported.enter(&change);
        }
        let has_ended = |cookie: &&u64| table.get(**cookie).is_none() && !table.is_ending(**cookie);
        let lack_an_end = reported.open.iter().filter(has_ended).count();
        assert_eq!(lack_an_end, 0, "{:?} were reported as open, {:?}", reported.open, table.counters());
        assert_eq!(table.counters().evicted, reported.evicted);
    }
}

/// What was reported so far.
#[derive(Debug, Default)]
struct Reported {
    /// Cookies of flows that were reported as open, and not as closed yet.
    open: HashSet<u64>,
    evicted: u64,
}

impl Reported {
    fn enter(&mut self, change: &Change) {
        let cookie = change.flow.cookie;
        match change.kind {
            ChangeKind::Opened => assert!(self.open.insert(cookie), "it was reported as open"),
            ChangeKind::Closed | ChangeKind::Failed => {
                assert!(change.flow.ended_ns.is_some());
                self.open.remove(&cookie);
            }
            ChangeKind::Removed(why) => {
                assert!(self.open.remove(&cookie), "it was not reported");
                self.evicted += u64::from(why == Removal::TableFull);
            }
            ChangeKind::Updated | ChangeKind::PostureKnown => {
                assert!(self.open.contains(&cookie), "{:?} of a flow that was not reported", change.kind);
            }
        }
    }
}

fn translated(peer: Option<Endpoint>) -> Nat {
    Nat::Translated(Box::new(Translation { peer, ..Translation::default() }))
}

fn event(time_ns: u64, whose: u8) -> SocketEvent {
    // Few cookies, addresses and ports: the ends of one connection find each other, and numbers come again.
    let cookie = u64::from(whose & 15);
    // Half of them on loopback, where nothing is translated.
    let net = if whose & 2 == 0 { 127 } else { 10 };
    let address = |bit: u8| IpAddr::V4(Ipv4Addr::new(net, 0, 0, 1 + (whose >> bit & 1)));
    let (near, far) =
        (Endpoint::new(address(4), 5432), Endpoint::new(address(5), 40_000 + u16::from(whose >> 6)));
    let (local, peer) = if whose & 1 == 0 { (near, far) } else { (far, near) };
    let role = SocketRole::from_raw(whose % 5).unwrap_or(SocketRole::None);
    let owner = OwnerRef { role, tgid: whose.into(), netns_cookie: 1, time_ns, ..OwnerRef::NOBODY };
    SocketEvent { time_ns, cookie, local, peer, owner, would_deny: false }
}
