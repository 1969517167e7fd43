//! Polling known sockets: which are still there, and what they counted.
//!
//! Belongs here: the question and what its reply proves. Does not belong here: finding sockets that are not known
//! (`adopt`).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::app::monitor::Polled;
use crate::host::listing::{PollError, poll};
use crate::host::netns;
use crate::host::sockets::TcpSocket;

/// The sockets to poll.
#[derive(Debug, Default)]
pub(super) struct PollRequest {
    pub cookies: Arc<HashSet<u64>>,
    /// Inode number of the network namespace by cookie, where it is known.
    pub homes: Arc<HashMap<u64, u64>>,
    /// Cookies of flows to be reported.
    pub due: Vec<u64>,
}

/// What polling found.
#[derive(Debug, Default)]
pub(crate) struct PollResult {
    request: PollRequest,
    sockets: HashMap<u64, TcpSocket>,
    /// Inode numbers of namespaces, each with whether its sockets were listed.
    listed: HashMap<u64, bool>,
    /// True if there may be namespaces that are not among these.
    hidden: bool,
}

/// Polls every network namespace. Blocks.
pub(super) fn poll_host(request: PollRequest) -> PollResult {
    let namespaces = match netns::enumerate(Path::new("/proc")) {
        Ok(namespaces) => namespaces,
        Err(error) => {
            tracing::warn!(%error, "network namespaces cannot be listed");
            return PollResult { request, hidden: true, ..PollResult::default() };
        }
    };
    let hidden = namespaces.not_allowed > 0 || namespaces.over_cap > 0;
    let mut result = PollResult { request, hidden, ..PollResult::default() };
    for namespace in namespaces.found {
        let cookies = &result.request.cookies;
        let listed = namespace
            .open()
            .map_err(PollError::from)
            .and_then(|ns| poll(&ns, |cookie| cookies.contains(&cookie)));
        let was_listed = match listed {
            Ok(found) => {
                result.sockets.extend(found.into_iter().map(|socket| (socket.cookie, socket)));
                true
            }
            // One that ended meanwhile has no sockets left.
            Err(PollError::Enter(netns::EnterError::Gone { .. })) => true,
            Err(error) => {
                tracing::debug!(%error, "sockets of a namespace are not known");
                false
            }
        };
        result.listed.insert(namespace.inode, was_listed);
    }
    result
}

impl PollResult {
    /// Sockets of the request that are proven to be gone.
    pub(crate) fn gone(&self) -> impl Iterator<Item = u64> {
        let all_listed = !self.hidden && self.listed.values().all(|listed| *listed);
        self.request.cookies.iter().copied().filter(move |cookie| {
            // A namespace that is not among those of the host has ended, unless it is hidden.
            let home = self.request.homes.get(cookie);
            let looked =
                home.map_or(all_listed, |home| self.listed.get(home).copied().unwrap_or(!self.hidden));
            looked && !self.sockets.contains_key(cookie)
        })
    }

    /// What the monitor makes of it, as of this boottime in ns.
    #[must_use]
    pub(crate) fn into_polled(self, at_ns: u64) -> Polled {
        let gone = self.gone().collect();
        let counts = self.sockets.into_iter().map(|(cookie, socket)| (cookie, socket.counts)).collect();
        Polled { gone, counts, due: self.request.due, at_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(result: &PollResult) -> Vec<u64> {
        let mut gone: Vec<u64> = result.gone().collect();
        gone.sort_unstable();
        gone
    }

    /// Sockets 1, 2 and 3 are at home in namespaces 10, 20 and 30; 4 may be anywhere.
    fn request() -> PollRequest {
        PollRequest {
            cookies: Arc::new([1, 2, 3, 4].into()),
            homes: Arc::new([(1, 10), (2, 20), (3, 30)].into()),
            due: Vec::new(),
        }
    }

    #[test]
    fn absence_proves_an_end_only_where_sockets_were_listed() {
        let mut result = PollResult { request: request(), ..PollResult::default() };
        result.listed = [(10, true), (20, false)].into();
        assert_eq!(gone(&result), [1, 3], "20 did not answer, 30 ended with its sockets");
        result.hidden = true;
        assert_eq!(gone(&result), [1], "30 may be hidden");
        result.listed.insert(30, true);
        assert_eq!(gone(&result), [1, 3]);
        result = PollResult { listed: [(10, true), (20, true)].into(), ..result };
        result.hidden = false;
        assert_eq!(gone(&result), [1, 2, 3, 4]);
    }
}
