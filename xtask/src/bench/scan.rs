//! Looking at a busy host: `gdprport scan` relative to `ss -tlnp` and `ss -tnp`, one after the other, which together list the
//! same sockets with their processes.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::context::Context;
use super::instrument::{Ended, Instrument};

/// Ports of the listeners: above those that clients get.
const FIRST: u16 = 50_000;

/// How much stands open, and how often it is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) listeners: u16,
    pub(crate) connections: u32,
    pub(crate) rounds: u32,
}

impl Size {
    /// What the budget is about.
    pub(crate) const BUSY: Self = Self { listeners: 10_000, connections: 50_000, rounds: 3 };
}

#[derive(Debug, Default)]
pub(crate) struct Scans {
    /// Time of the product relative to both lists of `ss`, of each pair.
    pub(crate) ratios: Vec<f64>,
    /// CPU time relative to theirs, of each pair.
    pub(crate) cpu: Vec<f64>,
    /// Time of both lists of `ss`, of each pair; ns.
    pub(crate) listing: Vec<f64>,
}

/// Holds the sockets and lists them in turn.
///
/// # Errors
/// The instrument is gone, or something listed less than there is.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, size: Size) -> Result<Scans> {
    let ports: Vec<u16> = (FIRST..FIRST + size.listeners).collect();
    instrument.ask(&json!({ "do": "hold", "ports": ports, "count": size.connections }))?;
    let program = context.gdprport.display().to_string();
    // The first scan is for its completeness; what it prints would otherwise be a part of the time.
    let whole = run(instrument, &[&program, "scan", "--json"], true)?;
    let found = listeners(&whole.stdout)?;
    if found != usize::from(size.listeners) {
        bail!("`gdprport scan` lists {found} of {} listeners", size.listeners);
    }
    let mut scans = Scans::default();
    for _ in 0..size.rounds {
        let listening = run(instrument, &["ss", "-t", "-l", "-n", "-p"], false)?;
        let connected = run(instrument, &["ss", "-t", "-n", "-p"], false)?;
        let scanned = run(instrument, &[&program, "scan", "--json"], false)?;
        let (ns, cpu) = (listening.ns + connected.ns, listening.cpu_ns + connected.cpu_ns);
        scans.ratios.push(scanned.ns / ns);
        scans.cpu.push(scanned.cpu_ns / cpu);
        scans.listing.push(ns);
    }
    instrument.ask(&json!({ "do": "hang-up" }))?;
    Ok(scans)
}

fn run(instrument: &mut Instrument, argv: &[&str], keep: bool) -> Result<Ended> {
    let ended = instrument.run(argv, true, keep)?;
    if !ended.success {
        bail!("`{}` failed: {}", argv.join(" "), ended.stderr.trim());
    }
    Ok(ended)
}

/// Listeners on the ports that are held open.
fn listeners(stdout: &str) -> Result<usize> {
    let inventory: Value = serde_json::from_str(stdout).context("`gdprport scan --json` printed no JSON")?;
    let listeners = inventory["listeners"].as_array().context("no `listeners`")?;
    let ours = |listener: &&Value| listener["port"].as_u64().is_some_and(|port| port >= u64::from(FIRST));
    Ok(listeners.iter().filter(ours).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_of_the_bench_are_counted() {
        let text = r#"{ "listeners": [{ "port": 22 }, { "port": 50000 }, { "port": 50001 }] }"#;
        assert_eq!(listeners(text).expect("an inventory"), 2);
        listeners("{}").expect_err("no inventory");
    }
}
