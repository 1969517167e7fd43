//! Sockets that were there before the daemon, of whose end no record tells: hearing of it, and asking from
//! time to time how they stand. Flows whose update is due are asked about along with them.
//!
//! Does not belong here: finding them (`snapshot`).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::daemon::Daemon;
use super::snapshot::{Survey, progress};
use crate::host::clock::boottime_ns;
use crate::host::farewell::{Farewell, Farewells};
use crate::host::netns;
use crate::host::snapshot::{PollError, poll};
use crate::host::sockets::TcpSocket;
use gdprport_core::flow::{LastCounts, Progress};

/// How long after a socket was found missing its farewell may still come: on an idle host that takes some
/// ten milliseconds.
const FAREWELL_GRACE: Duration = Duration::from_secs(1);

/// What is kept about sockets from before, besides the flows and listeners themselves.
pub struct Before {
    /// Where their ends are heard of.
    pub farewells: Farewells,
    /// Inode number of the network namespace by socket cookie.
    homes: Arc<HashMap<u64, u64>>,
}

impl Before {
    /// Farewells will be sent as [`Survey::Farewells`].
    pub fn new(to: mpsc::Sender<Survey>) -> Self {
        let farewells = Farewells::new(move |heard| to.blocking_send(Survey::Farewells(heard)).is_ok());
        Self { farewells, homes: Arc::default() }
    }

    /// Notes in which namespaces sockets were found; forgotten when they are asked about no more.
    pub fn found_in(&mut self, homes: impl Iterator<Item = (u64, u64)>) {
        Arc::make_mut(&mut self.homes).extend(homes);
    }
}

/// What is asked about.
#[derive(Debug, Default)]
pub struct Asked {
    cookies: Arc<HashSet<u64>>,
    homes: Arc<HashMap<u64, u64>>,
    /// Flows to be reported.
    due: Vec<u64>,
}

/// How known flows stand.
#[derive(Debug, Default)]
pub struct Known {
    asked: Asked,
    sockets: HashMap<u64, TcpSocket>,
    /// Inode numbers of namespaces, each with whether its sockets were listed.
    listed: HashMap<u64, bool>,
    /// True if there may be namespaces that are not among these.
    hidden: bool,
}

/// Starts asking; the answer comes as [`Survey::Known`], after the farewells of those that are gone.
pub fn start_known(asked: Asked, to: mpsc::Sender<Survey>) {
    tokio::spawn(async move {
        let asking = tokio::task::spawn_blocking(move || ask(asked));
        let known = asking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "sockets from before were not asked about");
            Known::default()
        });
        if known.gone().next().is_some() {
            tokio::time::sleep(FAREWELL_GRACE).await;
        }
        let _ = to.send(Survey::Known(known)).await;
    });
}

fn ask(asked: Asked) -> Known {
    let namespaces = match netns::enumerate(Path::new("/proc")) {
        Ok(namespaces) => namespaces,
        Err(error) => {
            tracing::warn!(%error, "network namespaces cannot be listed");
            return Known { asked, hidden: true, ..Known::default() };
        }
    };
    let hidden = namespaces.not_allowed > 0 || namespaces.over_cap > 0;
    let mut known = Known { asked, hidden, ..Known::default() };
    for namespace in namespaces.found {
        let cookies = &known.asked.cookies;
        let listed = namespace
            .open()
            .map_err(PollError::from)
            .and_then(|ns| poll(&ns, |cookie| cookies.contains(&cookie)));
        let answered = match listed {
            Ok(found) => {
                known.sockets.extend(found.into_iter().map(|socket| (socket.cookie, socket)));
                true
            }
            // One that ended meanwhile has no sockets left.
            Err(PollError::Enter(netns::EnterError::Gone { .. })) => true,
            Err(error) => {
                tracing::debug!(%error, "sockets of a namespace are not known");
                false
            }
        };
        known.listed.insert(namespace.inode, answered);
    }
    known
}

impl Known {
    /// What was asked about and is proven not to be there.
    fn gone(&self) -> impl Iterator<Item = u64> {
        let all_listed = !self.hidden && self.listed.values().all(|listed| *listed);
        self.asked.cookies.iter().copied().filter(move |cookie| {
            // A namespace that is not among those of the host has ended, unless it is hidden.
            let home = self.asked.homes.get(cookie);
            let looked =
                home.map_or(all_listed, |home| self.listed.get(home).copied().unwrap_or(!self.hidden));
            looked && !self.sockets.contains_key(cookie)
        })
    }
}

impl Daemon {
    /// Takes what has to be asked about: flows and listeners of whose end no record will tell, and flows whose
    /// update is due. `None` if there is nothing to ask.
    #[must_use]
    pub fn take_questions(&mut self, before: &mut Before, now_ns: u64) -> Option<Asked> {
        let due = self.table.due_updates(now_ns);
        let found = self.table.iter().filter(|flow| flow.found).map(|flow| flow.cookie);
        let listeners = self.listeners.iter().filter(|listener| listener.found).map(|l| l.cookie);
        let attempts = self.table.attempts();
        let cookies: HashSet<u64> =
            found.chain(attempts).chain(listeners).chain(due.iter().copied()).collect();
        let cookies = Arc::new(cookies);
        before.farewells.keep(&cookies);
        Arc::make_mut(&mut before.homes).retain(|cookie, _| cookies.contains(cookie));
        let homes = Arc::clone(&before.homes);
        (!cookies.is_empty()).then_some(Asked { cookies, homes, due })
    }

    /// Takes in how known flows stand.
    pub(super) fn known(&mut self, known: &Known, now: Timestamp) {
        let now_ns = boottime_ns();
        for cookie in known.gone() {
            self.listener_ended(cookie, now);
        }
        self.with_table(now, |table, judge, out| {
            for cookie in known.gone() {
                // A flow whose end the kernel side tells is not ended here: its record is on the way.
                if table.get(cookie).is_some_and(|flow| flow.found) {
                    table.vanished(cookie, now_ns, judge, out);
                }
                table.attempt_ended(cookie, &LastCounts::default(), now_ns, judge, out);
            }
            for (cookie, socket) in &known.sockets {
                let Some(flow) = table.get(*cookie) else { continue };
                let progress = progress(&socket.counts, flow.direction);
                table.note(*cookie, progress);
            }
            for cookie in &known.asked.due {
                table.progress(*cookie, Progress::default(), judge, out);
            }
        });
    }

    /// Takes in ends of sockets from before. All records from before must have been taken in already.
    pub(super) fn farewells(&mut self, heard: &[Farewell], now: Timestamp) {
        for farewell in heard {
            self.listener_ended(farewell.cookie, now);
        }
        self.with_table(now, |table, judge, out| {
            for Farewell { cookie, time_ns, last } in heard {
                table.attempt_ended(*cookie, last, *time_ns, judge, out);
                let Some(flow) = table.get(*cookie).filter(|flow| flow.found) else { continue };
                table.farewell(*cookie, last.ending(flow.direction), *time_ns, judge, out);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(known: &Known) -> Vec<u64> {
        let mut gone: Vec<u64> = known.gone().collect();
        gone.sort_unstable();
        gone
    }

    /// Sockets 1, 2 and 3 are at home in namespaces 10, 20 and 30; 4 may be anywhere.
    fn asked() -> Asked {
        Asked {
            cookies: Arc::new([1, 2, 3, 4].into()),
            homes: Arc::new([(1, 10), (2, 20), (3, 30)].into()),
            due: Vec::new(),
        }
    }

    #[test]
    fn absence_proves_an_end_only_where_it_was_looked() {
        let mut known = Known { asked: asked(), ..Known::default() };
        known.listed = [(10, true), (20, false)].into();
        assert_eq!(gone(&known), [1, 3], "20 did not answer, 30 ended with its sockets");
        known.hidden = true;
        assert_eq!(gone(&known), [1], "30 may be hidden");
        known.listed.insert(30, true);
        assert_eq!(gone(&known), [1, 3]);
        known = Known { listed: [(10, true), (20, true)].into(), ..known };
        known.hidden = false;
        assert_eq!(gone(&known), [1, 2, 3, 4]);
    }
}
