//! A monitor without a kernel side, its events, and its ledger.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gdprport_common::{ExecRecord, FileState, MountOwner, SocketRole, TaskIdentity};
use gdprport_core::decode::{ConnectionRecord, Record, SocketEvent};
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::executed::{Executable, FileReading, components};
use gdprport_core::flow::{FoundFlow, Limits, Progress, Table};
use gdprport_core::identity::OwnerRef;
use gdprport_core::ledger::{Counts, Observed, TallyLimits};
use gdprport_core::model::Endpoint;
use gdprport_core::policy::{Policy, Source, compile};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::super::keeper::Keeper;
use super::super::monitor::{Evidence, Input, Monitor, Publisher};
use super::super::session::Session;
use crate::host::cgroup::Mounts;
use crate::host::clock::{BootClock, HostId};
use crate::host::process::{Resolver, Roots, TaskLookup};
use crate::ledger::{Ledger, Reader, Settings};
use crate::sink::{Fanout, Follower};

/// A port that every policy declares.
pub(super) const PORT: u16 = 5432;
/// A port that only some policies declare, and no catalog.
pub(super) const OTHER: u16 = 15_432;

/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kernel maps that know nothing.
#[derive(Debug)]
pub(super) struct NoMaps;

impl TaskLookup for NoMaps {
    fn identity(&self, _: u32) -> Option<TaskIdentity> {
        None
    }

    fn exec(&self, _: u64) -> Option<ExecRecord> {
        None
    }
}

/// Keeps every line that is published.
pub(super) struct Lines(pub(super) Arc<Mutex<Vec<Bytes>>>);

impl Follower for Lines {
    fn offer(&mut self, line: &Bytes) -> bool {
        self.0.lock().expect("nobody panicked").push(line.clone());
        true
    }

    fn is_gone(&self) -> bool {
        false
    }
}

/// Policies that differ in what they declare, and in what they watch.
pub(super) fn policy(number: u8) -> (Policy, Arc<[Source]>) {
    let port = |name: &str, number: u16, peers: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nport = {number}\nemit = \"every\"\nprotocol = \"postgresql\"\n\
            tls = {{ required = false, why = \"a test\" }}\n\
            [port.record]\npurpose = \"a test\"\nsubjects = [\"customers\"]\ndata = [\"identity\"]\nrecipients = []\n\
            transfers = []\nretention = \"6 years\"\n\
            [[port.allow]]\nrole = \"in\"\ndirection = \"in\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/bin/server\" }}\n\
            [[port.allow]]\nrole = \"out\"\ndirection = \"out\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/bin/client\" }}\n"
        )
    };
    let peers = if number & 1 == 0 { "10.0.0.0/8" } else { "10.0.0.0/31" };
    let mut text =
        "version = 1\n[controller]\nname = \"Example\"\ncontact = \"privacy@example.org\"\n".to_owned();
    text.push_str(&port("customers-db", PORT, peers));
    if number & 2 == 0 {
        text.push_str(&port("other-db", OTHER, peers));
    }
    let sources = [Source { name: "policy.toml".to_owned(), text }];
    let policy = compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    (policy, sources.into())
}

pub(super) fn clock() -> BootClock {
    BootClock::booted_at("2026-11-23T11:20:00Z".parse().expect("a time"))
}

/// Who owns a socket; each sets the execution, the time and the role.
pub(super) const OWNER: OwnerRef = OwnerRef {
    tgid: 7,
    parent_tgid: 1,
    uid: 0,
    gid: 0,
    euid: 0,
    egid: 0,
    exec_id: 0,
    cgroup_id: 0,
    netns_cookie: 1,
    start_ns: 1,
    time_ns: 0,
    comm: [0; 16],
    role: SocketRole::None,
    withheld: None,
};

/// One socket's event; `whose`: its port, ends and owner, the same for a cookie whenever it is asked.
pub(super) fn event(time_ns: u64, cookie: u64, whose: u8) -> SocketEvent {
    let address = |last: u8| IpAddr::V4(Ipv4Addr::new(10, 0, last >> 1, last));
    let number = if whose & 1 == 0 { PORT } else { OTHER };
    let (near, far) = (Endpoint::new(address(1), number), Endpoint::new(address(whose >> 4), 40_000));
    let (local, peer) = if whose & 2 == 0 { (near, far) } else { (far, near) };
    let known = whose & 12 != 0;
    let exec_id = if known { 1 + u64::from(whose >> 1 & 1) } else { 0 };
    let role = if whose & 2 == 0 { SocketRole::Accepted } else { SocketRole::Connected };
    let owner = OwnerRef { exec_id, time_ns, role, ..OWNER };
    SocketEvent { time_ns, cookie, local, peer, owner, would_deny: false }
}

/// A run of the daemon.
pub(super) struct World {
    dir: TempDir,
    pub(super) monitor: Monitor<NoMaps>,
    pub(super) keeper: Keeper,
    lines: Arc<Mutex<Vec<Bytes>>>,
    runtime: tokio::runtime::Runtime,
    settings: Settings,
    limits: (Limits, TallyLimits),
    /// Which policy applies.
    policy: u8,
    /// When the run began, ns.
    pub(super) began_ns: u64,
    /// The present, on the clock of records and on the wall.
    pub(super) now_ns: u64,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) fn new(limits: (Limits, TallyLimits), peers: u32) -> Self {
        // In memory, where there is such a place: these tests end many runs, and each waits for the disk.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        let path = dir.path().join("ledger.db");
        let settings = Settings { keep_days: 1_000_000, peers, ..Settings::new(path) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let lines = Arc::default();
        let began_ns = 7_200_000_000_000;
        let now = clock().timestamp(began_ns);
        let (monitor, keeper) = begin(&dir, &settings, limits, 0, &lines, (began_ns, now));
        Self {
            dir,
            monitor,
            keeper,
            lines,
            runtime,
            settings,
            limits,
            policy: 0,
            began_ns,
            now_ns: began_ns,
            now,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.settings.path.clone()
    }

    /// When the run began, as events have times.
    pub(super) fn began(&self) -> Timestamp {
        clock().timestamp(self.began_ns)
    }

    /// The events since the last call, in their order.
    pub(super) fn events(&mut self) -> Vec<Value> {
        self.monitor.publisher.deliver();
        let lines = std::mem::take(&mut *self.lines.lock().expect("nobody panicked"));
        lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    }

    pub(super) fn record(&mut self, record: ConnectionRecord<'_>) {
        self.monitor.apply(Input::Record(&Record::Connection(record)), self.now);
    }

    pub(super) fn settle(&mut self) {
        self.monitor.settle(self.now_ns, self.now_ns, self.now);
    }

    /// A second is over.
    pub(super) fn second(&mut self) {
        self.keeper.second(&mut self.monitor, self.now);
    }

    /// As the loop reloads.
    pub(super) fn reload(&mut self, number: u8) {
        self.keeper.before_reload(&mut self.monitor, self.now);
        self.policy = number;
        let (policy, _) = policy(number);
        let _ = self.monitor.set_policy(policy.into(), self.now);
        self.monitor.reevaluate(self.now);
    }

    /// A flow is found open, with what it has sent and received so far.
    pub(super) fn find(&mut self, cookie: u64, whose: u8, progress: Progress) {
        let SocketEvent { local, peer, .. } = event(self.now_ns, cookie, whose);
        let direction = if whose & 2 == 0 {
            gdprport_core::model::Direction::In
        } else {
            gdprport_core::model::Direction::Out
        };
        let found = FoundFlow {
            cookie,
            direction,
            local,
            peer,
            process: None,
            netns_cookie: 1,
            progress,
            predates_daemon: true,
        };
        self.monitor.apply(Input::FoundFlow(found, self.now_ns), self.now);
    }

    /// Ends the run in order.
    pub(super) fn stop(&mut self) {
        let tally = self.monitor.tally.take();
        let (_, keeper) = begin_without_ledger(&self.dir, self.limits, self.policy, &self.lines);
        let keeper = std::mem::replace(&mut self.keeper, keeper);
        self.runtime.block_on(keeper.finish(tally, self.now, Instant::now() + PATIENCE));
    }

    /// Begins another run. What is open has to be found.
    pub(super) fn start(&mut self) {
        self.began_ns = self.now_ns;
        let now = (self.now_ns, self.now);
        (self.monitor, self.keeper) =
            begin(&self.dir, &self.settings, self.limits, self.policy, &self.lines, now);
    }

    /// What the ledger says of all times.
    pub(super) fn observed(&self) -> Observed {
        let reader = Reader::open(&self.settings.path).unwrap_or_else(|error| panic!("{error}"));
        reader.observed(Timestamp::MIN, Timestamp::MAX).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The sums of that.
    pub(super) fn sums(&self) -> Counts {
        let mut sums = Counts::default();
        self.observed().edges.iter().for_each(|edge| sums.add(&edge.counts));
        sums
    }
}

type Lined = Arc<Mutex<Vec<Bytes>>>;

fn begin(
    dir: &TempDir,
    settings: &Settings,
    limits: (Limits, TallyLimits),
    number: u8,
    lines: &Lined,
    (began_ns, now): (u64, Timestamp),
) -> (Monitor<NoMaps>, Keeper) {
    let ledger = Ledger::open(settings.clone()).expect("nobody else writes it");
    begin_with(dir, Some(ledger), limits, number, lines, (began_ns, now))
}

fn begin_without_ledger(
    dir: &TempDir,
    limits: (Limits, TallyLimits),
    number: u8,
    lines: &Lined,
) -> (Monitor<NoMaps>, Keeper) {
    begin_with(dir, None, limits, number, lines, (0, Timestamp::UNIX_EPOCH))
}

fn begin_with(
    dir: &TempDir,
    ledger: Option<Ledger>,
    (flows, tally): (Limits, TallyLimits),
    number: u8,
    lines: &Lined,
    (began_ns, now): (u64, Timestamp),
) -> (Monitor<NoMaps>, Keeper) {
    let mut fanout = Fanout::new(Vec::new());
    fanout.follow(Box::new(Lines(Arc::clone(lines))));
    let run = "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".parse().expect("a UUID");
    let host = Host { name: "db-1".into(), boot_id: "boot".into() };
    let stamper = Stamper::new(host, Agent { version: "0".into(), run, privacy: None });
    let (policy, sources) = policy(number);
    let publisher = Publisher::new(fanout, stamper, clock());
    let evidence = Evidence::new(resolver(dir), NoMaps);
    let mut monitor = Monitor::new(Table::new(flows), policy, evidence, publisher);
    let host = HostId { name: "db-1".into(), boot_id: "boot".into(), kernel: "6.1.0".into() };
    let session = Session { host, started: now, started_ns: began_ns };
    let keeper = Keeper::begin(ledger, tally, sources, &session, &mut monitor);
    (monitor, keeper)
}

pub(super) fn resolver(dir: &TempDir) -> Resolver {
    let root = dir.path().to_owned();
    let cgroups = Mounts { cgroup2: Some(root.clone()), v1: Vec::new() };
    let roots = Roots { proc: root.clone(), host_root: root, cgroups };
    let mut resolver = Resolver::new(&roots, clock()).expect("an empty directory is a /proc");
    for (exec_id, exe) in
        [(1, "/usr/bin/server"), (2, "/usr/bin/client"), (3, "/usr/bin/stranger"), (4, "/usr/bin/scanner")]
    {
        let file = FileReading {
            device: 254 << 20,
            inode: 77,
            mounts: MountOwner::Root,
            state: FileState::Complete,
            components: &components(exe.as_bytes()),
        };
        resolver.learn_exec(&Executable { file, ..Executable::named(exec_id, 7, 0, exe.as_bytes()) });
    }
    resolver
}
