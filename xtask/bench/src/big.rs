//! A big ledger with a policy beside it: as many rows, ports and days as are asked for, the same each time. Half of the rows are of
//! clients that come every day, half of strangers who come once.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gdprport_core::ledger::{
    Batch, Counts, CoverageDelta, Edge, EdgeKey, Entry, Identity, PortKey, PostureKey, VerdictKey, VolumeHour,
};
use gdprport_core::model::{Attribution, Direction, PostureState};
use gdprport_core::verdict::ReasonId;
use gdprport_daemon::measured::Written;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// One port in so many is called from here, and not served.
const CALLED: usize = 10;

/// Addresses of clients of each port begin here, and those of strangers.
const CLIENTS: u32 = 0x0a00_0000;
const STRANGERS: u32 = 0x0b00_0000;

/// Writes `ledger.db` and `policy.toml` into a directory.
pub(crate) fn run(dir: &Path, numbers: [&str; 3]) -> Result<(), Box<dyn Error>> {
    let [rows, ports, days] = numbers.map(str::parse::<usize>);
    let (rows, ports, days) = (rows?, ports?.clamp(1, 50_000), days?.max(1));
    fs::create_dir_all(dir)?;
    fs::write(dir.join("policy.toml"), policy(ports))?;
    let ledger = Written::open(&dir.join("ledger.db"))?;
    // The last day is yesterday: nothing is too old to be kept.
    let now = Timestamp::now();
    let first = now - 24.hours() * i64::try_from(days)?;
    let first = Timestamp::from_second(first.as_second().div_euclid(86_400) * 86_400)?;
    let mut host = Host::of(ports, first);
    store(&ledger, host.begun());
    for day in 0..days {
        let (from, to) = (rows * day / days, rows * (day + 1) / days);
        store(&ledger, host.day(i64::try_from(day)?, from..to));
    }
    ledger.finish(Instant::now() + Duration::from_secs(600))?;
    Ok(())
}

/// Waits until there is room.
fn store(ledger: &Written, mut batch: Batch) {
    while let Err(back) = ledger.offer(batch) {
        batch = *back;
        thread::sleep(Duration::from_millis(1));
    }
}

/// A declaration for each port, with a rule for its clients and one for everybody.
fn policy(ports: usize) -> String {
    let mut text = String::from("version = 1\n[controller]\nname = \"Example GmbH\"\n");
    for port in 0..ports {
        let (place, direction) = match port % CALLED {
            9 => (r#"service = ["10.0.0.0/8", "11.0.0.0/8"]"#, "out"),
            _ => (r#"listen = ["any"]"#, "in"),
        };
        let allow = |role: &str, peers: &str| {
            format!(
                "[[port.allow]]\nrole = \"{role}\"\ndirection = \"{direction}\"\npeers = [\"{peers}\"]\nprocess = {{ unit = \
                 \"service-{port}.service\", exe = \"/opt/service-{port}/bin/worker\" }}\n"
            )
        };
        let _ = write!(
            text,
            "[[port]]\nname = \"service-{port}\"\nport = {}\n{place}\n[port.record]\npurpose = \"purpose {port}\"\n{}{}",
            10_000 + port,
            allow("clients", "10.0.0.0/8"),
            allow("everybody", "any"),
        );
    }
    text
}

/// What rows of a ledger share.
struct Host {
    first: Timestamp,
    ports: Vec<Arc<PortKey>>,
    workers: Vec<Arc<Identity>>,
    nobody: Arc<Identity>,
    verdicts: [Arc<VerdictKey>; 4],
    postures: [Arc<PostureKey>; 4],
    policy: Arc<str>,
}

impl Host {
    fn of(ports: usize, first: Timestamp) -> Self {
        let worker = |port: usize| {
            Arc::new(Identity {
                attribution: Attribution::Exact,
                exe: Some(format!("/opt/service-{port}/bin/worker").into()),
                unit: Some(format!("service-{port}.service").into()),
                uid: Some(1_001),
                user: Some("shop".into()),
                ..Identity::UNKNOWN
            })
        };
        let key = |port: usize| PortKey {
            name: format!("service-{port}").into(),
            number: u16::try_from(10_000 + port).unwrap_or(u16::MAX),
            declared: true,
        };
        let by = |role: &str| VerdictKey::Declared { rule: role.into() };
        let violation = VerdictKey::Violation {
            reasons: vec![ReasonId::UndeclaredPeer],
            nearest: Some("clients".into()),
        };
        let posture = |state, cipher: Option<&str>| PostureKey {
            state,
            version: None,
            cipher: cipher.map(Into::into),
            certificate_until: None,
        };
        Self {
            first,
            ports: (0..ports).map(|port| Arc::new(key(port))).collect(),
            workers: (0..ports).map(worker).collect(),
            nobody: Arc::new(Identity::UNKNOWN),
            verdicts: [
                by("clients"),
                by("everybody"),
                violation,
                VerdictKey::Undecided { nearest: Some("clients".into()) },
            ]
            .map(Arc::new),
            postures: [
                posture(PostureState::Tls13, Some("TLS_AES_128_GCM_SHA256")),
                posture(PostureState::Tls12, Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")),
                posture(PostureState::Plaintext, None),
                posture(PostureState::Unknown, None),
            ]
            .map(Arc::new),
            policy: "sha256:b16".into(),
        }
    }

    fn begun(&self) -> Batch {
        let began = Entry::Began {
            run: "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".into(),
            version: "0.1.0".into(),
            boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into(),
            at: self.first,
        };
        Batch { until: self.first, entries: vec![began], ..Batch::default() }
    }

    /// The rows of a day, by their numbers, with what was watched and moved in each hour.
    fn day(&mut self, day: i64, rows: std::ops::Range<usize>) -> Batch {
        let since = self.first + 24.hours() * day;
        let begin = rows.start;
        let edges: Vec<Edge> = rows.map(|row| self.row(row, row - begin, since)).collect();
        let mut volume: BTreeMap<_, VolumeHour> = BTreeMap::new();
        for edge in &edges {
            let rule = edge.key.verdict.volume_of().cloned();
            let hour = edge.first.as_second().div_euclid(3_600);
            let sum = volume.entry((hour, Arc::clone(&edge.key.port), edge.key.direction, rule.clone()));
            let sum = sum.or_insert_with(|| VolumeHour {
                hour: Timestamp::from_second(hour * 3_600).unwrap_or(since),
                port: Arc::clone(&edge.key.port),
                direction: edge.key.direction,
                rule,
                flows: 0,
                bytes_sent: 0,
                bytes_received: 0,
            });
            sum.flows += edge.counts.opened;
            sum.bytes_sent += edge.counts.bytes_sent;
            sum.bytes_received += edge.counts.bytes_received;
        }
        Batch {
            until: since + 24.hours(),
            edges,
            coverage: (0..24).flat_map(|hour| self.watched(day * 24 + hour)).collect(),
            volume: volume.into_values().collect(),
            ..Batch::default()
        }
    }

    /// All ports, but in one hour of ten days: then nobody watched.
    fn watched(&self, hour: i64) -> Vec<CoverageDelta> {
        let watched = |(at, port): (usize, &Arc<PortKey>)| CoverageDelta {
            hour: self.first + hour.hours(),
            port: Arc::clone(port),
            watched_s: if hour % 50 == 7 { 1_800 } else { 3_600 },
            seen: at as u64 % 5,
            lost: u64::from(at % 100 == 3 && hour % 100 == 11),
        };
        if hour % 240 == 100 { Vec::new() } else { self.ports.iter().enumerate().map(watched).collect() }
    }

    /// The row of this number, and by its number of the day.
    fn row(&self, row: usize, of_day: usize, since: Timestamp) -> Edge {
        let (at, client) = (of_day % self.ports.len(), of_day / self.ports.len());
        let is_stranger = client % 2 == 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let address = if is_stranger {
            STRANGERS.saturating_add(number(row))
        } else {
            CLIENTS + number(at % 60_000) * 256 + number(client % 250) + 1
        };
        let passes = row % 11 == 3;
        let verdict = match (passes, is_stranger, row % 3, row % 97) {
            (true, ..) | (_, _, _, 5) => 3,
            (_, true, 0, _) => 2,
            (_, true, ..) => 1,
            _ => 0,
        };
        let posture = match (passes, row % 5, row % 7) {
            (true, ..) => 3,
            (_, 0, _) => 2,
            (_, _, 0) => 1,
            _ => 0,
        };
        let flows = 1 + row as u64 % 50;
        let begin = since + i64::try_from(row * 7_919 % 86_000).unwrap_or(0).seconds();
        Edge {
            day: TimeZone::UTC.to_datetime(since).date(),
            key: EdgeKey {
                port: Arc::clone(&self.ports[at]),
                direction: if at % CALLED == 9 { Direction::Out } else { Direction::In },
                identity: Arc::clone(if row % 13 == 4 { &self.nobody } else { &self.workers[at] }),
                peer: IpAddr::V4(Ipv4Addr::from_bits(address)).into(),
                verdict: Arc::clone(&self.verdicts[verdict]),
                posture: Arc::clone(&self.postures[posture]),
                policy: Some(Arc::clone(&self.policy)),
            },
            counts: Counts {
                flows,
                moved: if passes { flows } else { 0 },
                opened: flows,
                closed: flows,
                failed: 0,
                bytes_sent: row as u64 * 977 % 5_000_000,
                bytes_received: row as u64 * 331 % 900_000,
            },
            first: begin,
            last: begin + 300.seconds(),
        }
    }
}
