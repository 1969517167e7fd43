//! Starting on a busy host: how long it takes until every existing connection is reported with its owner, relative to
//! `ss -tnap`, which lists them with theirs.

use std::slice;

use anyhow::{Result, bail};
use serde_json::json;

use super::context::Context;
use super::daemon::{Daemon, OPENED};
use super::effort::Effort;
use super::instrument::Instrument;
use super::memory::Memory;
use super::product::policy;
use super::subject::WATCHED;

/// How long a start may take; s.
const LIMIT: u64 = 120;

#[derive(Debug, Default)]
pub(crate) struct Startup {
    /// Time of the product relative to `ss`, of each pair.
    pub(crate) ratios: Vec<f64>,
    /// CPU time relative to `ss`, of each pair: less affected by other load.
    pub(crate) cpu: Vec<f64>,
    /// Time of `ss -tnap`, of each pair; ns.
    pub(crate) listing: Vec<f64>,
    /// Resident memory of the product with all of them.
    pub(crate) memory: Memory,
}

/// Holds the connections and starts the product and `ss` in turn.
///
/// # Errors
/// The instrument is gone, or the daemon does not report them all.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<Startup> {
    let mut startup = Startup::default();
    instrument.ask(&json!({ "do": "hold", "ports": [WATCHED], "count": effort.before }))?;
    let policy = context.write("startup.toml", &policy([WATCHED]))?;
    let flows = 2 * u64::from(effort.before);
    for _ in 0..effort.starts {
        let listed = instrument.run(&["ss", "-t", "-n", "-a", "-p"], true, false)?;
        let daemon = Daemon::start(instrument, context, slice::from_ref(&policy))?;
        let reported = daemon.wait_for(instrument, OPENED, flows, LIMIT)?;
        let took = daemon.age();
        startup.cpu.push(instrument.cpu(&[daemon.pid])? / listed.cpu_ns);
        startup.memory = daemon.memory();
        daemon.stop(instrument)?;
        if reported < flows {
            bail!("the daemon reported {reported} of {flows} flows within {LIMIT} s");
        }
        startup.ratios.push(took.as_nanos() as f64 / listed.ns);
        startup.listing.push(listed.ns);
    }
    instrument.ask(&json!({ "do": "hang-up" }))?;
    Ok(startup)
}
