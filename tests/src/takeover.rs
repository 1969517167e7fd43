//! Daemons that pin in the same place, one after another, and what the events of each report about the time between.

use crate::child::Place;
use crate::daemon::{Daemon, Start};
use crate::event::{Event, at};
use crate::log::EventLog;
use crate::pins::BpfFs;
use crate::policy::open;
use crate::ports::Port;
use crate::puppet::{ProgramCopy, Puppet};
use crate::truth::End;

/// A port, a bpffs and a daemon that pins there.
#[derive(Debug)]
pub struct World {
    /// Where daemons pin.
    pub fs: BpfFs,
    /// The watched port.
    pub port: Port,
    /// The configuration of the next daemon.
    pub config: String,
    /// Listens on the port.
    pub server: Puppet,
    /// What short-lived clients run; it outlives them, so that their names can be checked.
    program: ProgramCopy,
}

impl World {
    /// The first daemon watches before the server listens.
    #[must_use]
    #[track_caller]
    pub fn new(config: &str) -> (Self, Daemon) {
        let mut world = Self {
            fs: BpfFs::new(),
            port: Port::free(),
            config: config.to_owned(),
            server: Puppet::new(),
            program: ProgramCopy::new("puppet", "short-lived"),
        };
        let daemon = world.daemon();
        world.server.listen(format!("127.0.0.1:{}", world.port));
        (world, daemon)
    }

    /// Starts a daemon on the same pins.
    #[must_use]
    #[track_caller]
    pub fn daemon(&self) -> Daemon {
        let policy = open(self.port.number()).alone();
        Start::with(policy).config(&self.config).pins(&self.fs.pins()).start()
    }

    /// Makes a connection, opens and closes it with a client of its own, which then exits.
    #[track_caller]
    pub fn short_connection(&mut self) -> [End; 2] {
        let mut client = Puppet::run(&self.program.path(), Place::default());
        let there = client.connect(format!("127.0.0.1:{}", self.port));
        let here = self.server.accept();
        let ends = self.ends(&client, there.address.port());
        client.ask(&format!("send {} 300", there.id));
        self.server.ask(&format!("recv {} 300", here.id));
        client.close(there);
        self.server.close(here);
        client.kill();
        ends
    }

    /// Both ends of a connection that this client made from `local`.
    #[must_use]
    pub fn ends(&self, client: &Puppet, local: u16) -> [End; 2] {
        let port = self.port.number();
        [End::of_client(client, local, port), End::of_server(&self.server, port, local)]
    }
}

/// All periods in which something may have been lost, as `coverage` events report them.
#[must_use]
pub fn gaps(log: &EventLog) -> Vec<serde_json::Value> {
    let coverage = log.seen().iter().filter(|event| event.kind() == "coverage");
    coverage.flat_map(|event| event.at("coverage.gaps").as_array().cloned().unwrap_or_default()).collect()
}

/// The reasons of the gaps that were reported.
#[must_use]
pub fn reasons(log: &EventLog) -> Vec<String> {
    gaps(log).iter().map(|gap| at(gap, "reason").as_str().unwrap_or_default().to_owned()).collect()
}

/// The first event of a log.
///
/// # Panics
/// When it is not `daemon.start`.
#[must_use]
#[track_caller]
pub fn start_event(log: &EventLog) -> &Event {
    let first = log.seen().first().expect("a daemon that is ready has reported its start");
    assert_eq!(first.kind(), "daemon.start");
    first
}

/// How often an event of this kind about this end was written.
#[must_use]
pub fn times(log: &EventLog, kind: &str, end: &End) -> usize {
    log.count(|event| event.kind() == kind && event.ends(end.direction) == Some((end.local, end.peer)))
}

/// Checks that an event names its process correctly. On a kernel that cannot pin the hooks that see a process start,
/// one that came and went meanwhile has no executable; that is a gap, and reported as one.
///
/// # Panics
/// When it does not name it.
#[track_caller]
pub fn check_named(log: &EventLog, end: &End, event: &Event) {
    let tracepoints_were_away = reasons(log).iter().any(|reason| reason.starts_with("hook-away:tracepoint/"));
    if tracepoints_were_away && event.at("process.exe").is_null() {
        assert_eq!(event.number("process.pid"), Some(u64::from(end.pid)), "{}", event.line());
        assert_eq!(event.text("process.user"), end.user, "{}", event.line());
    } else {
        end.check_owner(event);
    }
}

/// Checks that each of these connections was reported from its beginning to its end, once, with its own process.
///
/// # Panics
/// When one was not.
#[track_caller]
pub fn check_reported(log: &mut EventLog, ends: &[[End; 2]]) {
    for end in ends.iter().flatten() {
        // On a busy host an opening may be reported before its acceptor is known.
        let open = end.event(log, "flow.open");
        check_named(log, end, &open);
        let close = end.event(log, "flow.close");
        check_named(log, end, &close);
        assert_eq!(close.text("process.attribution"), "exact", "{}", close.line());
        assert_eq!((times(log, "flow.open", end), times(log, "flow.close", end)), (1, 1), "{end:?}");
        let bytes = if end.direction == "out" { "flow.bytes_sent" } else { "flow.bytes_received" };
        assert_eq!(close.number(bytes), Some(300), "{}", close.line());
        assert!(close.number("flow.duration_ms").is_some(), "{}", close.line());
    }
}

/// What could not be pinned on this kernel: tracepoints have links since Linux 5.15.
#[must_use]
pub fn only_tracepoints_were_away(reasons: &[String]) -> bool {
    let away = |reason: &String| reason.starts_with("hook-away:tracepoint/");
    reasons.iter().all(|reason| away(reason) || reason == "unwritten")
}

/// Whether a `coverage` event reports nothing but what this kernel cannot pin.
#[must_use]
pub fn gapless(event: &Event) -> bool {
    let gaps = event.at("coverage.gaps").as_array().map(Vec::as_slice).unwrap_or_default();
    let reasons: Vec<String> =
        gaps.iter().filter_map(|gap| gap["reason"].as_str().map(str::to_owned)).collect();
    only_tracepoints_were_away(&reasons)
}
