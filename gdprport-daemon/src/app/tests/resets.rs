//! Which open flows are handed over to be ended, and which never are.

use std::sync::mpsc::Receiver;

use gdprport_common::EnforceOwnKey;
use gdprport_core::decode::{ConnectionEnd, ConnectionRecord};
use gdprport_core::flow::{Limits, Progress};
use gdprport_core::ledger::TallyLimits;
use gdprport_core::policy::{Source, compile};

use super::super::monitor::{Comes, Input};
use super::world::{PORT, World, event};
use crate::control::api::ExistingFlows;
use crate::host::ending::{Endings, Outcome, Wanted};
use crate::host::sockets::EndError;

/// What `event` makes: accepted here, by the server that rules name; the same by nobody that is known; called from here.
const SERVED: u8 = 4;
const SERVED_BY_NOBODY: u8 = 0;
const CALLED: u8 = 2 + 4;

const RESET: &str = "existing = \"reset\", posture = \"reset\"";

/// A run whose flows are ended in name only.
struct Run {
    world: World,
    ended: Receiver<Vec<Wanted>>,
}

impl Run {
    /// One whose rules allow everything, over whatever.
    fn new() -> Self {
        let mut world = World::new((Limits::default(), TallyLimits::default()), 10);
        let (endings, ended) = Endings::in_name_only();
        world.monitor.end_by(endings);
        let mut run = Self { world, ended };
        run.policy(&text("enforce", RESET, "10.0.0.0/8", ""), Comes::ToStay, true);
        run
    }

    /// Another policy comes into force, or is not in force for some reason.
    fn policy(&mut self, text: &str, comes: Comes, in_force: bool) -> Option<ExistingFlows> {
        let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
        let policy = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
        let World { monitor, now, .. } = &mut self.world;
        let _ = monitor.set_policy(policy.into(), *now);
        monitor.reevaluate(*now);
        monitor.decided(in_force);
        monitor.end_existing(comes, *now)
    }

    fn open(&mut self, cookie: u64, whose: u8) {
        let event = event(self.world.now_ns, cookie, whose);
        let record = if whose & 2 == 0 { ConnectionRecord::Arrived } else { ConnectionRecord::Connected };
        self.world.record(record(event));
        if whose & 2 == 0 {
            self.world.record(ConnectionRecord::Accepted(event));
        }
    }

    fn says(&mut self, cookie: u64, bytes: &[u8]) {
        self.world.record(ConnectionRecord::Payload { cookie, sent: true, offset: 0, bytes });
    }

    /// Those that were handed over since the last call.
    fn ended(&self) -> Vec<u64> {
        let wanted = self.ended.try_iter().flatten();
        let mut cookies: Vec<u64> = wanted.map(|wanted| wanted.target.cookie).collect();
        cookies.sort_unstable();
        cookies
    }
}

/// Rules for these peers, and what is demanded of the encryption.
fn text(mode: &str, enforce: &str, peers: &str, more: &str) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"customers-db\"\nport = {PORT}\nemit = \"every\"\nmode = \"{mode}\"\n\
         {more}enforce = {{ {enforce} }}\n\
         [[port.allow]]\nrole = \"in\"\ndirection = \"in\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/bin/server\" }}\n\
         [[port.allow]]\nrole = \"out\"\ndirection = \"out\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/bin/client\" }}\n"
    )
}

/// One that allows none of the peers of `event`.
fn strict(mode: &str, enforce: &str) -> String {
    text(mode, enforce, "192.0.2.0/24", "")
}

const TLS: &str = "tls = { min = \"1.2\" }\n";

fn exception(finding: &str) -> String {
    format!(
        "[[exception]]\nfinding = \"{finding}\"\nport = \"customers-db\"\nwhy = \"it moves\"\n\
         accepted_by = \"dpo\"\nuntil = 2027-01-31\n"
    )
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";

#[test]
fn a_policy_that_comes_to_stay_ends_what_it_denies() {
    let mut run = Run::new();
    run.open(1, SERVED);
    run.open(2, CALLED);
    assert_eq!(run.ended(), [0; 0], "the rules allow them");
    let listed = run.policy(&strict("enforce", RESET), Comes::ToStay, true).expect("it denies them");
    assert_eq!((listed.ended, listed.to_end, listed.kept), (2, 0, 0));
    assert_eq!(listed.first.len(), 2);
    assert_eq!(run.ended(), [1, 2]);
    assert!(
        run.policy(&strict("enforce", RESET), Comes::ToStay, true).is_some_and(|listed| listed.ended == 2)
    );
    assert_eq!(run.ended(), [0; 0], "each once");
    run.open(3, CALLED);
    assert_eq!(run.ended(), [0; 0], "what begins later is the kernel's to deny");
}

/// What the deliverer sends goes on: a policy does not cut its own reports off.
#[test]
fn what_the_deliverer_has_open_is_kept() {
    let mut run = Run::new();
    run.open(1, SERVED);
    run.open(2, CALLED);
    let uid = run.world.monitor.flows.get(2).and_then(|flow| flow.process.as_ref()).expect("it is known").uid;
    run.world.monitor.resets.own = vec![EnforceOwnKey { uid, port: PORT.into() }];
    let listed = run.policy(&strict("enforce", RESET), Comes::ToStay, true).expect("it denies them");
    assert_eq!((listed.ended, listed.kept), (1, 1));
    assert_eq!(run.ended(), [1]);
}

#[test]
fn nothing_is_ended_by_a_trial_or_a_way_back() {
    for (text, comes, in_force, expected) in [
        (strict("enforce", RESET), Comes::OnTrial, true, (0, 1, 0)),
        (strict("enforce", RESET), Comes::Back, true, (0, 0, 1)),
        (strict("enforce", RESET), Comes::ToStay, false, (0, 0, 1)),
        (strict("enforce", "existing = \"keep\""), Comes::ToStay, true, (0, 0, 1)),
        (strict("warn", RESET), Comes::ToStay, true, (0, 0, 1)),
        (strict("observe", RESET), Comes::ToStay, true, (0, 0, 0)),
        (strict("enforce", RESET) + &exception("undeclared-peer"), Comes::ToStay, true, (0, 0, 0)),
    ] {
        let mut run = Run::new();
        run.open(1, CALLED);
        let listed = run.policy(&text, comes, in_force).unwrap_or_default();
        assert_eq!((listed.ended, listed.to_end, listed.kept), expected, "{comes:?} {text}");
        assert_eq!(run.ended(), [0; 0], "{comes:?} {text}");
    }
}

/// Whose it is may be known a moment later, and so may what was found.
#[test]
fn what_is_not_known_goes_on_until_it_is() {
    let mut run = Run::new();
    let by_nobody = event(run.world.now_ns, 1, SERVED_BY_NOBODY);
    run.world.record(ConnectionRecord::Arrived(by_nobody));
    let unknown = text("enforce", &format!("{RESET}, on_unknown = \"deny\""), "10.0.0.0/8", "");
    assert_eq!(run.policy(&unknown, Comes::ToStay, true), None);
    assert_eq!(run.ended(), [0; 0], "its acceptor is awaited");
    let mut stranger = event(run.world.now_ns, 1, SERVED);
    stranger.owner.exec_id = 3;
    run.world.record(ConnectionRecord::Accepted(stranger));
    assert_eq!(run.ended(), [1], "it is another program");
    run.world.find(2, SERVED, Progress::default());
    assert_eq!(run.ended(), [0; 0], "nobody knows who holds it");
    assert_eq!(run.policy(&strict("enforce", RESET), Comes::OnTrial, true).expect("two").to_end, 2);
    run.world.find(3, SERVED, Progress::default());
    assert_eq!(run.ended(), [0; 0], "found during a trial");
    run.policy(&strict("enforce", RESET), Comes::ToStay, true);
    assert_eq!(run.ended(), [2, 3], "whoever holds them, the peer is not allowed");
    run.world.find(4, SERVED, Progress::default());
    assert_eq!(run.ended(), [4], "it was open before");
}

#[test]
fn what_turns_out_in_plaintext_is_ended_at_once() {
    let demanding = |enforce: &str| text("enforce", enforce, "10.0.0.0/8", TLS);
    let exceptions = exception("plaintext") + &exception("not-tls");
    for (text, in_force, expected) in [
        (demanding("posture = \"reset\""), true, true),
        (demanding("posture = \"reset\""), false, false),
        (demanding("existing = \"reset\""), true, false),
        (demanding("posture = \"reset\"") + &exceptions, true, false),
        (text("enforce", RESET, "10.0.0.0/8", ""), true, false),
        (text("warn", RESET, "10.0.0.0/8", TLS), true, false),
    ] {
        let mut run = Run::new();
        run.policy(&text, Comes::ToStay, in_force);
        run.open(1, CALLED);
        run.says(1, REQUEST);
        // The other end has not accepted it yet.
        let arrives = event(run.world.now_ns, 2, SERVED);
        run.world.record(ConnectionRecord::Arrived(arrives));
        run.world.record(ConnectionRecord::Payload { cookie: 2, sent: false, offset: 0, bytes: REQUEST });
        assert_eq!(run.ended(), if expected { vec![1, 2] } else { vec![] }, "{in_force} {text}");
    }
}

/// A reload that demands TLS for the first time leaves what is open to `existing`.
#[test]
fn a_new_demand_ends_what_is_open_only_if_asked_to() {
    for (enforce, expected) in
        [("posture = \"reset\"", false), (RESET, true), ("existing = \"reset\"", false)]
    {
        let mut run = Run::new();
        run.open(1, CALLED);
        run.says(1, REQUEST);
        run.policy(&text("enforce", enforce, "10.0.0.0/8", TLS), Comes::ToStay, true);
        assert_eq!(!run.ended().is_empty(), expected, "{enforce}");
    }
}

#[test]
fn what_could_not_be_ended_is_counted_until_it_ends() {
    let mut run = Run::new();
    for cookie in 1..=3 {
        run.open(cookie, CALLED);
    }
    run.policy(&strict("enforce", RESET), Comes::ToStay, true);
    assert_eq!(run.ended(), [1, 2, 3]);
    let done = vec![(1, Outcome::Ended), (2, Outcome::Gone), (3, Outcome::Failed(EndError::NotAllowed))];
    let now = run.world.now;
    run.world.monitor.apply(Input::Ended(done), now);
    let status = run.world.monitor.resets.status();
    assert_eq!((status.asked, status.ended, status.gone, status.failed), (3, 1, 1, 1));
    assert_eq!(status.going_on, 1);
    assert!(status.error.is_some_and(|why| why.contains("CAP_NET_ADMIN")));
    run.policy(&strict("enforce", RESET), Comes::ToStay, true);
    assert_eq!(run.ended(), [2, 3], "it is tried again, and so is one whose end has not come");
    let _ = run.world.events();
    let end = ConnectionEnd {
        acked: 10,
        bytes_received: Some(20),
        rtt_us: None,
        retransmits: 0,
        since_ns: 0,
        outcome: gdprport_core::model::Outcome::Reset,
        aborted: true,
        grouped: false,
    };
    run.world.record(ConnectionRecord::Ended(event(run.world.now_ns, 3, CALLED), end));
    let events = run.world.events();
    let close = events.iter().find(|event| event["kind"] == "flow.close").expect("it has ended");
    assert_eq!(close["flow"]["outcome"], "ended-by-policy", "{close}");
    assert_eq!((&close["flow"]["bytes_sent"], &close["flow"]["bytes_received"]), (&9.into(), &20.into()));
    assert_eq!(run.world.monitor.resets.status().going_on, 0);
    let ended = run.world.monitor.counters.port(PORT, &"customers-db".into()).ended;
    assert_eq!(ended, 1);
}
