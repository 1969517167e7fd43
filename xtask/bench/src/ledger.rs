//! Flows into a ledger, by the daemon's own tally and writer, as fast as they take them; then what the daemon's readers say of
//! them, and how long that takes. Prints one JSON object.

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gdprport_core::flow::{Change, ChangeKind, Flow, Standing};
use gdprport_core::ledger::{Batch, Entry, PortKey, Tally, TallyLimits};
use gdprport_core::model::{Attribution, Direction, Endpoint, Process};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{ReasonSet, Verdict};
use gdprport_daemon::measured::{Asked, Written};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

/// Flows in a batch: those of a second, at the rate of the budget.
const BATCH: u64 = 20_000;

/// Peers of one program. The ledger keeps as many one by one.
const PEERS: u64 = 1_000;

/// How often each question is asked.
const ROUNDS: usize = 5;

/// How much is stored.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Flows of each day.
    flows: u64,
    /// Different rows that they make on a day.
    edges: u64,
    days: u64,
}

/// Stores the flows in a directory of its own and prints what that took.
pub(crate) fn run(dir: &Path, numbers: [&str; 3]) -> Result<(), Box<dyn Error>> {
    let [flows, edges, days] = numbers.map(str::parse::<u64>);
    let load = Load { flows: flows?, edges: edges?.max(1), days: days? };
    fs::create_dir_all(dir)?;
    let path = dir.join("ledger.db");
    let measured = measure(&path, load);
    fs::remove_dir_all(dir)?;
    println!("{}", measured?);
    Ok(())
}

/// Asks, and counts what was answered.
type Question<'a> = &'a dyn Fn() -> Result<u64, String>;

fn measure(path: &Path, load: Load) -> Result<Value, Box<dyn Error>> {
    let templates = flows(load.edges);
    let before = memory("VmRSS:");
    let begun = Instant::now();
    let ledger = Written::open(path)?;
    // The last day is yesterday: nothing is too old to be kept, and nothing is of tomorrow.
    let first = midnight(Timestamp::now() - 24.hours() * i64::try_from(load.days)?);
    let mut writer = Writer { ledger, tally: Tally::new(TallyLimits::default(), 0), busy: Duration::ZERO };
    writer.begin(first);
    let mut cookie = 0;
    for day in 0..load.days {
        let since = first + 24.hours() * i64::try_from(day)?;
        writer.day(since, load, &templates, &mut cookie)?;
    }
    let lost = writer.tally.lost();
    let busy = writer.busy;
    writer.ledger.finish(Instant::now() + Duration::from_secs(600))?;
    let took = begun.elapsed();
    let grown = memory("VmHWM:").saturating_sub(before);
    drop(templates);

    let until = first + 24.hours() * i64::try_from(load.days)?;
    let all = load.flows * load.days;
    let asked = Asked::of(path);
    let stored: u64 = asked.observed(first, until)?.edges.iter().map(|edge| edge.counts.closed).sum();
    let week = until - (24 * 7).hours();
    let questions: [(&str, Question<'_>); 4] = [
        ("audit", &|| asked.observed(first, until).map(|observed| observed.edges.len() as u64)),
        ("a week", &|| asked.observed(week, until).map(|observed| observed.edges.len() as u64)),
        ("flows of a week", &|| asked.flows(week)),
        ("rows", &|| asked.rows()),
    ];
    let mut answered = serde_json::Map::new();
    for (what, question) in questions {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let since = Instant::now();
            question()?;
            times.push(since.elapsed());
        }
        times.sort_unstable();
        answered.insert(what.to_owned(), (times[ROUNDS / 2].as_secs_f64() * 1e3).into());
    }
    let bytes: u64 = ["", "-wal"]
        .iter()
        .filter_map(|end| fs::metadata(format!("{}{end}", path.display())).ok())
        .map(|file| file.len())
        .sum();
    Ok(json!({
        "flows_per_s": all as f64 / took.as_secs_f64(),
        "lost": lost + all.abs_diff(stored),
        "bytes": bytes,
        "rows": asked.rows()?,
        "resident": grown,
        "tally_ns": busy.as_nanos() as f64 / all as f64,
        "questions_ms": answered,
    }))
}

struct Writer {
    ledger: Written,
    tally: Tally,
    /// Time in the tally: what the loop pays.
    busy: Duration,
}

impl Writer {
    fn begin(&mut self, at: Timestamp) {
        let key = |name: &str, number| PortKey { name: name.into(), number, declared: true };
        self.tally.enter(Entry::Began {
            run: "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".into(),
            version: "0.1.0".into(),
            boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into(),
            at,
        });
        self.tally.set_policy(None, [key("customers-db", 5432), key("cache", 6379)]);
    }

    /// The flows of a day, evenly over its 24 hours.
    fn day(
        &mut self,
        since: Timestamp,
        load: Load,
        templates: &[Flow],
        cookie: &mut u64,
    ) -> Result<(), Box<dyn Error>> {
        // At least one batch for each hour, so that each has its volume and its coverage.
        let batch = BATCH.min(load.flows.div_ceil(24)).max(1);
        let mut done = 0;
        while done < load.flows {
            let part = batch.min(load.flows - done);
            let second = i64::try_from(done * 86_400 / load.flows)?;
            let now = since + second.seconds();
            let begun = Instant::now();
            for number in done..done + part {
                // A stride that shares no factor with the number of rows: neighbours are of different programs.
                let template = &templates[usize::try_from(number * 7_919 % templates.len() as u64)?];
                *cookie += 1;
                self.flow(template, *cookie, now);
            }
            let elapsed = u64::try_from(i64::try_from(part * 86_400 / load.flows)?)?;
            self.tally.watched(Duration::from_secs(elapsed), now);
            let batch = self.tally.drain(false, now);
            self.busy += begun.elapsed();
            self.store(batch);
            done += part;
        }
        Ok(())
    }

    fn flow(&mut self, template: &Flow, cookie: u64, now: Timestamp) {
        let mut change = Change {
            kind: ChangeKind::Opened,
            flow: Flow { cookie, ..template.clone() },
            new_reasons: ReasonSet::default(),
            was: None,
        };
        self.tally.flow(&change, now);
        change.kind = ChangeKind::Closed;
        change.was = Some(Standing::Declared);
        (change.flow.bytes_sent, change.flow.bytes_received) = (Some(1_839), Some(411));
        self.tally.flow(&change, now);
    }

    /// Waits until there is room, where the daemon would go on adding up.
    fn store(&self, batch: Batch) {
        let mut batch = batch;
        while let Err(back) = self.ledger.offer(batch) {
            batch = *back;
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// As many flows as rows are to be made: programs that call PostgreSQL, each from its own addresses.
fn flows(edges: u64) -> Vec<Flow> {
    let rules: Vec<Shared<Verdict>> = (0..10)
        .map(|number| Shared::new(Verdict::Declared { rule: format!("role-{number}").into() }))
        .collect();
    let peers = PEERS.min(edges.div_ceil(10)).max(1);
    let mut process = None;
    (0..edges)
        .map(|edge| {
            let (program, peer) = (edge / peers, edge % peers);
            if peer == 0 {
                process = Some(Shared::new(Process {
                    pid: 4_711,
                    exe: Some(format!("/usr/lib/shop/bin/service-{program}").into()),
                    uid: 1_001,
                    user: Some("shop".into()),
                    gid: 1_001,
                    group: Some("shop".into()),
                    unit: Some(format!("shop-{program}.service").into()),
                    attribution: Attribution::Exact,
                    ..Process::UNKNOWN
                }));
            }
            let address = Ipv4Addr::from_bits(0x0a00_0000 | u32::try_from(peer * 7).unwrap_or(0));
            let local = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)), 5432);
            let peer = Endpoint::new(IpAddr::V4(address), 40_000);
            Flow {
                process: process.clone(),
                verdict: Shared::clone(&rules[usize::try_from(program % 10).unwrap_or(0)]),
                port_index: Some(usize::from(program % 2 == 1)),
                opened_ns: Some(1),
                ..Flow::new(0, Direction::In, local, peer)
            }
        })
        .collect()
}

fn midnight(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second().div_euclid(86_400) * 86_400).unwrap_or(time)
}

/// A line of this process's `/proc/self/status`, bytes.
fn memory(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
