//! The whole way of a connection: decoded, attributed, judged, published, encoded, as the daemon's loop does it, with
//! fixed times and ids and an events file that is `/dev/null`.

use std::path::Path;

use gdprport_common::{ExecRecord, FlowRecord, TaskIdentity};
use gdprport_core::decode::decode;
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::flow::{Change, Limits, Table};
use gdprport_core::policy::{Names, Policy, Source, compile};
use gdprport_core::posture::Side;
use gdprport_daemon::app::account::Books;
use gdprport_daemon::app::context::{Judge, Verdicts};
use gdprport_daemon::app::publish::Publisher;
use gdprport_daemon::host::cgroup::Mounts;
use gdprport_daemon::host::clock::BootClock;
use gdprport_daemon::host::process::{Resolver, Roots, TaskLookup};
use gdprport_daemon::sink::{DEFAULT_CAPACITY, Fanout, Sink};
use tempfile::TempDir;
use zerocopy::IntoBytes as _;

use super::records::{CLIENT, Owner, SERVER, STRANGER, begins, ends};
use super::{Item, posture};

/// Connections whose records the daemon finds in the ring at one look.
const BATCH: u64 = 64;

/// What happens on the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opened and closed.
    Silent,
    /// With the first segments of a TLS connection.
    Tls,
    /// By a process that no rule allows.
    Violation,
}

/// One item: a loopback connection, both ends watched.
pub fn connections(kind: Kind) -> Item {
    let mut way = Way::new();
    let client = if kind == Kind::Violation { STRANGER } else { CLIENT };
    let segments = if kind == Kind::Tls { posture::segments(posture::PG_TLS) } else { Vec::new() };
    Box::new(move |number| {
        let ends = ends(number, client);
        let [active, passive] = ends;
        let since = begins(number);
        way.flow(&passive.opened(since));
        way.flow(&active.opened(since + 1_000));
        way.flow(&passive.accepted(since + 9_000));
        for segment in &segments {
            for end in ends {
                let sent = (segment.from == Side::Client) == end.active;
                way.record(&end.payload(sent, segment.offset, &segment.bytes, since + 20_000));
            }
        }
        way.flow(&active.closed(since + 30_000, since));
        way.flow(&passive.closed(since + 31_000, since));
        if number.is_multiple_of(BATCH) {
            way.deliver(since + 40_000);
        }
    })
}

/// The policy of the host.
pub fn policy() -> Policy {
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
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
    compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A resolver that has been told of every owner; its `/proc` is empty.
pub fn resolver(folder: &Path) -> Resolver {
    let roots = Roots {
        proc: folder.to_owned(),
        host_root: folder.to_owned(),
        cgroups: Mounts { cgroup2: Some(folder.to_owned()), v1: Vec::new() },
    };
    let clock = BootClock::booted_at("2026-11-23T11:20:00Z".parse().expect("a time"));
    let mut resolver = Resolver::new(&roots, clock).expect("an empty folder is a /proc");
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
        resolver.learn_exec(exec_id, tgid, 0, exe.as_bytes());
        resolver.learn_cgroup(cgroup_id, cgroup.as_bytes());
    }
    resolver.learn_netns(1, 4_026_531_840);
    resolver
}

/// Kernel maps that know nothing more.
pub struct NoMaps;

impl TaskLookup for NoMaps {
    fn identity(&self, _: u32) -> Option<TaskIdentity> {
        None
    }

    fn exec(&self, _: u64) -> Option<ExecRecord> {
        None
    }
}

/// A `Stamper` of a run that always has the same id.
pub fn stamper() -> Stamper {
    Stamper::new(
        Host { name: "db-1".into(), boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into() },
        Agent {
            version: env!("CARGO_PKG_VERSION").into(),
            run: "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".parse().expect("a UUID"),
        },
    )
}

/// The daemon's loop without a kernel side.
struct Way {
    _folder: TempDir,
    resolver: Resolver,
    policy: Policy,
    names: Names,
    table: Table,
    publisher: Publisher,
    books: Books,
    clock: BootClock,
    verdicts: Verdicts,
    changes: Vec<Change>,
}

impl Way {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let policy = policy();
        let sink = Sink::file(Path::new("/dev/null"), DEFAULT_CAPACITY).expect("every Linux has /dev/null");
        let mut publisher = Publisher::new(Fanout::new(vec![sink]), stamper());
        publisher.apply(&policy);
        let names = Names::default();
        Self {
            resolver: resolver(folder.path()),
            _folder: folder,
            policy,
            names,
            table: Table::new(Limits::default()),
            publisher,
            books: Books::default(),
            clock: BootClock::booted_at("2026-11-23T11:20:00Z".parse().expect("a time")),
            verdicts: Verdicts::default(),
            changes: Vec::new(),
        }
    }

    fn flow(&mut self, record: &FlowRecord) {
        self.record(record.as_bytes());
    }

    fn record(&mut self, bytes: &[u8]) {
        let record = decode(bytes).expect("a record of this bench");
        let now = self.clock.timestamp(7_300_000_000_000);
        let mut judge = Judge {
            resolver: &mut self.resolver,
            tasks: &NoMaps,
            policy: &self.policy,
            names: &self.names,
            verdicts: &mut self.verdicts,
            now,
        };
        self.table.ingest(&record, &mut judge, &mut self.changes);
        for change in self.changes.drain(..) {
            let port = self.publisher.port_of(&change.flow, &self.policy, &self.names);
            let Some(port) = port else { continue };
            self.books.port(port.port.number, &port.port.name).flow(&change);
            self.publisher.flow(change, port, &self.names, &self.clock, now);
        }
    }

    fn deliver(&mut self, now_ns: u64) {
        self.table.settle(now_ns, &mut self.changes);
        self.publisher.deliver();
    }
}
