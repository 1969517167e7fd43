//! The evidence log: what an entry costs, and how long a million of them take to be verified.
//!
//! Belongs here: sizes, budgets and the table. Entries are written and verified by the instrument (`xtask/bench/src/evidence.rs`), with
//! the daemon's own writer and verifier.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use super::budgets::{Bar, Budget};
use super::machine::Machine;
use super::report;
use super::session::{RunOptions, build_instrument, save, show};
use super::stats::Spread;
use super::table::Table;
use crate::sh;
use crate::step::step;

/// Entries of a run, and of one that only shows whether it works.
const ENTRIES: (u64, u64) = (1_000_000, 20_000);

/// What the instrument measured.
#[derive(Debug, Clone, PartialEq)]
struct Results {
    entries: f64,
    /// Events that were handed over together.
    batch: f64,
    line_bytes: f64,
    beyond_bytes: f64,
    /// CPU time of the log's thread for an entry; µs.
    cpu: Spread,
    /// Time of it; µs.
    took: Spread,
    /// CPU time for an event that comes alone; µs.
    alone: Spread,
    /// CPU time of the sensor's thread for an event that it hands over; ns.
    handed: Spread,
    /// The same of one that wakes the log's thread; ns.
    waking: Spread,
    /// Time of a verification; s.
    verify: Spread,
    /// CPU time of it; s.
    verify_cpu: Spread,
}

impl Results {
    fn read(reply: &Value) -> Result<Self> {
        let number =
            |key: &str| reply[key].as_f64().ok_or_else(|| anyhow!("the instrument printed no `{key}`"));
        let spread = |key: &str| {
            let values = reply[key].as_array().into_iter().flatten().filter_map(Value::as_f64);
            Spread::of(&values.collect::<Vec<f64>>())
                .ok_or_else(|| anyhow!("the instrument printed no `{key}`"))
        };
        if number("findings")? > 0.0 {
            bail!("the log that was written does not verify: {reply}");
        }
        Ok(Self {
            entries: number("entries")?,
            batch: number("batch")?,
            line_bytes: number("line_bytes")?,
            beyond_bytes: number("beyond_bytes")?,
            cpu: spread("cpu_us")?,
            took: spread("took_us")?,
            alone: spread("alone_cpu_us")?,
            handed: spread("handed_ns")?,
            waking: spread("waking_ns")?,
            verify: spread("verify_s")?,
            verify_cpu: spread("verify_cpu_s")?,
        })
    }

    fn budgets(&self) -> Vec<Budget> {
        let budget = |what, unit, measured, most, beside| Budget {
            what,
            unit,
            bar: Bar::AtMost(most),
            measured: Some(measured),
            left_out: 0,
            beside,
        };
        let million = |value| value / self.entries * 1e6;
        let Spread { low, median, high, count } = self.verify;
        let verify = Spread { low: million(low), median: million(median), high: million(high), count };
        let beside = format!("CPU {:.1}", million(self.verify_cpu.median));
        vec![
            budget("CPU of an entry of the evidence log", "µs", self.cpu, 3.0, String::new()),
            budget("verifying 1,000,000 entries of it", "s", verify, 5.0, beside),
        ]
    }

    fn table(&self) -> Table {
        let mut table = Table::new("Evidence log", &["what", "of", "median", "quartiles"]);
        let mut row = |what: &str, of: &str, spread: Spread, unit: &str| {
            let Spread { low, median, high, count } = spread;
            let quartiles = format!("{low:.2}–{high:.2} of {count}");
            table.rows.push(vec![what.into(), of.into(), format!("{median:.2} {unit}"), quartiles]);
        };
        let nanoseconds = |Spread { low, median, high, count }: Spread| Spread {
            low: low / 1e3,
            median: median / 1e3,
            high: high / 1e3,
            count,
        };
        let batch = format!("an entry, {:.0} in a batch", self.batch);
        row("CPU of the log's thread", &batch, self.cpu, "µs");
        row("time of the log's thread, with the disk", &batch, self.took, "µs");
        row("CPU of the log's thread", "an entry that comes alone", self.alone, "µs");
        row("CPU of the sensor's thread", &batch, nanoseconds(self.handed), "µs");
        row("CPU of the sensor's thread", "an entry that wakes the log's", nanoseconds(self.waking), "µs");
        let entries = format!("{:.0} entries", self.entries);
        row("verification", &entries, self.verify, "s");
        row("CPU of it", &entries, self.verify_cpu, "s");
        table.note = format!(
            "Lines of {:.0} bytes; bundles and tiles have {:.1} bytes an entry beside its line. A batch is what the sensor hands over at full \
             rate (64 KiB). The log is synced each second. It was just written when it is verified, so that its files are in memory.",
            self.line_bytes, self.beyond_bytes
        );
        table
    }
}

/// Measures, shows and saves. Returns the budgets.
///
/// # Errors
/// The instrument failed, or what it wrote does not verify.
pub(crate) fn measure(options: RunOptions) -> Result<Vec<Budget>> {
    let bench = build_instrument(options)?;
    let machine = Machine::read();
    let entries = if options.tiny { ENTRIES.1 } else { ENTRIES.0 };
    let (reply, results) = step(&format!("{entries} entries, written and verified"), || {
        let reply = measured(&bench, entries)?;
        let results = Results::read(&reply)?;
        let summary =
            format!("{:.2} µs an entry, verified in {:.1} s", results.cpu.median, results.verify.median);
        Ok(((reply, results), summary))
    })?;
    let budgets = results.budgets();
    let tables = [report::budgets(&budgets), results.table()];
    show("The last run of the evidence log", &machine, &tables, options);
    save("evidence", &machine, &reply)?;
    Ok(budgets)
}

fn measured(bench: &Path, entries: u64) -> Result<Value> {
    // On a disk, where the log of a host is; the directory for temporary files may be memory.
    let dir = sh::target_dir().join("bench-evidence");
    let mut command = Command::new(bench);
    command.arg("evidence").arg(&dir).arg(entries.to_string());
    serde_json::from_str(&sh::quiet(&mut command)?).context("the instrument printed no JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_that_does_not_verify_is_no_figure() {
        let mut reply = json!({
            "entries": 2_000_000, "findings": 0, "batch": 50, "line_bytes": 900, "beyond_bytes": 51.1, "cpu_us": [2.5, 2.0, 3.5],
            "took_us": [4.0], "alone_cpu_us": [9.0], "handed_ns": [20.0], "waking_ns": [5_000.0], "verify_s": [8.0],
            "verify_cpu_s": [7.5],
        });
        let results = Results::read(&reply).expect("all figures");
        let met: Vec<_> = results.budgets().iter().map(Budget::met).collect();
        assert_eq!(met, [Some(true), Some(true)], "4 s for a million");
        assert_eq!(results.table().rows[3][2], "0.02 µs");
        reply["findings"] = 1.into();
        Results::read(&reply).expect_err("it was changed");
        reply["findings"] = Value::Null;
        Results::read(&reply).expect_err("nothing is said about it");
    }
}
