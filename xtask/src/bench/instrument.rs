//! The client of the instrument, the program that makes the load and starts the monitors (package `gdprport-bench`). It
//! stops everything when its input ends, and its input ends with this process, however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

/// SIGINT: how a person stops a monitor in a terminal.
pub(crate) const INT: i32 = 2;
/// SIGTERM: how a service is stopped.
pub(crate) const TERM: i32 = 15;

/// The way from client to server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    /// Loopback.
    Lo,
    /// A veth pair between two network namespaces: what a packet passes on its way to a network card, without the card.
    Veth,
}

impl Route {
    pub(crate) const ALL: [Self; 2] = [Self::Lo, Self::Veth];

    /// In orders, and in the names of values.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lo => "lo",
            Self::Veth => "veth",
        }
    }
}

pub(crate) struct Instrument {
    child: Child,
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

/// A BPF program with the kernel's statistics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) id: u64,
    /// At most 15 characters.
    pub(crate) name: String,
    /// One of the processes asked about holds it.
    pub(crate) held: bool,
    /// Run time while it was measured; ns.
    pub(crate) run_ns: f64,
    /// Runs while they were counted.
    pub(crate) runs: f64,
}

/// How a program that was run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// From start to end; ns.
    pub(crate) ns: f64,
    /// CPU time of it and its children; ns.
    pub(crate) cpu_ns: f64,
    pub(crate) success: bool,
    /// Standard output, if it was to be kept.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Instrument {
    /// Starts it, in a process group of its own: Ctrl-C must not end it before it has cleaned up.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("instrument")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let orders = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().expect("is piped"));
        Ok(Self { child, orders, replies })
    }

    /// Sends one order and waits for the reply.
    ///
    /// # Errors
    /// The instrument's error, or that it is gone.
    pub(crate) fn ask(&mut self, order: &Value) -> Result<Value> {
        let gone = || anyhow!("the bench's instrument has ended; its output is above");
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        writeln!(orders, "{order}").map_err(|_| gone())?;
        let mut line = String::new();
        self.replies.read_line(&mut line).map_err(|_| gone())?;
        if line.is_empty() {
            return Err(gone());
        }
        let reply: Value = serde_json::from_str(&line).context("the instrument answered with no JSON")?;
        match reply.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{}: {error}", order["do"].as_str().unwrap_or_default()),
            None => Ok(reply),
        }
    }

    /// `count` connections on loopback one after the other; the p50 of one in ns.
    pub(crate) fn sequential(&mut self, port: u16, count: u32) -> Result<f64> {
        self.sequential_by(Route::Lo, port, count)
    }

    /// The same by this route.
    pub(crate) fn sequential_by(&mut self, route: Route, port: u16, count: u32) -> Result<f64> {
        let order = json!({ "do": "sequential", "port": port, "count": count, "route": route.name() });
        number(&self.ask(&order)?, "p50")
    }

    /// The BPF programs of the machine, and which of them these processes hold.
    pub(crate) fn programs(&mut self, pids: &[u32]) -> Result<Vec<Program>> {
        let reply = self.ask(&json!({ "do": "programs", "pids": pids }))?;
        let read = |program: &Value| {
            Ok(Program {
                id: program["id"].as_u64().unwrap_or_default(),
                name: program["name"].as_str().unwrap_or_default().to_owned(),
                held: program["held"] == true,
                run_ns: number(program, "run_ns")?,
                runs: number(program, "runs")?,
            })
        };
        reply.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(read).collect()
    }

    /// CPU time of processes so far; ns.
    pub(crate) fn cpu(&mut self, pids: &[u32]) -> Result<f64> {
        self.ask(&json!({ "do": "cpu", "pids": pids }))?.as_f64().context("no number")
    }

    /// Switches the kernel's statistics of BPF programs on or off.
    pub(crate) fn stats(&mut self, on: bool) -> Result<()> {
        self.ask(&json!({ "do": "stats", "on": on })).map(drop)
    }

    /// Runs a program to its end.
    pub(crate) fn run(&mut self, argv: &[&str], inside: bool, keep: bool) -> Result<Ended> {
        let reply = self.ask(&json!({ "do": "run", "argv": argv, "inside": inside, "keep": keep }))?;
        let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
        Ok(Ended {
            ns: number(&reply, "ns")?,
            cpu_ns: number(&reply, "cpu_ns")?,
            success: reply["status"] == 0,
            stdout: text("stdout"),
            stderr: text("stderr"),
        })
    }

    /// Registers a command to run at the end.
    pub(crate) fn undo(&mut self, argv: &[&str]) -> Result<()> {
        self.ask(&json!({ "do": "undo", "argv": argv })).map(drop)
    }
}

impl Drop for Instrument {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// A number of a reply.
pub(crate) fn number(reply: &Value, key: &str) -> Result<f64> {
    reply[key].as_f64().with_context(|| format!("the instrument returned no {key}"))
}

/// Waits until a condition holds; returns false on timeout.
pub(crate) fn wait_for(limit: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if holds()? {
            return Ok(true);
        }
        if begun.elapsed() > limit {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
