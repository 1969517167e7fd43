//! What grows with ports, rules, peers, flows and connections: each measured relative to the smallest size, or to no
//! monitor.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::context::Context;
use super::daemon::Daemon;
use super::instrument::Instrument;
use super::product::policy;
use super::stats::Spread;
use super::subject::WATCHED;
use super::table::Table;

const ROUNDS: usize = 5;

const ROUND: u32 = 2_000;

/// How long flows stay open without traffic: longer than the daemon's interval between checks of open flows.
const IDLE: Duration = Duration::from_secs(8);

/// Rules in one file: a file may have 4 MiB.
const RULES_PER_FILE: u32 = 20_000;

struct Figures {
    label: String,
    /// From start to the active policy; s.
    ready: f64,
    /// p50 in relation to no monitor.
    latency: Spread,
    /// The daemon's CPU time for a connection; ns.
    cpu: f64,
    resident: f64,
}

/// Ports, rules and peers: one table each.
pub(crate) fn policies(instrument: &mut Instrument, context: &Context) -> Result<Vec<(Table, Value)>> {
    let mut tables = Vec::new();
    let ports = |count: u32| policy((0..count).map(|at| WATCHED + at as u16));
    let one = |text: String| -> Vec<String> { vec![text] };
    tables
        .push(curve(instrument, context, "Watched ports", &[1, 10, 100, 1_000], |count| one(ports(count)))?);
    tables.push(curve(instrument, context, "Rules of one port", &[10, 1_000, 100_000], rules)?);
    tables.push(curve(instrument, context, "Peers of one rule", &[10, 1_000, 100_000], |count| {
        one(peers(count))
    })?);
    Ok(tables)
}

/// Files with a port and this many rules, the last of which allows loopback.
fn rules(count: u32) -> Vec<String> {
    let port = format!(
        "version = 1\n\n[[port]]\nname = \"bench\"\nport = {WATCHED}\nemit = \"every\"\n{}",
        allow("any")
    );
    with_rules(port, count, "in", |_| String::new())
}

/// This file of the port `bench`, and files with as many rules of this direction less one, each for a peer of its own; `more`: further keys of a
/// rule by its number.
pub(crate) fn with_rules(
    port: String,
    count: u32,
    direction: &str,
    more: impl Fn(u32) -> String,
) -> Vec<String> {
    let mut files = vec![port];
    for first in (1..count).step_by(RULES_PER_FILE as usize) {
        let mut text = "version = 1\n".to_owned();
        for number in first..count.min(first + RULES_PER_FILE) {
            let _ = write!(
                text,
                "[[allow]]\nport = \"bench\"\nrole = \"r{number}\"\ndirection = \"{direction}\"\npeers = [\"{}\"]\n{}",
                address(number),
                more(number)
            );
        }
        files.push(text);
    }
    files
}

/// One port whose rule names this many peers.
fn peers(count: u32) -> String {
    let mut list = String::new();
    for number in 1..count {
        let _ = write!(list, "\"{}\", ", address(number));
    }
    format!(
        "version = 1\n\n[peers]\nmany = [{list}\"127.0.0.0/8\"]\n\n[[port]]\nname = \"bench\"\nport = {WATCHED}\nemit = \"every\"\n{}",
        allow("many")
    )
}

fn allow(peers: &str) -> String {
    format!(
        "\n[[port.allow]]\nrole = \"serving\"\ndirection = \"in\"\npeers = [\"{peers}\"]\n\
         \n[[port.allow]]\nrole = \"calling\"\ndirection = \"out\"\npeers = [\"{peers}\"]\n"
    )
}

fn address(number: u32) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

fn curve(
    instrument: &mut Instrument,
    context: &Context,
    title: &str,
    sizes: &[u32],
    make: impl Fn(u32) -> Vec<String>,
) -> Result<(Table, Value)> {
    let mut all: Vec<Figures> = Vec::new();
    for size in sizes {
        let mut files: Vec<PathBuf> = Vec::new();
        for (number, text) in make(*size).iter().enumerate() {
            files.push(context.write(&format!("scale-{number}.toml"), text)?);
        }
        all.push(figures(instrument, context, grouped(u64::from(*size)), &files)?);
    }
    let mut table = Table::new(
        title,
        &["how many", "p50 × no monitor", "CPU of a connection", "start until in force", "resident, MiB"],
    );
    let first = |of: fn(&Figures) -> f64| all.first().map_or(f64::NAN, of);
    for figures in &all {
        table.rows.push(vec![
            figures.label.clone(),
            format!("{:.3}", figures.latency),
            format!("{:.2} × the first", figures.cpu / first(|f| f.cpu)),
            format!("{:.1} × the first", figures.ready / first(|f| f.ready)),
            format!("{:.1}", figures.resident),
        ]);
    }
    let values = all
        .iter()
        .map(|figures| {
            json!({
                "how_many": figures.label, "p50_ratio": figures.latency.median, "cpu_ns": figures.cpu,
                "ready_s": figures.ready, "resident_mib": figures.resident,
            })
        })
        .collect();
    Ok((table, values))
}

fn figures(
    instrument: &mut Instrument,
    context: &Context,
    label: String,
    files: &[PathBuf],
) -> Result<Figures> {
    let (mut ratios, mut cpu, mut resident, mut ready) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut before = instrument.sequential(WATCHED, ROUND)?;
    for _ in 0..ROUNDS {
        let daemon = Daemon::start(instrument, context, files)?;
        ready.push(daemon.ready.as_secs_f64());
        std::thread::sleep(Duration::from_millis(200));
        let used = instrument.cpu(&[daemon.pid])?;
        let with = instrument.sequential(WATCHED, ROUND)?;
        std::thread::sleep(Duration::from_millis(200));
        cpu.push((instrument.cpu(&[daemon.pid])? - used) / f64::from(ROUND));
        resident.push(daemon.memory().mib());
        daemon.stop(instrument)?;
        let after = instrument.sequential(WATCHED, ROUND)?;
        ratios.push(with / f64::midpoint(before, after));
        before = after;
    }
    let median = |values: &[f64]| Spread::of(values).expect("there were rounds");
    Ok(Figures {
        label,
        ready: median(&ready).median,
        latency: median(&ratios),
        cpu: median(&cpu).median,
        resident: median(&resident).median,
    })
}

/// Flows open at the same time: memory, and whether the daemon knows every one.
pub(crate) fn flows(
    instrument: &mut Instrument,
    context: &Context,
    connections: &[u32],
) -> Result<(Table, Value)> {
    let mut table = Table::new(
        "Flows open at the same time",
        &[
            "connections",
            "flows at both ends",
            "known to the daemon",
            "resident, MiB",
            "bytes a flow more",
            "CPU while idle",
        ],
    );
    let file = context.write("scale.toml", &policy([WATCHED]))?;
    let daemon = Daemon::start(instrument, context, &[file])?;
    let (mut held, mut values) = (0, Vec::new());
    daemon.settled(instrument)?;
    let mut last = (0_u64, daemon.memory().resident);
    for wanted in connections {
        instrument.ask(&json!({ "do": "hold", "ports": [WATCHED], "count": wanted - held }))?;
        held = *wanted;
        let status = daemon.settled(instrument)?;
        let known = status["coverage"]["flows_open"].as_u64().unwrap_or_default();
        let (flows, resident) = (2 * u64::from(held), daemon.memory().resident);
        let used = instrument.cpu(&[daemon.pid])?;
        std::thread::sleep(IDLE);
        let idle = (instrument.cpu(&[daemon.pid])? - used) / IDLE.as_nanos() as f64;
        let each = resident.saturating_sub(last.1) as f64 / (flows - last.0).max(1) as f64;
        table.rows.push(vec![
            grouped(u64::from(held)),
            grouped(flows),
            format!("{}{}", grouped(known), if known == flows { ", all" } else { "" }),
            format!("{:.1}", resident as f64 / f64::from(1 << 20)),
            format!("{each:.0}"),
            format!("{:.2} %", 100.0 * idle),
        ]);
        values.push(json!({
            "flows": flows, "known": known, "resident": resident, "bytes_each": each, "idle_cpu": idle,
        }));
        last = (flows, resident);
    }
    instrument.ask(&json!({ "do": "hang-up" }))?;
    daemon.settled(instrument)?;
    table.rows.push(vec![
        "0 again".into(),
        "0".into(),
        String::new(),
        format!("{:.1}", daemon.memory().mib()),
        String::new(),
        String::new(),
    ]);
    daemon.stop(instrument)?;
    Ok((table, values.into()))
}

/// `100000` → `100,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn policies_have_as_many_rules_as_asked_for() {
        let files = rules(50_000);
        assert_eq!(files.len(), 4);
        let count =
            |text: &String| text.matches("[[allow]]").count() + text.matches("[[port.allow]]").count();
        assert_eq!(files.iter().map(count).sum::<usize>(), 50_001);
        assert!(files.iter().all(|text| text.len() < 4 << 20));
    }
}
