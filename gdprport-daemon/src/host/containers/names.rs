//! The names of containers, as far as they are known: what the loop asks, and what the lanes have replied.
//!
//! Belongs here: when a container is looked up, which reply counts, and for how long. Nothing here waits.
//!
//! - The creation of a container's cgroup starts its look-up, or the first process that is seen in it.
//! - What nobody but root can have written counts at once. Another's word counts when root's state has nothing.
//! - The first reading counts for the container's life. What changes later is counted and logged.

use std::collections::VecDeque;
use std::sync::Arc;

use gdprport_core::container::ShownLabels;
use gdprport_core::counters::ContainerCounters;
use gdprport_core::model::{Container, Names, Naming};
use tokio::sync::Notify;

use super::key::{Directory, Key, Lane};
use super::lane::{Answer, Job, Report};
use super::look::Looker;
use super::places::Places;
use super::threads::{LookIn, Threads};
use crate::host::cache::Generations;

/// Containers kept that root has made, of which at least half are those last used: 5,000 on one host are known; about 1 KB
/// each.
const CAP: usize = 16_384;

/// Containers kept that users have: what one of them makes up drives out no container of root's.
const CLAIMED_CAP: usize = 1024;

/// After this an unknown container is looked up once more: its runtime may have been restarting.
const AGAIN_NS: u64 = 60_000_000_000;

/// After this a known container that is in use is read again, to see whether it was renamed. 5,000 containers take half a
/// second of a thread's time for that.
const RECHECK_NS: u64 = 300_000_000_000;

#[derive(Debug)]
struct Entry {
    naming: Naming,
    /// Which look-up the lanes are to reply to.
    round: u64,
    directory: Option<Directory>,
    /// Somebody got a naming that was not final.
    missed: bool,
    /// Of [`Naming::Unknown`]: since when, and whether it was looked up once more.
    ended_ns: u64,
    exhausted: bool,
    waiting: Vec<(Lane, Stage)>,
    /// What another's word is, until root's state has nothing.
    held: Option<Arc<Names>>,
    /// What was read last, if it differs from what counts.
    renamed: Option<Arc<Names>>,
    /// What counted when it was last started.
    before: Option<Arc<Names>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    Tried,
    Done,
}

#[derive(Debug)]
struct Due {
    at_ns: u64,
    key: Key,
    round: u64,
}

/// Names of containers.
#[derive(Debug)]
pub(in crate::host) struct ContainerNames {
    /// `None`: nothing is looked up.
    threads: Option<Threads>,
    places: Vec<Lane>,
    of_root: Generations<Key, Entry>,
    claimed: Generations<Key, Entry>,
    rounds: u64,
    again: VecDeque<Due>,
    recheck: VecDeque<Due>,
    late_arrived: bool,
    wake: Arc<Notify>,
    counters: ContainerCounters,
}

impl ContainerNames {
    /// Names by the state of this host's runtimes.
    pub(in crate::host) fn new(places: &Places, shown: &ShownLabels) -> Self {
        let (state, shown) = (places.state.clone(), shown.clone());
        let look_in: LookIn = Arc::new(move |lane| {
            let mut looker = Looker::new(lane, state.clone(), shown.clone());
            Box::new(move |key| looker.look(key))
        });
        let lanes = places.state.iter().map(|base| Lane::Place(Arc::new(base.clone())));
        Self::with(places.lookup.then_some(look_in), lanes.collect())
    }

    /// No names: every container's are unknown.
    pub(in crate::host) fn none() -> Self {
        Self::with(None, Vec::new())
    }

    fn with(look_in: Option<LookIn>, places: Vec<Lane>) -> Self {
        let wake: Arc<Notify> = Arc::default();
        Self {
            threads: look_in.map(|look_in| Threads::new(look_in, Arc::clone(&wake))),
            places,
            of_root: Generations::new(CAP),
            claimed: Generations::new(CLAIMED_CAP),
            rounds: 0,
            again: VecDeque::new(),
            recheck: VecDeque::new(),
            late_arrived: false,
            wake,
            counters: ContainerCounters::default(),
        }
    }

    /// Is notified when replies have come.
    pub(in crate::host) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// A directory was made that is a container's own.
    pub(in crate::host) fn created(&mut self, container: &Container, directory: Directory, now_ns: u64) {
        let key = Key::of(container);
        if let Some(entry) = self.entry(&key) {
            match entry.directory {
                None => {
                    entry.directory = Some(directory);
                    return;
                }
                // Of cgroup v1, where it has one in each hierarchy.
                Some(known) if known.hierarchy != directory.hierarchy || known == directory => return,
                // The id was given again, or the container was started again.
                Some(_) => {}
            }
        }
        self.begin(&key, Some(directory), now_ns);
    }

    /// How the names of a container are known now.
    pub(in crate::host) fn naming(&mut self, container: &Container, now_ns: u64) -> Naming {
        if self.threads.is_none() {
            return Naming::Unknown;
        }
        self.collect(now_ns);
        let key = Key::of(container);
        if self.entry(&key).is_none() {
            self.begin(&key, None, now_ns);
        }
        let Some(entry) = self.entry(&key) else { return Naming::Unknown };
        entry.missed |= !matches!(entry.naming, Naming::Known(_));
        let naming = entry.naming.clone();
        // When nobody was interested before, the second time comes with the first who is.
        if naming == Naming::Unknown && !entry.exhausted && now_ns.saturating_sub(entry.ended_ns) >= AGAIN_NS
        {
            self.ask_again(&key, now_ns);
        }
        naming
    }

    fn ask_again(&mut self, key: &Key, now_ns: u64) {
        let Some(entry) = self.entry(key) else { return };
        entry.exhausted = true;
        let round = entry.round;
        self.ask(key, round, false, now_ns);
    }

    /// True if, since the last call, names have become known, or known to be unknown, that somebody had to go without.
    pub(in crate::host) fn late_names_arrived(&mut self, now_ns: u64) -> bool {
        self.collect(now_ns);
        std::mem::take(&mut self.late_arrived)
    }

    /// What is done about once a second: looking again, and ending threads that have nothing to do.
    pub(in crate::host) fn tick(&mut self, now_ns: u64) {
        self.collect(now_ns);
        if let Some(threads) = &mut self.threads {
            threads.end_idle(now_ns);
        }
        while let Some(due) = self.again.pop_front_if(|due| due.at_ns <= now_ns) {
            let unknown = |entry: &&mut Entry| {
                entry.round == due.round
                    && entry.naming == Naming::Unknown
                    && entry.missed
                    && !entry.exhausted
            };
            if self.entry(&due.key).filter(unknown).is_some() {
                self.ask_again(&due.key, now_ns);
            }
        }
        while let Some(due) = self.recheck.pop_front_if(|due| due.at_ns <= now_ns) {
            let in_use = |entry: &&mut Entry| {
                // Held by this entry alone, no flow and no process shows them.
                let shown = matches!(&entry.naming, Naming::Known(names) if Arc::strong_count(names) > 1);
                entry.round == due.round && shown
            };
            if self.entry(&due.key).filter(in_use).is_some() {
                self.ask(&due.key, due.round, false, now_ns);
                self.recheck.push_back(Due { at_ns: now_ns + RECHECK_NS, ..due });
            }
        }
    }

    /// How containers were looked up.
    pub(in crate::host) fn counters(&self, now_ns: u64) -> ContainerCounters {
        let stuck = self.threads.as_ref().map_or(0, |threads| threads.stuck(now_ns)) as u64;
        ContainerCounters { stuck, ..self.counters }
    }

    fn entry(&mut self, key: &Key) -> Option<&mut Entry> {
        if key.claimed_by.is_none() { self.of_root.get(key) } else { self.claimed.get(key) }
    }

    fn begin(&mut self, key: &Key, directory: Option<Directory>, now_ns: u64) {
        if self.threads.is_none() {
            return;
        }
        self.rounds += 1;
        let round = self.rounds;
        self.counters.looked_up += 1;
        let before = self.entry(key).and_then(|entry| match &entry.naming {
            Naming::Known(names) => Some(Arc::clone(names)),
            Naming::Pending | Naming::Unknown => entry.before.take(),
        });
        let entry = Entry {
            naming: Naming::Pending,
            round,
            directory,
            missed: false,
            ended_ns: 0,
            exhausted: false,
            waiting: Vec::new(),
            held: None,
            renamed: None,
            before,
        };
        let of = if key.claimed_by.is_none() { &mut self.of_root } else { &mut self.claimed };
        of.insert(key.clone(), entry);
        self.ask(key, round, true, now_ns);
        self.conclude(key, now_ns);
    }

    /// Gives a container to every lane that may know it.
    fn ask(&mut self, key: &Key, round: u64, insist: bool, now_ns: u64) {
        let own = match key.claimed_by {
            None => Some(Lane::Root),
            Some(u32::MAX) => None,
            Some(uid) => Some(Lane::User(uid)),
        };
        let lanes: Vec<Lane> = own.into_iter().chain(self.places.iter().cloned()).collect();
        let mut dropped = false;
        let mut waiting = Vec::new();
        for lane in lanes {
            let job = Job { key: key.clone(), round, insist };
            if self.threads.as_mut().is_some_and(|threads| threads.send(&lane, job, now_ns)) {
                waiting.push((lane, Stage::Asked));
            } else {
                dropped = true;
            }
        }
        self.counters.dropped += u64::from(dropped);
        if let Some(entry) = self.entry(key) {
            entry.waiting = waiting;
        }
    }

    fn collect(&mut self, now_ns: u64) {
        while let Some(report) = self.threads.as_mut().and_then(|threads| threads.next_report(now_ns)) {
            self.take(report, now_ns);
        }
    }

    fn take(&mut self, report: Report, now_ns: u64) {
        let Report { lane, key, round, answer } = report;
        let Some(entry) = self.entry(&key).filter(|entry| entry.round == round) else { return };
        let stage = if matches!(answer, Answer::NotYet) { Stage::Tried } else { Stage::Done };
        for (of, now) in &mut entry.waiting {
            if *of == lane {
                *now = stage;
            }
        }
        if let Answer::Found(names) = answer {
            let better =
                entry.held.as_ref().is_none_or(|held| held.stated_by.uid != 0 && names.stated_by.uid == 0);
            if better {
                entry.held = Some(names);
            }
        }
        self.conclude(&key, now_ns);
    }

    /// Decides by what the lanes have said so far, if that is enough.
    fn conclude(&mut self, key: &Key, now_ns: u64) {
        let Some(entry) = self.entry(key) else { return };
        let all_tried = entry.waiting.iter().all(|(_, stage)| *stage != Stage::Asked);
        let all_done = entry.waiting.iter().all(|(_, stage)| *stage == Stage::Done);
        let found = entry.held.take_if(|names| names.stated_by.uid == 0 || all_tried);
        let round = entry.round;
        let wanted = std::mem::take(&mut entry.missed);
        match (&entry.naming, found) {
            (Naming::Known(known), Some(found)) => {
                if *known != found && entry.renamed.as_ref() != Some(&found) {
                    let was = Arc::clone(known);
                    entry.renamed = Some(Arc::clone(&found));
                    self.renamed(key, &was, &found, "it keeps the names that it began with");
                }
            }
            (Naming::Pending | Naming::Unknown, Some(found)) => {
                let was_unknown = entry.naming == Naming::Unknown;
                entry.naming = Naming::Known(Arc::clone(&found));
                let before = entry.before.take().filter(|before| *before != found);
                self.late_arrived |= wanted;
                self.counters.unknown -= u64::from(was_unknown);
                self.counters.known += 1;
                // What users make up is looked at again only as long as that does not crowd out the rest.
                if key.claimed_by.is_none() || self.recheck.len() < CAP {
                    self.recheck.push_back(Due { at_ns: now_ns + RECHECK_NS, key: key.clone(), round });
                }
                if let Some(before) = before {
                    self.renamed(key, &before, &found, "it has these since it was started again");
                }
            }
            (Naming::Pending, None) if all_done => {
                entry.naming = Naming::Unknown;
                entry.missed = wanted;
                entry.ended_ns = now_ns;
                self.late_arrived |= wanted;
                self.counters.unknown += 1;
                self.again.push_back(Due { at_ns: now_ns + AGAIN_NS, key: key.clone(), round });
            }
            (_, None) => entry.missed = wanted,
        }
        for due in [&mut self.again, &mut self.recheck] {
            while due.len() > 2 * CAP {
                due.pop_front();
            }
        }
    }

    fn renamed(&mut self, key: &Key, was: &Names, now: &Names, what: &str) {
        self.counters.renamed += 1;
        // As text of somebody else: quoted and escaped.
        tracing::warn!(
            id = ?key.id, was = ?was.name, was_image = ?was.image, now = ?now.name, now_image = ?now.image,
            "the names of a container have changed; {what}"
        );
    }
}

#[cfg(test)]
mod tests;
