//! What of made-up ports is found, and what is found that is none.

use std::collections::BTreeMap;

use super::ports::{Added, HOURS, JUDGED, Kind, Port};
use crate::anomaly::{Episode, Hour, Judgement, Moved, Rule, Watched, judge};

/// What was found and what was not.
#[derive(Debug, Default, Clone)]
pub(super) struct Score {
    /// Of what was added: how many were found, of how many.
    pub(super) found: BTreeMap<Added, (u32, u32)>,
    /// By kind: findings that nothing was added for, in how many months.
    pub(super) wrong: BTreeMap<Kind, (u32, f64)>,
    /// Of one port: the most false findings in its whole time.
    pub(super) worst: u32,
}

impl Score {
    /// Of so many ports of each kind, half of which have something added.
    pub(super) fn of(rule: &Rule, seed: u64, ports: u64) -> Self {
        let mut score = Self::default();
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            for port in 0..ports {
                let seed = seed.wrapping_mul(1_000_003).wrapping_add(at as u64 * 10_007 + port);
                let added = (port % 2 == 0)
                    .then(|| Added::ALL[usize::try_from(port / 2).unwrap_or(0) % Added::ALL.len()]);
                score.take(kind, &Port::new(kind, seed, added), rule);
            }
        }
        score
    }

    fn take(&mut self, kind: Kind, port: &Port, rule: &Rule) {
        let episodes = episodes(port, rule);
        let overlaps = |episode: &Episode, from: i64, hours: i64| {
            let mut unusual = episode.unusual.iter();
            unusual.any(|unusual| (from..from + hours).contains(&unusual.hour.since(BEGIN)))
        };
        for (added, from, hours) in &port.added {
            let (found, of) = self.found.entry(*added).or_default();
            *found += u32::from(episodes.iter().any(|episode| overlaps(episode, *from, *hours)));
            *of += 1;
        }
        let is_wrong =
            |episode: &&Episode| !port.added.iter().any(|(_, from, hours)| overlaps(episode, *from, *hours));
        let wrong = u32::try_from(episodes.iter().filter(is_wrong).count()).expect("few");
        let (sum, months) = self.wrong.entry(kind).or_default();
        *sum += wrong;
        *months += JUDGED as f64 * 7.0 / 30.0;
        self.worst = self.worst.max(wrong);
    }

    /// Found of all that was added of this.
    pub(super) fn recall(&self, of: &[Added]) -> f64 {
        let counts = || of.iter().filter_map(|added| self.found.get(added));
        let (found, all): (u32, u32) = (counts().map(|of| of.0).sum(), counts().map(|of| of.1).sum());
        f64::from(found) / f64::from(all)
    }

    /// Of all findings those that something was added for.
    pub(super) fn precision(&self) -> f64 {
        let found: u32 = self.found.values().map(|(found, _)| found).sum();
        let wrong: u32 = self.wrong.values().map(|(wrong, _)| wrong).sum();
        f64::from(found) / f64::from(found + wrong)
    }

    /// False findings for one port and month.
    pub(super) fn wrong_each_month(&self) -> f64 {
        let (wrong, months) = self.wrong.values().fold((0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        f64::from(wrong) / months
    }
}

impl Score {
    /// The figures as a page shows them.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for (added, (found, of)) in &self.found {
            text.push_str(&format!("{added:?}: {found} of {of}\n"));
        }
        for (kind, (wrong, months)) in &self.wrong {
            text.push_str(&format!(
                "{kind:?}: {wrong} in {months:.0} months, {:.2} each\n",
                f64::from(*wrong) / months
            ));
        }
        text.push_str(&format!(
            "precision {:.2}, {:.3} a month, worst {}",
            self.precision(),
            self.wrong_each_month(),
            self.worst
        ));
        text
    }
}

/// 2026-01-05, a Monday, as hours since 1970.
const BEGIN: Hour = Hour::of_1970(491_016);

/// Everything that is found in the whole time of a port, as audits of each week would.
fn episodes(port: &Port, rule: &Rule) -> Vec<Episode> {
    let hour = |at: usize| BEGIN.plus(i64::try_from(at).expect("few"));
    let end = BEGIN.plus(HOURS);
    let whole = port.watched.iter().enumerate().filter(|(_, whole)| **whole).map(|(at, _)| hour(at));
    let watched = Watched::new(whole, end);
    let moved = |amounts: &[u64]| {
        Moved::new(
            amounts.iter().enumerate().map(|(at, amount)| (hour(at), *amount)).collect::<Vec<_>>(),
            end,
        )
    };
    let (sent, received, connections) = (moved(&port.sent), moved(&port.received), moved(&port.connections));
    let begin = [&sent, &received, &connections].iter().filter_map(|of| of.first()).min().unwrap_or(end);
    let measures =
        [(&sent, rule.least_bytes), (&received, rule.least_bytes), (&connections, rule.least_connections)];
    match judge(rule, &watched, begin, &measures, BEGIN) {
        Judgement::Judged(episodes) => episodes,
        Judgement::Learning(_) => Vec::new(),
    }
}
