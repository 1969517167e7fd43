//! The budgets: each with its limit, the measured value, and whether it is met. Pure.

use std::collections::BTreeMap;

use super::bulk::Bulk;
use super::cycles::{PairRun, PairRuns};
use super::database::Database;
use super::effort::Effort;
use super::instrument::Route;
use super::loss::Completeness;
use super::report_latency::ReportLatency;
use super::startup::Startup;
use super::stats::{Pair, Pairs, Spread, above, clean, ratios};
use super::subject::Subject;

#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) effort: Effort,
    pub(crate) database: Database,
    pub(crate) pair_runs: PairRuns,
    pub(crate) completeness: BTreeMap<Subject, Completeness>,
    pub(crate) bulk: Bulk,
    pub(crate) report_latency: Option<ReportLatency>,
    pub(crate) startup: Startup,
}

/// The limit of a measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// None: shown beside one that has a limit.
    Shown,
}

impl Bar {
    /// Whether a value keeps it; None if there is no limit.
    pub(crate) fn holds(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(value <= most),
            Self::AtLeast(least) => Some(value >= least),
            Self::Shown => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) what: &'static str,
    /// The unit, or what the value is relative to.
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
    /// None if it could not be measured here.
    pub(crate) measured: Option<Spread>,
    /// Pairs left out because other monitors were loaded.
    pub(crate) left_out: usize,
    /// The same value of others, or context.
    pub(crate) beside: String,
}

impl Budget {
    /// Whether it is met; None if it could not be measured, or has no limit.
    pub(crate) fn met(&self) -> Option<bool> {
        self.measured.and_then(|measured| self.bar.holds(measured.median))
    }
}

/// The daemon's CPU time: as it is by default, which is judged, and where it writes every event.
pub(crate) fn cpu(pair_runs: &PairRuns) -> [Budget; 2] {
    let against = |own: Subject| {
        let cpu = |subject: Subject| pair_runs.of.get(&subject).map(|pair_run| &pair_run.cpu);
        Spread::of(&ratios(cpu(own)?, cpu(Subject::Bpftrace)?))
    };
    let micros = |others: &[Subject]| {
        beside(pair_runs, others, |pair_run| {
            Spread::of(&pair_run.cpu).map(|spread| format!("{:.1} µs", spread.median / 1e3))
        })
    };
    [
        Budget {
            what: "daemon's CPU for a watched connection",
            unit: "× bpftrace",
            bar: Bar::AtMost(0.25),
            measured: against(Subject::Gdprport),
            left_out: 0,
            beside: micros(&[[Subject::Gdprport].as_slice(), &PEERS].concat()),
        },
        Budget {
            what: "the same, every event written",
            unit: "× bpftrace",
            bar: Bar::Shown,
            measured: against(Subject::Every),
            left_out: 0,
            beside: micros(&[Subject::Every]),
        },
    ]
}

fn beside(pair_runs: &PairRuns, others: &[Subject], of: impl Fn(&PairRun) -> Option<String>) -> String {
    let values = others.iter().filter_map(|other| {
        let value = of(pair_runs.of.get(other)?)?;
        Some(format!("{} {value}", other.name()))
    });
    values.collect::<Vec<_>>().join(", ")
}

/// Peers shown beside a budget of connections.
const PEERS: [Subject; 7] = [
    Subject::Hooks,
    Subject::Floor,
    Subject::Tcplife,
    Subject::Bpftrace,
    Subject::Ss,
    Subject::Conntrack,
    Subject::Auditd,
];

/// Shown beside a budget of the p50: in relation to no monitor, the product too.
const P50: [Subject; 9] = [
    Subject::Gdprport,
    Subject::Hooks,
    Subject::HooksNoSkb,
    Subject::Floor,
    Subject::Tcplife,
    Subject::Bpftrace,
    Subject::Ss,
    Subject::Conntrack,
    Subject::Auditd,
];

/// Whether it watches a veth pair too: `ss` and conntrack watch the namespace of the load on loopback alone, and auditd is measured
/// there.
const fn watches_veth(subject: Subject) -> bool {
    !matches!(subject, Subject::Ss | Subject::Conntrack | Subject::Auditd)
}

/// How much more than the hooks alone a connection may take, in relation to no monitor.
const ABOVE_WATCHED: f64 = 0.10;
const ABOVE_UNWATCHED: f64 = 0.01;

/// One of the two ports of pairs.
type OfPairs = fn(&Pairs) -> &Vec<Pair>;

impl Results {
    /// Every budget, in the order of the table.
    pub(crate) fn budgets(&self) -> Vec<Budget> {
        let mut budgets = self.connections();
        budgets.extend(self.completeness());
        budgets.extend(self.machine());
        budgets
    }

    fn connections(&self) -> Vec<Budget> {
        let own = self.pair_runs.of.get(&Subject::Gdprport);
        let against = |other: Subject, of: fn(&PairRun) -> &Vec<f64>| {
            Spread::of(&ratios(of(own?), of(self.pair_runs.of.get(&other)?)))
        };
        let micros = |of: fn(&PairRun) -> &Vec<f64>| {
            beside(&self.pair_runs, &PEERS, |pair_run| {
                Spread::of(of(pair_run)).map(|s| format!("{:.1} µs", s.median / 1e3))
            })
        };
        let (watched, unwatched): (OfPairs, OfPairs) = (|pairs| &pairs.watched, |pairs| &pairs.unwatched);
        let mut budgets = vec![
            self.p50("connect→accept→close, watched port, p50", Route::Lo, watched, ABOVE_WATCHED),
            self.p50("the same, unwatched port", Route::Lo, unwatched, ABOVE_UNWATCHED),
            self.p50("over a veth pair, watched port, p50", Route::Veth, watched, ABOVE_WATCHED),
            self.p50("over a veth pair, unwatched port", Route::Veth, unwatched, ABOVE_UNWATCHED),
            Budget {
                what: "kernel time of a watched connection",
                unit: "× tcplife",
                bar: Bar::AtMost(1.0 / 6.0),
                measured: against(Subject::Tcplife, |pair_run| &pair_run.kernel),
                left_out: 0,
                beside: micros(|pair_run| &pair_run.kernel),
            },
            Budget {
                what: "the same",
                unit: "× the floor",
                bar: Bar::AtMost(2.0),
                measured: against(Subject::Floor, |pair_run| &pair_run.kernel),
                left_out: 0,
                beside: "the floor writes one record and sees one end".into(),
            },
        ];
        budgets.extend(cpu(&self.pair_runs));
        budgets
    }

    /// The p50 of a connection above what the kernel needs to call the product's hooks at all: no program could be below
    /// that.
    fn p50(&self, what: &'static str, route: Route, of: OfPairs, most: f64) -> Budget {
        let pairs = |subject: Subject| {
            let pair_run = self.pair_runs.of.get(&subject);
            pair_run.map(|pair_run| of(pair_run.by(route)).as_slice()).unwrap_or_default()
        };
        let (above, left_out) = clean(&above(pairs(Subject::Gdprport), pairs(Subject::Hooks)));
        let shown: Vec<Subject> = match route {
            Route::Lo => P50.to_vec(),
            Route::Veth => P50.into_iter().filter(|subject| watches_veth(*subject)).collect(),
        };
        Budget {
            what,
            unit: "× no monitor more than the hooks alone",
            bar: Bar::AtMost(most),
            measured: Spread::of(&above),
            left_out,
            beside: beside(&self.pair_runs, &shown, |pair_run| {
                Spread::of(&clean(of(pair_run.by(route))).0).map(|s| format!("{:.2}", s.median))
            }),
        }
    }

    fn completeness(&self) -> Vec<Budget> {
        let lost = |of: fn(&Completeness) -> f64| {
            let own = self.completeness.get(&Subject::Gdprport);
            let others = self.completeness.iter().filter(|(subject, _)| **subject != Subject::Gdprport);
            let beside: Vec<String> = others
                .map(|(subject, completeness)| {
                    format!("{} {:.1} %", subject.name(), 100.0 * of(completeness))
                })
                .collect();
            (own.and_then(|own| Spread::of(&[100.0 * of(own)])), beside.join(", "))
        };
        // Who owns a connection shows where every event is written.
        let own = self.completeness.get(&Subject::Every);
        let named = |of: fn(&Completeness) -> u64| {
            let part = |completeness: &Completeness| {
                100.0 * of(completeness) as f64 / f64::from(self.effort.processes)
            };
            let mut beside = String::new();
            for (subject, completeness) in &self.completeness {
                if *subject != Subject::Every && subject.names_processes() {
                    beside.push_str(&format!("{} {:.1} %, ", subject.name(), part(completeness)));
                }
            }
            (own.and_then(|own| Spread::of(&[part(own)])), beside.trim_end_matches(", ").to_owned())
        };
        let budget =
            |what, bar, (measured, beside)| Budget { what, unit: "%", bar, measured, left_out: 0, beside };
        vec![
            budget("lost of 10,000 connections one by one", Bar::AtMost(0.0), lost(|a| a.one_by_one.lost())),
            budget("lost of 10,000, eight at a time", Bar::AtMost(0.0), lost(|a| a.crowd.lost())),
            budget("lost of 500 short-lived processes", Bar::AtMost(0.0), lost(|a| a.processes.lost())),
            budget("short-lived clients named rightly", Bar::AtLeast(100.0), named(|a| a.named.clients)),
            budget("their server named rightly", Bar::AtLeast(99.9), named(|a| a.named.server)),
        ]
    }

    fn machine(&self) -> Vec<Budget> {
        let own = self.completeness.get(&Subject::Gdprport);
        let resident: Vec<String> = self
            .completeness
            .iter()
            .filter(|(subject, _)| **subject != Subject::Gdprport)
            .map(|(subject, completeness)| format!("{} {:.0}", subject.name(), completeness.peak.mb()))
            .collect();
        let listing = Spread::of(&self.startup.listing).map_or(0.0, |s| s.median / 1e9);
        let cpu = Spread::of(&self.startup.cpu).map_or(f64::NAN, |s| s.median);
        let (watched, unwatched): (OfPairs, OfPairs) = (|pairs| &pairs.watched, |pairs| &pairs.unwatched);
        vec![
            Budget {
                what: "resident memory with everything on, at most",
                unit: "MB",
                bar: Bar::AtMost(40.0),
                measured: own.and_then(|own| Spread::of(&[own.peak.mb()])),
                left_out: 0,
                beside: resident.join(", "),
            },
            Budget {
                what: "start among 50,000 connections, all reported",
                unit: "× ss -tnap",
                bar: Bar::AtMost(0.25),
                measured: Spread::of(&self.startup.ratios),
                left_out: 0,
                beside: format!("CPU time {cpu:.2} ×; ss -tnap took {listing:.1} s"),
            },
            Budget {
                what: "encryption told after the deciding byte, p99",
                unit: "ms",
                bar: Bar::AtMost(100.0),
                measured: self
                    .report_latency
                    .and_then(|report_latency| Spread::of(&[report_latency.p99 / 1e6])),
                left_out: 0,
                beside: self.report_latency.map_or_else(String::new, |report_latency| {
                    format!("p50 {:.1} ms; the ring is looked at every 2 ms", report_latency.p50 / 1e6)
                }),
            },
            self.throughput("bulk throughput, watched port", Route::Lo, watched, 0.97),
            self.throughput("the same, unwatched port", Route::Lo, unwatched, 0.99),
            self.throughput("bulk over a veth pair, watched port", Route::Veth, watched, 0.97),
            self.throughput("bulk over a veth pair, unwatched port", Route::Veth, unwatched, 0.99),
        ]
    }

    fn throughput(&self, what: &'static str, route: Route, of: OfPairs, least: f64) -> Budget {
        let pairs = |subject: Subject| {
            self.bulk.get(&subject).map(|bulk| clean(of(bulk.by(route)))).unwrap_or_default()
        };
        let (own, left_out) = pairs(Subject::Gdprport);
        let hooks = Spread::of(&pairs(Subject::Hooks).0);
        Budget {
            what,
            unit: "× no monitor",
            bar: Bar::AtLeast(least),
            measured: Spread::of(&own),
            left_out,
            beside: hooks.map_or_else(String::new, |hooks| format!("hooks alone {:.3}", hooks.median)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Results {
        Results {
            effort: Effort::QUICK,
            database: Database::default(),
            pair_runs: PairRuns::default(),
            completeness: BTreeMap::new(),
            bulk: Bulk::default(),
            report_latency: None,
            startup: Startup::default(),
        }
    }

    #[test]
    fn a_budget_is_met_up_to_its_bar_and_no_further() {
        assert_eq!(Bar::AtMost(1.1).holds(1.1), Some(true));
        assert_eq!(Bar::AtMost(1.1).holds(1.1001), Some(false));
        assert_eq!(Bar::AtLeast(0.97).holds(0.97), Some(true));
        assert_eq!(Bar::AtLeast(0.97).holds(0.9699), Some(false));
    }

    #[test]
    fn a_value_that_was_not_measured_is_neither_met_nor_missed() {
        assert!(nothing().budgets().iter().all(|budget| budget.met().is_none()));
    }

    #[test]
    fn the_p50_is_judged_by_what_is_above_the_hooks_alone() {
        let run = |ratios: &[f64]| {
            let watched = ratios.iter().map(|ratio| Pair { ratio: *ratio, clean: true }).collect();
            PairRun { veth: Pairs { watched, ..Pairs::default() }, ..PairRun::default() }
        };
        let mut results = nothing();
        results.pair_runs.of =
            BTreeMap::from([(Subject::Gdprport, run(&[1.25, 1.75])), (Subject::Hooks, run(&[1.125, 1.5]))]);
        let budgets = results.budgets();
        let measured: Vec<(f64, Option<bool>)> =
            budgets.iter().filter_map(|budget| Some((budget.measured?.median, budget.met()))).collect();
        assert_eq!(measured, [(0.1875, Some(false))]);
        assert!(budgets[2].beside.starts_with("gdprport 1.50, hooks alone 1.31"), "{}", budgets[2].beside);
    }

    #[test]
    fn cpu_is_judged_by_default_and_shown_with_every_event() {
        let run = |cpu: &[f64]| PairRun { cpu: cpu.to_vec(), ..PairRun::default() };
        let of = BTreeMap::from([
            (Subject::Gdprport, run(&[1.0, 3.0])),
            (Subject::Every, run(&[8.0, 9.0])),
            (Subject::Bpftrace, run(&[8.0, 8.0])),
        ]);
        let [default, every] = cpu(&PairRuns { of, ..PairRuns::default() });
        assert_eq!(default.measured.map(|spread| (spread.median, spread.count)), Some((0.25, 2)));
        assert_eq!((default.met(), every.met()), (Some(true), None));
        assert!(every.measured.is_some());
    }
}
