//! Starting on a busy host: how long it takes until every connection that is there is reported with its owner, in
//! relation to `ss -tnap`, which lists them with theirs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::effort::Effort;
use super::instrument::{Instrument, TERM};
use super::subject::{Context, Memory, WATCHED, gdprport, policy, write};

/// How long a start may take.
const LIMIT: Duration = Duration::from_secs(120);

/// By which an opened flow is known among the events.
const OPENED: &str = r#""kind":"flow.open""#;

/// What came of it.
#[derive(Debug, Default)]
pub struct Startup {
    /// Time of the product in relation to `ss`, of each pair.
    pub ratios: Vec<f64>,
    /// Time of `ss -tnap`, of each pair; ns.
    pub listing: Vec<f64>,
    /// Resident memory of the product with all of them.
    pub memory: Memory,
}

/// Holds the connections and starts the product and `ss` in turn.
///
/// # Errors
/// The instrument is gone, or the daemon does not report them all.
pub fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<Startup> {
    let mut startup = Startup::default();
    instrument.ask(&json!({ "do": "hold", "ports": [WATCHED], "count": effort.before }))?;
    for _ in 0..effort.starts {
        let listed = instrument.run(&["ss", "-t", "-n", "-a", "-p"], true, false)?;
        let (took, memory) = start(instrument, context, &[WATCHED], 2 * u64::from(effort.before))?;
        startup.ratios.push(took.as_nanos() as f64 / listed.ns);
        startup.listing.push(listed.ns);
        startup.memory = memory;
    }
    instrument.ask(&json!({ "do": "hang-up" }))?;
    Ok(startup)
}

/// Starts the daemon, waits until it has reported `flows`, and ends it.
///
/// # Errors
/// It does not report them all in time.
pub fn start(
    instrument: &mut Instrument,
    context: &Context,
    ports: &[u16],
    flows: u64,
) -> Result<(Duration, Memory)> {
    let output = context.dir.join("startup.out");
    let _ = std::fs::remove_file(&output);
    let policy = write(context, "startup.toml", &policy(ports.iter().copied()))?;
    let argv = gdprport(context, &policy, &output)?;
    let begun = Instant::now();
    let order = json!({
        "do": "start", "name": "startup", "argv": argv, "stdout": null,
        "stderr": context.dir.join("stderr"), "inside": false,
    });
    let pid = instrument.ask(&order)?["pid"].as_u64().context("no pid")?;
    let order = json!({
        "do": "await", "path": output, "text": OPENED, "count": flows, "seconds": LIMIT.as_secs(),
    });
    let reported = instrument.ask(&order)?.as_u64().unwrap_or_default();
    let took = begun.elapsed();
    let memory = Memory::of(pid);
    instrument.ask(&json!({ "do": "stop", "name": "startup", "signal": TERM }))?;
    let _ = std::fs::remove_file(&output);
    if reported < flows {
        bail!("the daemon reported {reported} of {flows} flows within {} s", LIMIT.as_secs());
    }
    Ok((took, memory))
}
