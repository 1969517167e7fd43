//! Holding the instrument: the program that makes the load and starts the monitors (package `gdprport-bench`). It ends
//! everything when its input ends, and that ends when this program does, however it does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

/// SIGINT: what a person types to end a monitor in a terminal.
pub const INT: i32 = 2;
/// SIGTERM: what ends a service.
pub const TERM: i32 = 15;

/// The running instrument.
pub struct Instrument {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A BPF program, as the kernel counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Kernel-wide.
    pub id: u64,
    /// At most 15 characters.
    pub name: String,
    /// One of the processes asked about holds it.
    pub held: bool,
    /// Run time while it was measured; ns.
    pub run_ns: f64,
    /// Runs while they were counted.
    pub runs: f64,
}

/// How a program that was run ended.
#[derive(Debug)]
pub struct Ended {
    /// From start to end; ns.
    pub ns: f64,
    /// CPU time of it and its children; ns.
    pub cpu_ns: f64,
    /// Exit status 0.
    pub success: bool,
    /// Standard output, if it was to be kept.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Instrument {
    /// Starts it, in a process group of its own: Ctrl-C must not end it before it has cleaned up.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("instrument")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("is piped"));
        Ok(Self { child, orders, answers })
    }

    /// Gives one order and waits for the answer.
    ///
    /// # Errors
    /// What the instrument says, or that it is gone.
    pub fn ask(&mut self, order: &Value) -> Result<Value> {
        let gone = || anyhow!("the bench's instrument has ended; what it said stands above");
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        writeln!(orders, "{order}").map_err(|_| gone())?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|_| gone())?;
        if line.is_empty() {
            return Err(gone());
        }
        let answer: Value = serde_json::from_str(&line).context("the instrument answered with no JSON")?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{}: {error}", order["do"].as_str().unwrap_or_default()),
            None => Ok(answer),
        }
    }

    /// `count` connections one after the other; the p50 of one in ns.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn sequential(&mut self, port: u16, count: u32) -> Result<f64> {
        let answer = self.ask(&json!({ "do": "sequential", "port": port, "count": count }))?;
        number(&answer, "p50")
    }

    /// The BPF programs of the machine, and which of them these processes hold.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn programs(&mut self, pids: &[u32]) -> Result<Vec<Program>> {
        let answer = self.ask(&json!({ "do": "programs", "pids": pids }))?;
        let read = |program: &Value| {
            Ok(Program {
                id: program["id"].as_u64().unwrap_or_default(),
                name: program["name"].as_str().unwrap_or_default().to_owned(),
                held: program["held"] == true,
                run_ns: number(program, "run_ns")?,
                runs: number(program, "runs")?,
            })
        };
        answer.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(read).collect()
    }

    /// CPU time of processes so far; ns.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn cpu(&mut self, pids: &[u32]) -> Result<f64> {
        self.ask(&json!({ "do": "cpu", "pids": pids }))?.as_f64().context("no number")
    }

    /// Has the kernel measure BPF programs, or stop it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stats(&mut self, on: bool) -> Result<()> {
        self.ask(&json!({ "do": "stats", "on": on })).map(drop)
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&mut self, argv: &[&str], inside: bool, keep: bool) -> Result<Ended> {
        let answer = self.ask(&json!({ "do": "run", "argv": argv, "inside": inside, "keep": keep }))?;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        Ok(Ended {
            ns: number(&answer, "ns")?,
            cpu_ns: number(&answer, "cpu_ns")?,
            success: answer["status"] == 0,
            stdout: text("stdout"),
            stderr: text("stderr"),
        })
    }

    /// Has this run at the end.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn undo(&mut self, argv: &[&str]) -> Result<()> {
        self.ask(&json!({ "do": "undo", "argv": argv })).map(drop)
    }
}

impl Drop for Instrument {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// A number of an answer.
///
/// # Errors
/// It is not there.
pub fn number(answer: &Value, key: &str) -> Result<f64> {
    answer[key].as_f64().with_context(|| format!("the instrument told no {key}"))
}

/// Waits until something holds, and says whether it came to hold in time.
pub fn wait_for(limit: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<bool> {
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
