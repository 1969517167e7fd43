//! What reports and proposals take of a big ledger: CPU time and memory.
//!
//! Belongs here: sizes and the table. The ledger is made, and each command run and measured, by the instrument
//! (`xtask/bench/src/big.rs`, `spent.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::table::Table;
use crate::sh;
use crate::step::step;

/// A ledger, and the time that is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    rows: u32,
    ports: u32,
    days: u32,
}

impl Size {
    /// Five hundred services for a quarter of a year: a quarter of a million rows, and 1.1 million hours of coverage.
    pub(crate) const BIG: Self = Self { rows: 250_000, ports: 510, days: 90 };
    /// What a debug build makes in seconds.
    pub(crate) const TRY: Self = Self { rows: 2_000, ports: 20, days: 10 };
}

/// What one command took.
#[derive(Debug)]
struct Spent {
    what: &'static str,
    /// CPU time, user and system; seconds.
    cpu_s: f64,
    /// Most memory that was resident at once; bytes.
    peak: f64,
    /// Bytes of the files that it wrote.
    written: u64,
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Results {
    size: Size,
    spent: Vec<Spent>,
}

/// Makes the ledger in a directory of its own and runs each command once.
///
/// # Errors
/// The instrument or a command failed.
pub(crate) fn measure(gdprport: &Path, bench: &Path, size: Size) -> Result<Results> {
    let dir = std::env::temp_dir().join(format!("gdprport-bench-reports-{}", std::process::id()));
    let measured = measure_in(&dir, gdprport, bench, size);
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    measured
}

fn measure_in(dir: &Path, gdprport: &Path, bench: &Path, size: Size) -> Result<Results> {
    let Size { rows, ports, days } = size;
    step(&format!("a ledger of {rows} rows"), || {
        let mut command = Command::new(bench);
        command.arg("big").arg(dir).args([rows, ports, days].map(|number| number.to_string()));
        sh::quiet(&mut command)?;
        Ok(((), format!("{ports} ports, {days} days")))
    })?;
    let since = format!("{}d", days + 1);
    let policy = ["--policy", "policy.toml", "--any-owner"];
    let report = [&["report", "--out", "out"][..], &policy].concat();
    let pack = [&["report", "--pack", "--out", "out"][..], &policy].concat();
    let commands: [(&str, Vec<&str>); 5] = [
        ("policy learn", vec!["policy", "learn", "--output", "out"]),
        ("policy replay", vec!["policy", "replay", "policy.toml"]),
        ("report", report.clone()),
        ("report --format fides,dpv", [&report[..], &["--format", "fides,dpv"]].concat()),
        ("report --pack", pack),
    ];
    let mut spent = Vec::new();
    for (what, args) in commands {
        spent.push(step(what, || {
            let out = dir.join("out");
            let mut command = Command::new(bench);
            command.arg("spent").arg(gdprport).args(args).args(["--since", &since, "--ledger", "ledger.db"]);
            let reply: Value = serde_json::from_str(&sh::quiet(command.current_dir(dir))?)
                .context("the instrument printed no JSON")?;
            let number =
                |key: &str| reply[key].as_f64().ok_or_else(|| anyhow!("the instrument printed no `{key}`"));
            let spent = Spent { what, cpu_s: number("cpu_s")?, peak: number("peak")?, written: bytes(&out) };
            let _ = fs::remove_dir_all(&out).or_else(|_| fs::remove_file(&out));
            let summary = format!("{:.1} s, {:.0} MiB", spent.cpu_s, spent.peak / f64::from(1 << 20));
            Ok((spent, summary))
        })?);
    }
    Ok(Results { size, spent })
}

/// Bytes of a file, or of the files of a directory.
fn bytes(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.metadata().map_or(0, |meta| meta.len())).sum(),
        Err(_) => fs::metadata(path).map_or(0, |meta| meta.len()),
    }
}

/// What was measured.
pub(crate) fn table(results: &Results) -> Table {
    let Size { rows, ports, days } = results.size;
    let mut table = Table::new("Reports", &["command", "CPU, s", "peak, MiB", "written, MB"]);
    for Spent { what, cpu_s, peak, written } in &results.spent {
        table.rows.push(vec![
            (*what).to_owned(),
            format!("{cpu_s:.1}"),
            format!("{:.0}", peak / f64::from(1 << 20)),
            format!("{:.1}", *written as f64 / 1e6),
        ]);
    }
    table.note =
        format!("{rows} rows of {ports} ports on {days} days, {} hours of coverage.", ports * days * 24);
    table
}

/// The same for programs.
pub(crate) fn json(results: &Results) -> Value {
    let Size { rows, ports, days } = results.size;
    let spent = results
        .spent
        .iter()
        .map(|of| (of.what.to_owned(), json!({ "cpu_s": of.cpu_s, "peak": of.peak, "written": of.written })));
    json!({
        "rows": rows, "ports": ports, "days": days, "commands": spent.collect::<serde_json::Map<String, Value>>(),
    })
}
