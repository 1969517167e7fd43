//! The product by itself: started with any policy, queried for its status, stalled, stopped.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::context::Context;
use super::instrument::{Instrument, TERM};
use super::memory::Memory;
use super::product::{Setup, gdprport, unpin};
use super::subject::reason;

/// Its name in the instrument's protocol.
pub(crate) const NAME: &str = "daemon";

/// Marks the events of opened flows.
pub(crate) const OPENED: &str = r#""kind":"flow.open""#;

/// How often in a row its counters must be unchanged, half a second apart.
const STILL: u32 = 2;

#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) pid: u32,
    /// From its start to the event of the active policy.
    pub(crate) ready: Duration,
    begun: Instant,
    events: PathBuf,
    socket: PathBuf,
    gdprport: PathBuf,
    pins: Option<PathBuf>,
}

impl Daemon {
    /// Starts it with these files as its policy and waits until that is active.
    ///
    /// # Errors
    /// It exits instead; with the first line of its standard error.
    pub(crate) fn start(instrument: &mut Instrument, context: &Context, policy: &[PathBuf]) -> Result<Self> {
        Self::start_with(instrument, context, policy, Setup::Bare)
    }

    /// The same, with this beside its policy.
    ///
    /// # Errors
    /// It exits instead; with the first line of its standard error.
    pub(crate) fn start_with(
        instrument: &mut Instrument,
        context: &Context,
        policy: &[PathBuf],
        setup: Setup,
    ) -> Result<Self> {
        let events = context.dir.join("daemon.out");
        let _ = std::fs::remove_file(&events);
        let stderr = context.dir.join("stderr");
        let argv = gdprport(context, policy, &events, setup)?;
        let begun = Instant::now();
        let order = json!({
            "do": "start", "name": NAME, "argv": argv, "stdout": null, "stderr": stderr, "inside": false,
        });
        let pid = instrument.ask(&order)?["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let mut daemon = Self {
            pid: pid.context("no pid")?,
            ready: Duration::ZERO,
            begun,
            events,
            socket: context.dir.join("control.sock"),
            gdprport: context.gdprport.clone(),
            pins: (setup == Setup::Packaged).then(|| context.pins.clone()),
        };
        if daemon.wait_for(instrument, r#""kind":"policy.applied""#, 1, 120)? == 0 {
            let stderr = std::fs::read_to_string(&stderr).unwrap_or_default();
            instrument.ask(&json!({ "do": "stop", "name": NAME, "signal": TERM }))?;
            bail!("the daemon does not start: {}", reason(&stderr));
        }
        daemon.ready = daemon.begun.elapsed();
        Ok(daemon)
    }

    /// Waits until its events hold `text` `count` times; returns how often they do.
    pub(crate) fn wait_for(
        &self,
        instrument: &mut Instrument,
        text: &str,
        count: u64,
        seconds: u64,
    ) -> Result<u64> {
        let order =
            json!({ "do": "await", "path": self.events, "text": text, "count": count, "seconds": seconds });
        instrument.ask(&order)?.as_u64().context("no number")
    }

    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn status(&self, instrument: &mut Instrument) -> Result<Value> {
        let (program, socket) = (self.gdprport.display().to_string(), self.socket.display().to_string());
        let asked =
            instrument.run(&[&program, "daemon", "status", "--json", "--socket", &socket], false, true)?;
        serde_json::from_str(&asked.stdout).with_context(|| format!("no status: {}", asked.stderr))
    }

    /// Its status once its counters have been unchanged for a second.
    pub(crate) fn settled(&self, instrument: &mut Instrument) -> Result<Value> {
        let mut status = self.status(instrument)?;
        let (begun, mut still) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.status(instrument)?;
            // Including those of the kernel side: on a busy machine the daemon may not get to read for that long.
            let same =
                ["records", "kernel"].iter().all(|key| now["coverage"][key] == status["coverage"][key]);
            let queued: u64 = now["sinks"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|sink| sink["queued"].as_u64())
                .sum();
            status = now;
            still = if same && queued == 0 { still + 1 } else { 0 };
            if still == STILL {
                break;
            }
        }
        Ok(status)
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory::of(self.pid.into())
    }

    pub(crate) fn signal(&self, instrument: &mut Instrument, signal: i32) -> Result<()> {
        instrument.ask(&json!({ "do": "signal", "name": NAME, "signal": signal })).map(drop)
    }

    /// Stops it and removes its events.
    pub(crate) fn stop(self, instrument: &mut Instrument) -> Result<()> {
        let events = self.end(instrument)?;
        let _ = std::fs::remove_file(events);
        Ok(())
    }

    /// Stops it; returns where its events are.
    pub(crate) fn end(self, instrument: &mut Instrument) -> Result<PathBuf> {
        instrument.ask(&json!({ "do": "stop", "name": NAME, "signal": TERM }))?;
        if let Some(pins) = &self.pins {
            unpin(instrument, &self.gdprport, pins)?;
        }
        Ok(self.events)
    }
}
