//! The evidence log: what its thread takes for an entry, what the sensor's thread takes to hand one over, and how long the whole log
//! takes to be verified. Prints one JSON object.

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gdprport_daemon::measured::{DEFAULT_CAPACITY, Handed, Logged, verified};
use serde_json::json;

use crate::clock::thread_ns;

/// The event that is logged: a `flow.close` with a process and a verdict, as a daemon writes it.
const EVENT: &str = include_str!("event.json");

/// Bytes of a batch at full rate, as the daemon hands it over.
const BATCH_BYTES: usize = 64 * 1024;

/// A log is written in so many parts, each measured by itself.
const PARTS: u64 = 10;

/// How often the log is verified.
const VERIFIED: usize = 3;

/// How often an event is handed over to a thread that sleeps.
const ALONE: usize = 200;

/// Longer than the thread of a sink waits for more events.
const ASLEEP: Duration = Duration::from_millis(25);

/// Writes so many entries into a log in this directory, and verifies it.
pub(crate) fn run(dir: &Path, entries: &str) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let line = EVENT.trim();
    let full = u64::try_from(BATCH_BYTES / line.len())?;
    let batches = entries.parse::<u64>()?.div_ceil(full * PARTS);
    let place = dir.join("evidence");
    let mut logged = Logged::new(&place, line)?;
    let (mut cpu, mut took, mut lines) = (Vec::new(), Vec::new(), 0);
    for _ in 0..PARTS {
        let part = written(&mut logged, batches, full)?;
        cpu.push(part.cpu_us);
        took.push(part.took_us);
        lines += part.lines;
    }
    let (begun, before) = (Instant::now(), thread_ns());
    // The last checkpoint.
    drop(logged);
    let (ended, end_cpu) = (begun.elapsed(), thread_ns() - before);
    let (mut verify, mut verify_cpu) = (Vec::new(), Vec::new());
    let mut found = verified(&place)?;
    for _ in 0..VERIFIED {
        let (begun, before) = (Instant::now(), thread_ns());
        found = verified(&place)?;
        verify.push(begun.elapsed().as_secs_f64());
        verify_cpu.push((thread_ns() - before) as f64 / 1e9);
    }
    let beyond = (size(&place.join("tile"))? - lines) as f64 / found.entries as f64;
    let small = batches * full / PARTS;
    let mut logged = Logged::new(&dir.join("alone"), line)?;
    let alone: Result<Vec<f64>, _> =
        (0..PARTS).map(|_| written(&mut logged, small, 1).map(|part| part.cpu_us)).collect();
    drop(logged);
    println!(
        "{}",
        json!({
            "entries": found.entries, "findings": found.findings, "batch": full, "line_bytes": line.len(),
            "beyond_bytes": beyond, "cpu_us": cpu, "took_us": took, "alone_cpu_us": alone?,
            "end_ms": ended.as_secs_f64() * 1e3, "end_cpu_ms": end_cpu as f64 / 1e6, "verify_s": verify, "verify_cpu_s": verify_cpu,
            "handed_ns": handed(&dir.join("handed"), line, full)?, "waking_ns": waking(&dir.join("waking"), line)?,
        })
    );
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// What a part of a log took.
struct Part {
    /// CPU time of an entry, user and system; µs.
    cpu_us: f64,
    /// Time of an entry; µs.
    took_us: f64,
    /// Bytes of all lines.
    lines: u64,
}

/// Writes so many batches of so many events.
fn written(logged: &mut Logged, batches: u64, events: u64) -> Result<Part, String> {
    let (mut took, mut busy, mut lines) = (Duration::ZERO, 0, 0);
    for _ in 0..batches {
        lines += logged.prepare(events) as u64;
        let (begun, before) = (Instant::now(), thread_ns());
        logged.write()?;
        took += begun.elapsed();
        busy += thread_ns() - before;
    }
    let per = |value: f64| value / (batches * events) as f64;
    Ok(Part { cpu_us: per(busy as f64 / 1e3), took_us: per(took.as_secs_f64() * 1e6), lines })
}

/// CPU time of the thread that hands over events in full batches; ns an event, of each part.
fn handed(dir: &Path, line: &str, full: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut handed = Handed::new(dir, line, DEFAULT_CAPACITY)?;
    let batches = DEFAULT_CAPACITY.get() / 4 / usize::try_from(full)?;
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        handed.prepare(batches, full);
        let before = thread_ns();
        handed.hand_over();
        parts.push((thread_ns() - before) as f64 / (batches as u64 * full) as f64);
    }
    ended(handed)?;
    Ok(parts)
}

/// The same of one event, which wakes a thread that sleeps; ns.
fn waking(dir: &Path, line: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut handed = Handed::new(dir, line, NonZeroUsize::MIN.saturating_add(ALONE))?;
    let mut all = Vec::new();
    for _ in 0..ALONE {
        handed.prepare(1, 1);
        thread::sleep(ASLEEP);
        let before = thread_ns();
        handed.hand_over();
        all.push((thread_ns() - before) as f64);
    }
    ended(handed)?;
    Ok(all)
}

fn ended(handed: Handed) -> Result<(), String> {
    match handed.finish() {
        0 => Ok(()),
        dropped => Err(format!("{dropped} events were not taken: what was measured is not what it costs")),
    }
}

/// Bytes of all files below a directory.
fn size(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
