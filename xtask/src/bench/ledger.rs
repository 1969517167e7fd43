//! The ledger: how many flows a second it takes without loss, how large it becomes, how long its readers wait, and how long a
//! scan of a busy host takes.
//!
//! Belongs here: sizes, budgets and tables. The flows are made and timed by the instrument
//! (`xtask/bench/src/ledger.rs`), with the daemon's own tally, writer and readers.

use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::budgets::{Bar, Budget};
use super::context::Context;
use super::instrument::Instrument;
use super::scan::{self, Scans, Size};
use super::stats::Spread;
use super::table::Table;
use crate::sh;
use crate::step::step;

/// What one run stores.
#[derive(Debug, Clone, Copy)]
struct Load {
    what: &'static str,
    /// Flows of each day, opened and closed.
    flows: u64,
    /// Different rows that they make on a day.
    edges: u64,
    days: u64,
}

/// A host as it usually is.
const USUAL: Load = Load { what: "500 edges", flows: 1_000_000, edges: 500, days: 1 };
/// A host that everybody calls.
const MANY: Load = Load { what: "100,000 edges", flows: 1_000_000, edges: 100_000, days: 1 };
/// A quarter of a year.
const QUARTER: Load = Load { what: "90 days of 500 edges", flows: 10_000, edges: 500, days: 90 };

/// What the instrument measured.
#[derive(Debug, Default)]
struct Figures {
    /// Flows that were stored in a second, from the first change to the last batch that is stored.
    rate: f64,
    /// Flows that were counted as lost, or of which the sums in the ledger differ.
    lost: f64,
    bytes: f64,
    /// Resident memory that it took; bytes.
    resident: f64,
    rows: f64,
    /// CPU time of the loop's part for a flow, opened and closed; ns.
    tally_ns: f64,
    /// Each question with its time; ms.
    questions: Vec<(String, f64)>,
}

impl Figures {
    fn read(reply: &Value) -> Result<Self> {
        let number =
            |key: &str| reply[key].as_f64().ok_or_else(|| anyhow!("the instrument printed no `{key}`"));
        let questions =
            reply["questions_ms"].as_object().context("the instrument printed no `questions_ms`")?;
        Ok(Self {
            rate: number("flows_per_s")?,
            lost: number("lost")?,
            bytes: number("bytes")?,
            resident: number("resident")?,
            rows: number("rows")?,
            tally_ns: number("tally_ns")?,
            questions: questions
                .iter()
                .map(|(what, ms)| (what.clone(), ms.as_f64().unwrap_or(f64::NAN)))
                .collect(),
        })
    }

    fn slowest(&self) -> f64 {
        self.questions.iter().map(|(_, ms)| *ms).fold(0.0, f64::max)
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Results {
    stored: Vec<(Load, Figures)>,
    scans: Scans,
}

/// Measures.
///
/// # Errors
/// The instrument failed.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context) -> Result<Results> {
    let mut stored = Vec::new();
    for load in [USUAL, MANY, QUARTER] {
        let figures = step(&format!("the ledger of {}", load.what), || {
            let figures = run(context, load)?;
            let summary = format!("{:.0} flows/s", figures.rate);
            Ok((figures, summary))
        })?;
        stored.push((load, figures));
    }
    let scans = step("scans of a busy host", || {
        let scans = scan::measure(instrument, context, Size::BUSY)?;
        let summary = format!("{} pairs", scans.ratios.len());
        Ok((scans, summary))
    })?;
    Ok(Results { stored, scans })
}

fn run(context: &Context, load: Load) -> Result<Figures> {
    let ledger = context.dir.join("ledger");
    let mut command = Command::new(&context.bench);
    command.arg("ledger").arg(&ledger);
    command.args([load.flows, load.edges, load.days].map(|number| number.to_string()));
    let reply: Value =
        serde_json::from_str(&sh::quiet(&mut command)?).context("the instrument printed no JSON")?;
    Figures::read(&reply)
}

/// The budgets of these results.
pub(crate) fn budgets(results: &Results) -> Vec<Budget> {
    let of =
        |what: &str| results.stored.iter().find(|(load, _)| load.what == what).map(|(_, figures)| figures);
    let one = |figures: Option<&Figures>, value: fn(&Figures) -> f64| {
        figures.and_then(|figures| Spread::of(&[value(figures)]))
    };
    let budget =
        |what, unit, bar, measured, beside| Budget { what, unit, bar, measured, left_out: 0, beside };
    let (usual, many, quarter) = (of(USUAL.what), of(MANY.what), of(QUARTER.what));
    let questions = quarter.map_or_else(String::new, |figures| {
        let list: Vec<String> =
            figures.questions.iter().map(|(what, ms)| format!("{what} {ms:.1} ms")).collect();
        list.join(", ")
    });
    let mib =
        |figures: Option<&Figures>| figures.map_or(f64::NAN, |figures| figures.bytes / f64::from(1 << 20));
    let cpu = Spread::of(&results.scans.cpu).map_or(f64::NAN, |spread| spread.median);
    let listing = Spread::of(&results.scans.listing).map_or(f64::NAN, |spread| spread.median / 1e9);
    vec![
        budget(
            "flows into the ledger, 500 edges",
            "flows/s",
            Bar::AtLeast(20_000.0),
            one(usual, |figures| figures.rate),
            usual.map_or_else(String::new, |figures| {
                format!("the loop's part {:.0} ns a flow", figures.tally_ns)
            }),
        ),
        budget(
            "the same, 100,000 edges",
            "flows/s",
            Bar::AtLeast(20_000.0),
            one(many, |figures| figures.rate),
            format!("{:.0} MiB", mib(many)),
        ),
        budget(
            "of them lost",
            "flows",
            Bar::AtMost(0.0),
            usual.zip(many).and_then(|(usual, many)| Spread::of(&[usual.lost + many.lost])),
            String::new(),
        ),
        budget(
            "90 days of 500 edges",
            "MB",
            Bar::AtMost(64.0),
            one(quarter, |figures| figures.bytes / 1e6),
            one(quarter, |figures| figures.rows)
                .map_or_else(String::new, |rows| format!("{:.0} rows", rows.median)),
        ),
        budget(
            "the slowest question about them",
            "ms",
            Bar::AtMost(200.0),
            one(quarter, Figures::slowest),
            questions,
        ),
        budget(
            "memory that 100,000 edges of a day take",
            "MiB",
            Bar::AtMost(128.0),
            one(many, |figures| figures.resident / f64::from(1 << 20)),
            one(usual, |figures| figures.resident / f64::from(1 << 20))
                .map_or_else(String::new, |mib| format!("500 edges {:.1}", mib.median)),
        ),
        budget(
            "scan of 10,000 listeners, 50,000 connections",
            "× ss -tlnp and ss -tnp",
            Bar::AtMost(0.5),
            Spread::of(&results.scans.ratios),
            format!("CPU time {cpu:.2} ×; ss took {listing:.1} s"),
        ),
    ]
}

/// What was measured, as a table beside the budgets.
pub(crate) fn table(results: &Results) -> Table {
    let head = [
        "what",
        "flows",
        "flows/s",
        "lost",
        "rows",
        "MiB",
        "resident, MiB",
        "loop, ns a flow",
        "questions, ms",
    ];
    let mut table = Table::new("The ledger", &head);
    for (load, figures) in &results.stored {
        let questions: Vec<String> =
            figures.questions.iter().map(|(what, ms)| format!("{what} {ms:.1}")).collect();
        table.rows.push(vec![
            load.what.to_owned(),
            (load.flows * load.days).to_string(),
            format!("{:.0}", figures.rate),
            format!("{:.0}", figures.lost),
            format!("{:.0}", figures.rows),
            format!("{:.1}", figures.bytes / f64::from(1 << 20)),
            format!("{:.1}", figures.resident / f64::from(1 << 20)),
            format!("{:.0}", figures.tally_ns),
            questions.join(", "),
        ]);
    }
    table.note = "A flow is opened and closed: two changes. It is stored once its batch is committed; every batch is a second of \
                  changes, one after the other without a pause."
        .into();
    table
}

/// Everything, raw values included.
pub(crate) fn json(results: &Results) -> Value {
    let stored: serde_json::Map<String, Value> = results
        .stored
        .iter()
        .map(|(load, figures)| {
            let value = json!({
                "flows": load.flows * load.days, "edges": load.edges, "days": load.days,
                "flows_per_s": figures.rate, "lost": figures.lost, "rows": figures.rows, "bytes": figures.bytes,
                "resident": figures.resident, "tally_ns": figures.tally_ns,
                "questions_ms": figures.questions.iter().cloned().map(|(what, ms)| (what, ms.into()))
                    .collect::<serde_json::Map<String, Value>>(),
            });
            (load.what.to_owned(), value)
        })
        .collect();
    json!({
        "stored": stored,
        "scan": { "ratios": results.scans.ratios, "cpu_ratios": results.scans.cpu, "listing_ns": results.scans.listing },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instrument_that_leaves_a_figure_out_has_failed() {
        let mut reply = json!({
            "flows_per_s": 5.0, "lost": 0, "bytes": 4096, "resident": 1, "rows": 2, "tally_ns": 300.0,
            "questions_ms": { "audit": 7.5, "top": 3.0 },
        });
        let figures = Figures::read(&reply).expect("all figures");
        assert_eq!(figures.slowest().to_bits(), 7.5_f64.to_bits());
        reply["lost"] = Value::Null;
        Figures::read(&reply).expect_err("nothing is said about losses");
    }
}
