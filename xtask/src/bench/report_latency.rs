//! Report latency: from the byte that decides how a connection is encrypted to its event in the file.

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::instrument::{Instrument, number};
use super::subject::{Subject, WATCHED};

const COUNT: u32 = 50;

/// In ns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportLatency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Measures the product only, which sends every event; the others do not read what connections carry.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context) -> Result<ReportLatency> {
    let running = Subject::Every.start(instrument, context)?;
    let order = json!({ "do": "report-latency", "port": WATCHED, "count": COUNT, "events": running.output });
    let reply = instrument.ask(&order)?;
    running.stop(instrument)?;
    Ok(ReportLatency { p50: number(&reply, "p50")?, p99: number(&reply, "p99")? })
}
