//! The product by itself: started with any policy, asked how it is, stalled, ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::context::Context;
use super::instrument::{Instrument, TERM};
use super::subject::{Memory, gdprport};

/// How the instrument knows it.
const NAME: &str = "daemon";

/// By which the events of an opened flow are known.
pub const OPENED: &str = r#""kind":"flow.open""#;

/// How often in a row its books must be the same, half a second apart.
const STILL: u32 = 2;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// Its process.
    pub pid: u32,
    /// From its start to its first word about the policy in force.
    pub ready: Duration,
    begun: Instant,
    events: PathBuf,
    socket: PathBuf,
    gdprport: PathBuf,
}

impl Daemon {
    /// Starts it with these files as its policy and waits until that is in force.
    ///
    /// # Errors
    /// It ends instead; with what it said.
    pub fn start(instrument: &mut Instrument, context: &Context, policy: &[PathBuf]) -> Result<Self> {
        let events = context.dir.join("daemon.out");
        let _ = std::fs::remove_file(&events);
        let stderr = context.dir.join("stderr");
        let argv = gdprport(context, policy, &events)?;
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
        };
        if daemon.wait_for(instrument, r#""kind":"policy.applied""#, 1, 120)? == 0 {
            let said = std::fs::read_to_string(&stderr).unwrap_or_default();
            instrument.ask(&json!({ "do": "stop", "name": NAME, "signal": TERM }))?;
            bail!("the daemon does not start: {}", said.lines().next().unwrap_or("it says nothing"));
        }
        daemon.ready = daemon.begun.elapsed();
        Ok(daemon)
    }

    /// Waits until its events hold a text so often; how often they do, and since its start how long that took.
    ///
    /// # Errors
    /// The instrument is gone.
    pub fn wait_for(&self, instrument: &mut Instrument, text: &str, count: u64, seconds: u64) -> Result<u64> {
        let order =
            json!({ "do": "await", "path": self.events, "text": text, "count": count, "seconds": seconds });
        instrument.ask(&order)?.as_u64().context("no number")
    }

    /// Since its start.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&self, instrument: &mut Instrument) -> Result<Value> {
        let (program, socket) = (self.gdprport.display().to_string(), self.socket.display().to_string());
        let asked =
            instrument.run(&[&program, "daemon", "status", "--json", "--socket", &socket], false, true)?;
        serde_json::from_str(&asked.stdout).with_context(|| format!("no status: {}", asked.stderr))
    }

    /// What it says of itself once its books have stood still for a second.
    ///
    /// # Errors
    /// It does not answer.
    pub fn settled(&self, instrument: &mut Instrument) -> Result<Value> {
        let mut status = self.status(instrument)?;
        let (begun, mut still) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.status(instrument)?;
            // The kernel side's books too: a busy machine may keep the daemon from reading for that long.
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

    /// Its resident memory.
    pub fn memory(&self) -> Memory {
        Memory::of(self.pid.into())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The instrument is gone.
    pub fn signal(&self, instrument: &mut Instrument, signal: i32) -> Result<()> {
        instrument.ask(&json!({ "do": "signal", "name": NAME, "signal": signal })).map(drop)
    }

    /// Ends it and removes its events.
    ///
    /// # Errors
    /// The instrument is gone.
    pub fn stop(self, instrument: &mut Instrument) -> Result<()> {
        instrument.ask(&json!({ "do": "stop", "name": NAME, "signal": TERM }))?;
        let _ = std::fs::remove_file(&self.events);
        Ok(())
    }
}
