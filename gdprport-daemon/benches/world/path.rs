//! The whole way of a connection: decoded, attributed, judged, published, encoded, by the daemon's own monitor, with
//! fixed times and ids. The events file is `/dev/null`, or what `GDPRPORT_BENCH_EVENTS` names, to compare its bytes.

use std::path::Path;

use gdprport_common::{ExecRecord, FileState, FlowRecord, MountOwner, TaskIdentity};
use gdprport_core::decode::decode;
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::executed::{Executable, FileReading, components};
use gdprport_core::flow::{Limits, Table};
use gdprport_core::ledger::{Tally, TallyLimits};
use gdprport_core::policy::{Policy, Source, compile};
use gdprport_core::posture::Side;
use gdprport_daemon::measured::{
    BootClock, DEFAULT_CAPACITY, Evidence, Fanout, Input, Monitor, Mounts, Publisher, Resolver, Roots, Sink,
    TaskLookup,
};
use tempfile::TempDir;
use zerocopy::IntoBytes as _;

use super::case::Item;
use super::posture;
use super::records::{CLIENT, Owner, SERVER, STRANGER, begins, ends};

/// Connections whose records the daemon finds in the ring at once.
const BATCH: u64 = 64;

/// What happens on the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Opened and closed.
    Silent,
    /// With the first segments of a TLS connection.
    Tls,
    /// By a process that no rule allows.
    Violation,
}

/// One item: a loopback connection, both ends watched, on a port with this `emit`.
pub(super) fn connections(traffic: Traffic, emit: &str) -> Item {
    let mut pipeline = Pipeline::new(emit);
    let client = if traffic == Traffic::Violation { STRANGER } else { CLIENT };
    let segments = if traffic == Traffic::Tls { posture::segments(posture::PG_TLS) } else { Vec::new() };
    Box::new(move |number| {
        let ends = ends(number, client);
        let [active, passive] = ends;
        let since = begins(number);
        pipeline.flow(&passive.opened(since));
        pipeline.flow(&active.opened(since + 1_000));
        pipeline.flow(&passive.accepted(since + 9_000));
        for segment in &segments {
            for end in ends {
                let sent = (segment.from == Side::Client) == end.active;
                pipeline.record(&end.payload(sent, segment.offset, &segment.bytes, since + 20_000));
            }
        }
        pipeline.flow(&active.closed(since + 30_000, since));
        pipeline.flow(&passive.closed(since + 31_000, since));
        if number.is_multiple_of(BATCH) {
            pipeline.deliver(since + 40_000);
        }
    })
}

/// The policy of the host.
fn policy(emit: &str) -> Policy {
    let text = r#"
version = 1
[controller]
name = "Example GmbH"
contact = "privacy@example.org"
[peers]
app-servers = ["10.0.2.0/24", "fd00:2::/64"]
[[port]]
name = "customers-db"
port = 5432
listen = ["loopback", "10.0.2.15"]
protocol = "postgresql"
tls = { required = false, why = "loopback only" }
emit = EMIT
[port.record]
purpose = "order fulfilment"
subjects = ["customers"]
data = ["identity", "contact"]
recipients = []
transfers = []
retention = "6 years"
[[port.allow]]
role = "database"
direction = "in"
peers = ["loopback", "app-servers"]
process = { exe = "/usr/lib/postgresql/*/bin/postgres", unit = "postgresql@*.service" }
[[port.allow]]
role = "orders-api"
direction = "out"
peers = ["loopback"]
process = { exe = "/usr/bin/orders-api", unit = "orders-api.service" }
"#;
    let text = text.replacen("EMIT", emit, 1);
    let source = Source { name: "policy.toml".to_owned(), text };
    compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A resolver that knows every owner from records; its `/proc` is empty.
pub(super) fn resolver(folder: &Path) -> Resolver {
    let roots = Roots {
        proc: folder.to_owned(),
        host_root: folder.to_owned(),
        cgroups: Mounts { cgroup2: Some(folder.to_owned()), v1: Vec::new() },
    };
    let mut resolver = Resolver::new(&roots, clock()).expect("an empty folder is a /proc");
    for (owner, exe, cgroup) in [
        (
            SERVER,
            "/usr/lib/postgresql/15/bin/postgres",
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
        ),
        (CLIENT, "/usr/bin/orders-api", "/system.slice/orders-api.service"),
        (STRANGER, "/usr/bin/bash", "/user.slice/user-0.slice/session-3.scope"),
    ] {
        let Owner { tgid, exec_id, cgroup_id, .. } = owner;
        let file = FileReading {
            device: 254 << 20,
            inode: 77,
            mounts: MountOwner::Root,
            state: FileState::Complete,
            components: &components(exe.as_bytes()),
        };
        resolver.learn_exec(&Executable { file, ..Executable::named(exec_id, tgid, 0, exe.as_bytes()) });
        resolver.learn_cgroup(cgroup_id, cgroup.as_bytes());
    }
    resolver.learn_netns(1, 4_026_531_840);
    resolver
}

/// Kernel maps that know nothing more.
pub(super) struct NoMaps;

impl TaskLookup for NoMaps {
    fn identity(&self, _: u32) -> Option<TaskIdentity> {
        None
    }

    fn exec(&self, _: u64) -> Option<ExecRecord> {
        None
    }
}

/// A `Stamper` of a run that always has the same id.
pub(super) fn stamper() -> Stamper {
    Stamper::new(
        Host { name: "db-1".into(), boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into() },
        Agent {
            version: env!("CARGO_PKG_VERSION").into(),
            run: "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".parse().expect("a UUID"),
            privacy: None,
        },
    )
}

/// The monitor as the daemon has it, without a kernel side.
struct Pipeline {
    _folder: TempDir,
    monitor: Monitor<NoMaps>,
}

impl Pipeline {
    fn new(emit: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let out = std::env::var_os("GDPRPORT_BENCH_EVENTS").unwrap_or_else(|| "/dev/null".into());
        let sink = Sink::file(Path::new(&out), DEFAULT_CAPACITY).expect("every Linux has /dev/null");
        let publisher = Publisher::new(Fanout::new(vec![sink]), stamper(), clock());
        let evidence = Evidence::new(resolver(folder.path()), NoMaps);
        let mut monitor = Monitor::new(Table::new(Limits::default()), policy(emit), evidence, publisher);
        monitor.count_into(Tally::new(TallyLimits::default(), 0));
        Self { _folder: folder, monitor }
    }

    fn flow(&mut self, record: &FlowRecord) {
        self.record(record.as_bytes());
    }

    fn record(&mut self, bytes: &[u8]) {
        let record = decode(bytes).expect("a record of this bench");
        let now = self.monitor.publisher.clock().timestamp(7_300_000_000_000);
        self.monitor.apply(Input::Record(&record), now);
    }

    fn deliver(&mut self, now_ns: u64) {
        let now = self.monitor.publisher.clock().timestamp(now_ns);
        self.monitor.settle(now_ns, now_ns, now);
        self.monitor.publisher.deliver();
        drop(self.monitor.tally.as_mut().map(|tally| tally.drain(false, now)));
    }
}

fn clock() -> BootClock {
    BootClock::booted_at("2026-11-23T11:20:00Z".parse().expect("a time"))
}
