//! How soon it is told: from the byte that decides how a connection is encrypted to the event of it in the file.

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::instrument::{Instrument, number};
use super::subject::{Subject, WATCHED};

/// Connections.
const COUNT: u32 = 50;

/// What came of it; ns.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    /// Half of them took no longer.
    pub p50: f64,
    /// Nearly all took no longer.
    pub p99: f64,
}

/// Measures the product; the others do not look at what is sent.
///
/// # Errors
/// The instrument is gone or the daemon does not start.
pub fn measure(instrument: &mut Instrument, context: &Context) -> Result<Telling> {
    let running = Subject::Gdprport.start(instrument, context)?;
    let order = json!({ "do": "telling", "port": WATCHED, "count": COUNT, "events": running.output });
    let answer = instrument.ask(&order)?;
    running.stop(instrument)?;
    Ok(Telling { p50: number(&answer, "p50")?, p99: number(&answer, "p99")? })
}
