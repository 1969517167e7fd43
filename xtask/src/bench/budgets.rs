//! The budgets: each with its bar, what was measured, and whether it is met. Pure.

use std::collections::BTreeMap;

use super::bulk::{Bulk, Throughput};
use super::cycles::{Course, Courses};
use super::effort::Effort;
use super::loss::Account;
use super::startup::Startup;
use super::stats::{Pair, Spread, clean, ratios};
use super::subject::Subject;
use super::telling::Telling;

/// Everything that was measured.
#[derive(Debug)]
pub struct Results {
    /// How much of it.
    pub effort: Effort,
    /// Pairs, kernel time and CPU.
    pub courses: Courses,
    /// Losses, names and memory.
    pub accounts: BTreeMap<Subject, Account>,
    /// Throughput.
    pub bulk: Bulk,
    /// From a deciding byte to its event, where that was measured.
    pub telling: Option<Telling>,
    /// Starting among many connections.
    pub startup: Startup,
}

/// What a measured value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Bar {
    /// Whether a value is as it has to be.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

/// One budget.
#[derive(Debug)]
pub struct Budget {
    /// What it is about.
    pub what: &'static str,
    /// In relation to what, or in which unit.
    pub unit: &'static str,
    /// What it has to be.
    pub bar: Bar,
    /// What it is; none if it could not be measured here.
    pub measured: Option<Spread>,
    /// Pairs that somebody else's monitors disturbed, left out.
    pub left_out: usize,
    /// The same of others, or what it hangs on.
    pub beside: String,
}

impl Budget {
    /// Whether it is met; none if it could not be measured.
    pub fn met(&self) -> Option<bool> {
        self.measured.map(|measured| self.bar.holds(measured.median))
    }
}

/// Peers that are named beside a budget about connections.
const PEERS: [Subject; 7] = [
    Subject::Hooks,
    Subject::Floor,
    Subject::Tcplife,
    Subject::Bpftrace,
    Subject::Ss,
    Subject::Conntrack,
    Subject::Auditd,
];

/// What the kernel takes for the product's hooks alone, with those of packets and without.
const HOOKS: [Subject; 2] = [Subject::Hooks, Subject::HooksNoSkb];

impl Results {
    /// Every budget, in the order of the table.
    pub fn budgets(&self) -> Vec<Budget> {
        let mut budgets = self.connections();
        budgets.extend(self.completeness());
        budgets.extend(self.machine());
        budgets
    }

    fn connections(&self) -> Vec<Budget> {
        let own = self.courses.of.get(&Subject::Gdprport);
        let pairs = |of: fn(&Course) -> &Vec<Pair>| own.map(|course| clean(of(course))).unwrap_or_default();
        let against = |other: Subject, of: fn(&Course) -> &Vec<f64>| {
            Spread::of(&ratios(of(own?), of(self.courses.of.get(&other)?)))
        };
        let micros = |of: fn(&Course) -> &Vec<f64>| {
            self.beside(&PEERS, |course| Spread::of(of(course)).map(|s| format!("{:.1} µs", s.median / 1e3)))
        };
        let ratio = |of: &[Subject], pairs: fn(&Course) -> &Vec<Pair>| {
            self.beside(of, |course| Spread::of(&clean(pairs(course)).0).map(|s| format!("{:.2}", s.median)))
        };
        let (watched, watched_out) = pairs(|course| &course.watched);
        let (unwatched, unwatched_out) = pairs(|course| &course.unwatched);
        vec![
            Budget {
                what: "connect→accept→close, watched port, p50",
                unit: "× no monitor",
                bar: Bar::AtMost(1.10),
                measured: Spread::of(&watched),
                left_out: watched_out,
                beside: ratio(&PEERS, |course| &course.watched),
            },
            Budget {
                what: "the same, unwatched port",
                unit: "× no monitor",
                bar: Bar::AtMost(1.02),
                measured: Spread::of(&unwatched),
                left_out: unwatched_out,
                beside: ratio(&HOOKS, |course| &course.unwatched),
            },
            Budget {
                what: "kernel time of a watched connection",
                unit: "× tcplife",
                bar: Bar::AtMost(1.0 / 6.0),
                measured: against(Subject::Tcplife, |course| &course.kernel),
                left_out: 0,
                beside: micros(|course| &course.kernel),
            },
            Budget {
                what: "the same",
                unit: "× the floor",
                bar: Bar::AtMost(2.0),
                measured: against(Subject::Floor, |course| &course.kernel),
                left_out: 0,
                beside: "the floor writes one record and sees one end".into(),
            },
            Budget {
                what: "daemon's CPU for a watched connection",
                unit: "× bpftrace",
                bar: Bar::AtMost(1.0 / 3.0),
                measured: against(Subject::Bpftrace, |course| &course.cpu),
                left_out: 0,
                beside: micros(|course| &course.cpu),
            },
        ]
    }

    fn completeness(&self) -> Vec<Budget> {
        let own = self.accounts.get(&Subject::Gdprport);
        let lost = |of: fn(&Account) -> f64| {
            let mut beside = String::new();
            for (subject, account) in &self.accounts {
                if *subject != Subject::Gdprport {
                    beside.push_str(&format!("{} {:.1} %, ", subject.name(), 100.0 * of(account)));
                }
            }
            (own.and_then(|own| Spread::of(&[100.0 * of(own)])), beside.trim_end_matches(", ").to_owned())
        };
        let named = |of: fn(&Account) -> u64| {
            let part = |account: &Account| 100.0 * of(account) as f64 / f64::from(self.effort.processes);
            let mut beside = String::new();
            for (subject, account) in &self.accounts {
                if *subject != Subject::Gdprport && subject.names_processes() {
                    beside.push_str(&format!("{} {:.1} %, ", subject.name(), part(account)));
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
        let own = self.accounts.get(&Subject::Gdprport);
        let resident: Vec<String> = self
            .accounts
            .iter()
            .filter(|(subject, _)| **subject != Subject::Gdprport)
            .map(|(subject, account)| format!("{} {:.0}", subject.name(), account.memory.mib()))
            .collect();
        let peak = own.map_or(f64::NAN, |own| own.peak.mib());
        let bulk = |subject: Subject, of: fn(&Throughput) -> &Vec<Pair>| {
            self.bulk.get(&subject).map(|bulk| clean(of(bulk))).unwrap_or_default()
        };
        let hooks = |of: fn(&Throughput) -> &Vec<Pair>| {
            let told = Spread::of(&bulk(Subject::Hooks, of).0);
            told.map_or_else(String::new, |spread| format!("hooks alone {:.3}", spread.median))
        };
        let (watched, watched_out) = bulk(Subject::Gdprport, |bulk| &bulk.watched);
        let (unwatched, unwatched_out) = bulk(Subject::Gdprport, |bulk| &bulk.unwatched);
        let listing = Spread::of(&self.startup.listing).map_or(0.0, |s| s.median / 1e9);
        let cpu = Spread::of(&self.startup.cpu).map_or(f64::NAN, |s| s.median);
        vec![
            Budget {
                what: "resident memory after 10,000 connections",
                unit: "MiB",
                bar: Bar::AtMost(26.0),
                measured: own.and_then(|own| Spread::of(&[own.memory.mib()])),
                left_out: 0,
                beside: format!("{peak:.1} after eight at a time; {}", resident.join(", ")),
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
                measured: self.telling.and_then(|telling| Spread::of(&[telling.p99 / 1e6])),
                left_out: 0,
                beside: self.telling.map_or_else(String::new, |telling| {
                    format!("p50 {:.1} ms; the ring is looked at every 2 ms", telling.p50 / 1e6)
                }),
            },
            Budget {
                what: "bulk throughput, watched port",
                unit: "× no monitor",
                bar: Bar::AtLeast(0.97),
                measured: Spread::of(&watched),
                left_out: watched_out,
                beside: hooks(|bulk| &bulk.watched),
            },
            Budget {
                what: "the same, unwatched port",
                unit: "× no monitor",
                bar: Bar::AtLeast(0.99),
                measured: Spread::of(&unwatched),
                left_out: unwatched_out,
                beside: hooks(|bulk| &bulk.unwatched),
            },
        ]
    }

    fn beside(&self, others: &[Subject], of: impl Fn(&Course) -> Option<String>) -> String {
        let told = others.iter().filter_map(|other| {
            let value = of(self.courses.of.get(other)?)?;
            Some(format!("{} {value}", other.name()))
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_up_to_its_bar_and_no_further() {
        assert!(Bar::AtMost(1.1).holds(1.1));
        assert!(!Bar::AtMost(1.1).holds(1.1001));
        assert!(Bar::AtLeast(0.97).holds(0.97));
        assert!(!Bar::AtLeast(0.97).holds(0.9699));
    }

    #[test]
    fn what_could_not_be_measured_is_neither_met_nor_missed() {
        let results = Results {
            effort: Effort::QUICK,
            courses: Courses::default(),
            accounts: BTreeMap::new(),
            bulk: Bulk::default(),
            telling: None,
            startup: Startup::default(),
        };
        assert!(results.budgets().iter().all(|budget| budget.met().is_none()));
    }
}
