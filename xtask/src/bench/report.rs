//! The results as tables for people and as JSON for programs. Pure.

use serde_json::{Value, json};

use super::budgets::{Bar, Budget, Results};
use super::cycles::Program;
use super::database;
use super::stats::{Pair, Pairs, Spread, clean};
use super::subject::Subject;
use super::table::Table;

/// Every budget, its bar, what was measured and whether it is met.
pub(crate) fn budgets(budgets: &[Budget]) -> Table {
    let mut table =
        Table::new("Budgets", &["budget", "bar", "measured", "quartiles", "verdict", "beside it"]);
    for budget in budgets {
        let digits = if budget.unit.starts_with('×') { 3 } else { 1 };
        let bar = match budget.bar {
            Bar::AtMost(most) => format!("≤ {}", short(most)),
            Bar::AtLeast(least) => format!("≥ {}", short(least)),
            Bar::Shown => "none,".to_owned(),
        };
        let (median, quartiles) = match budget.measured {
            Some(spread) if spread.count > 1 => (
                format!("{:.digits$}", spread.median),
                format!(
                    "{:.digits$}–{:.digits$} of {}{}",
                    spread.low,
                    spread.high,
                    spread.count,
                    out(budget.left_out)
                ),
            ),
            Some(spread) => (format!("{:.digits$}", spread.median), String::new()),
            None => ("–".into(), String::new()),
        };
        let verdict = match budget.met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None if budget.measured.is_some() => "no bar",
            None => "not measured",
        };
        table.rows.push(vec![
            budget.what.to_owned(),
            format!("{bar} {}", budget.unit),
            median,
            quartiles,
            verdict.to_owned(),
            budget.beside.clone(),
        ]);
    }
    table
}

fn out(left_out: usize) -> String {
    if left_out == 0 { String::new() } else { format!(", {left_out} left out") }
}

fn short(value: f64) -> String {
    format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// All subjects side by side.
pub(crate) fn subjects(results: &Results) -> Table {
    let head = [
        "monitor",
        "p50 × none",
        "over veth",
        "kernel × floor",
        "CPU × gdprport",
        "MiB",
        "lost: 1 by 1, by 8, processes",
        "named: clients, server",
    ];
    let mut table = Table::new("Side by side", &head);
    let pair_run = |subject: Subject| results.pair_runs.of.get(&subject);
    let median = |values: &[f64]| Spread::of(values).map(|spread| spread.median);
    let floor = pair_run(Subject::Floor).and_then(|pair_run| median(&pair_run.kernel));
    let own_cpu = pair_run(Subject::Gdprport).and_then(|pair_run| median(&pair_run.cpu));
    let relation = |value: Option<f64>, to: Option<f64>| match (value, to) {
        (Some(value), Some(to)) if to > 0.0 => format!("{:.2} ({:.1} µs)", value / to, value / 1e3),
        _ => "–".into(),
    };
    for subject in Subject::ALL {
        let Some(pair_run) = pair_run(subject) else {
            let reason = results.pair_runs.skipped.get(&subject).cloned().unwrap_or_default();
            let mut row = vec![subject.name().to_owned(), format!("skipped: {reason}")];
            row.resize(table.head.len(), String::new());
            table.rows.push(row);
            continue;
        };
        let pairs = Spread::of(&clean(&pair_run.lo.watched).0);
        let veth = Spread::of(&clean(&pair_run.veth.watched).0);
        let completeness = results.completeness.get(&subject);
        let percent = |part: f64| format!("{:.1} %", 100.0 * part);
        let processes = f64::from(results.effort.processes);
        table.rows.push(vec![
            subject.name().to_owned(),
            pairs.map_or("–".into(), |spread| format!("{spread:.3}")),
            veth.filter(|_| subject.sees_every_namespace())
                .map_or("–".into(), |spread| format!("{:.3}", spread.median)),
            relation(median(&pair_run.kernel), floor),
            relation(median(&pair_run.cpu), own_cpu),
            completeness.map_or("–".into(), |completeness| format!("{:.1}", completeness.memory.mib())),
            completeness.map_or("–".into(), |completeness| {
                [completeness.one_by_one, completeness.crowd, completeness.processes]
                    .map(|tally| percent(tally.lost()))
                    .join(", ")
            }),
            completeness.filter(|_| subject.names_processes()).map_or("–".into(), |completeness| {
                [completeness.named.clients, completeness.named.server]
                    .map(|named| percent(named as f64 / processes))
                    .join(", ")
            }),
        ]);
    }
    let alone = (median(&results.pair_runs.alone), median(&results.pair_runs.alone_veth));
    table.note = match alone {
        (Some(alone), Some(veth)) => format!(
            "For scale: without any monitor a connection takes {:.1} µs (p50) on this machine, and {:.1} µs over a veth pair. \
             Kernel time is that of BPF programs, while the kernel measures it; ss, conntrack and auditd have none and work \
             elsewhere in the kernel.",
            alone / 1e3,
            veth / 1e3
        ),
        _ => String::new(),
    };
    table
}

/// Where the kernel time goes, by program.
pub(crate) fn programs(results: &Results) -> Table {
    let mut table =
        Table::new("Kernel programs", &["of", "program", "runs per connection", "ns a run", "part"]);
    let pair_run = |subject: Subject| results.pair_runs.of.get(&subject);
    let lists = [
        ("gdprport, watched", pair_run(Subject::Gdprport).map(|pair_run| &pair_run.programs)),
        ("gdprport, unwatched", pair_run(Subject::Gdprport).map(|pair_run| &pair_run.programs_unwatched)),
        ("floor", pair_run(Subject::Floor).map(|pair_run| &pair_run.programs)),
        ("hooks alone", pair_run(Subject::Hooks).map(|pair_run| &pair_run.programs)),
    ];
    for (of, programs) in lists {
        let mut programs: Vec<&Program> = programs.into_iter().flatten().collect();
        let total: f64 = programs.iter().map(|program| program.runs * program.ns).sum();
        programs.sort_by(|a, b| (b.runs * b.ns).total_cmp(&(a.runs * a.ns)));
        for program in programs.into_iter().filter(|program| program.runs >= 0.01) {
            table.rows.push(vec![
                of.to_owned(),
                program.name.clone(),
                format!("{:.2}", program.runs),
                format!("{:.0}", program.ns),
                format!("{:.0} %", 100.0 * program.runs * program.ns / total),
            ]);
        }
    }
    table.note = "Of the last cycle, both ends together; measuring itself is part of every run.".into();
    table
}

/// Everything, raw values included.
pub(crate) fn json(results: &Results, budgets: &[Budget]) -> Value {
    let pairs = |pairs: &[Pair]| {
        pairs.iter().map(|p| json!({ "ratio": p.ratio, "clean": p.clean })).collect::<Value>()
    };
    let both = |of: &Pairs| json!({ "watched": pairs(&of.watched), "unwatched": pairs(&of.unwatched) });
    let programs = |programs: &[Program]| {
        let value =
            |p: &Program| json!({ "name": p.name, "runs_per_connection": p.runs, "ns_per_run": p.ns });
        programs.iter().map(value).collect::<Value>()
    };
    let budgets: Value = budgets
        .iter()
        .map(|budget| {
            let (kind, bar) = match budget.bar {
                Bar::AtMost(bar) => ("at-most", Some(bar)),
                Bar::AtLeast(bar) => ("at-least", Some(bar)),
                Bar::Shown => ("none", None),
            };
            json!({
                "what": budget.what, "unit": budget.unit, "bar": { "kind": kind, "value": bar },
                "median": budget.measured.map(|s| s.median), "low": budget.measured.map(|s| s.low),
                "high": budget.measured.map(|s| s.high), "count": budget.measured.map(|s| s.count),
                "left_out": budget.left_out, "met": budget.met(), "beside": budget.beside,
            })
        })
        .collect();
    let pair_runs: serde_json::Map<String, Value> = results
        .pair_runs
        .of
        .iter()
        .map(|(subject, pair_run)| {
            let value = json!({
                "lo": both(&pair_run.lo), "veth": both(&pair_run.veth),
                "kernel_ns": pair_run.kernel, "cpu_ns": pair_run.cpu,
                "programs": programs(&pair_run.programs), "programs_unwatched": programs(&pair_run.programs_unwatched),
            });
            (subject.name().to_owned(), value)
        })
        .collect();
    let bulk: serde_json::Map<String, Value> = results
        .bulk
        .iter()
        .map(|(subject, bulk)| {
            let value = json!({ "lo": both(&bulk.lo), "veth": both(&bulk.veth) });
            (subject.name().to_owned(), value)
        })
        .collect();
    let completeness: serde_json::Map<String, Value> = results
        .completeness
        .iter()
        .map(|(subject, completeness)| {
            let tally = |tally: super::loss::Tally| json!({ "expected": tally.expected, "reported": tally.reported });
            let value = json!({
                "one_by_one": tally(completeness.one_by_one), "crowd": tally(completeness.crowd),
                "processes": tally(completeness.processes), "clients_named": completeness.named.clients,
                "server_named": completeness.named.server, "resident": completeness.memory.resident,
                "peak": completeness.peak.resident, "anonymous": completeness.memory.anonymous, "file": completeness.memory.file, "shared": completeness.memory.shared,
            });
            (subject.name().to_owned(), value)
        })
        .collect();
    let skipped: serde_json::Map<String, Value> =
        results.pair_runs.skipped.iter().map(|(s, why)| (s.name().to_owned(), why.as_str().into())).collect();
    json!({
        "budgets": budgets, "pairs": pair_runs, "accounts": completeness, "skipped": skipped,
        "alone_ns": results.pair_runs.alone, "alone_veth_ns": results.pair_runs.alone_veth,
        "database": database::json(&results.database),
        "bulk": bulk,
        "report_latency": results.report_latency.map(|report_latency| json!({ "p50_ns": report_latency.p50, "p99_ns": report_latency.p99 })),
        "startup": { "ratios": results.startup.ratios, "cpu_ratios": results.startup.cpu, "listing_ns": results.startup.listing,
                     "resident": results.startup.memory.resident },
    })
}
