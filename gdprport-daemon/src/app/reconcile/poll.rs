//! Looking at the host for known sockets: which are still there, what they counted, and what is there besides.
//!
//! Belongs here: the two looks and what they prove. Does not belong here: what is asked (`question`), and taking in
//! sockets that are not known (`adopt`).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::question::{Asked, Question};
use crate::app::monitor::Polled;
use crate::host::netns;
use crate::host::sockets::{TcpSocket, look};
use crate::host::unseen::Unseen;

/// Time between the two looks. What ends between two steps of the kernel's list is settled by then, and a destroy notice,
/// which knows more about the end, has come: on an idle host that takes some ten milliseconds.
const BETWEEN: Duration = Duration::from_secs(1);

/// What was found out about a question.
#[derive(Debug, Default)]
pub(crate) struct PollResult {
    question: Question,
    first: Round,
    /// The second look; `None` if the first one left nothing open.
    second: Option<Round>,
    /// Processes among those asked about that are there.
    alive: HashSet<u32>,
    /// The processor time that the looks took.
    pub(super) cost: Duration,
}

/// One look at the whole host.
#[derive(Debug, Default)]
struct Round {
    /// Of each socket asked about, whether it was seen.
    present: Vec<bool>,
    /// Those whose counts are wanted, and those that were not asked about.
    sockets: Vec<TcpSocket>,
    /// Network namespaces by inode number and by cookie, each with whether all of its sockets were listed.
    listed: HashMap<u64, bool>,
    listed_cookies: HashMap<u64, bool>,
    unseen: Unseen,
    cost: Duration,
}

/// Looks, and looks again if something is missing or not known. Blocks for a second then.
pub(super) fn poll_host(question: Question) -> PollResult {
    let first = Round::take(&question);
    let mut result = PollResult { question, first, ..PollResult::default() };
    let missing = |(asked, present): (&Asked, &bool)| asked.judged && !present;
    let asked = &result.question;
    let open = asked.sockets.iter().zip(&result.first.present).any(missing)
        || result.first.unknown(asked).next().is_some();
    if open {
        std::thread::sleep(BETWEEN);
        result.second = Some(Round::take(asked));
    }
    result.cost = result.first.cost + result.second.as_ref().map_or(Duration::ZERO, |second| second.cost);
    result.alive = result
        .missing()
        .filter(|asked| asked.pid != 0 && Path::new("/proc").join(asked.pid.to_string()).exists())
        .map(|asked| asked.pid)
        .collect();
    result
}

impl Round {
    fn take(question: &Question) -> Self {
        let begun = thread_time();
        let inside = Mutex::new(Duration::ZERO);
        let present = Mutex::new(vec![false; question.sockets.len()]);
        let scan = || {
            let begun = thread_time();
            let mut present = present.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = |head: &crate::host::sockets::Head| match question.place(head.cookie) {
                Some(at) => {
                    present[at] = true;
                    question.sockets[at].counted
                }
                None => question.search.as_ref().is_some_and(|ports| head.is_on(ports)),
            };
            let looked = look(wanted, |cookie| question.place(cookie).is_some());
            *inside.lock().unwrap_or_else(PoisonError::into_inner) += thread_time().saturating_sub(begun);
            (looked, netns::current_cookie())
        };
        let mut round = Self::default();
        let visited = netns::visit(Path::new("/proc"), scan, |ns, (look, cookie)| {
            let whole = match look {
                Ok(look) => {
                    round.unseen.sockets += look.missing;
                    round.sockets.extend(look.sockets);
                    look.missing == 0
                }
                Err(error) => {
                    tracing::debug!(%error, netns = ns.inode(), "sockets of a namespace are not known");
                    round.unseen.namespaces += 1;
                    false
                }
            };
            round.listed.insert(ns.inode(), whole);
            round.listed_cookies.extend(cookie.map(|cookie| (cookie, whole)));
        });
        match visited {
            Ok(left_out) => {
                round.listed.extend(left_out.errors.iter().map(|error| (error.inode(), false)));
                round.unseen.add(&left_out);
            }
            Err(error) => {
                tracing::warn!(%error, "network namespaces cannot be listed");
                round.unseen.namespaces += 1;
            }
        }
        round.cost =
            thread_time().saturating_sub(begun) + inside.into_inner().unwrap_or_else(PoisonError::into_inner);
        round.present = present.into_inner().unwrap_or_else(PoisonError::into_inner);
        round
    }

    /// Whether this look would have shown the socket; `None` if its network namespace was not among those of the host,
    /// though all of them were listed: it has ended, or nothing leads to it.
    fn looked(&self, asked: &Asked) -> Option<bool> {
        let by_inode = self.listed.get(&asked.netns).filter(|_| asked.netns != 0);
        let by_cookie = self.listed_cookies.get(&asked.netns_cookie).filter(|_| asked.netns_cookie != 0);
        let all = self.unseen.namespaces == 0 && self.unseen.sockets == 0;
        match by_inode.or(by_cookie) {
            Some(listed) => Some(*listed),
            None if !all => Some(false),
            // Where it is was never known: it would have been seen.
            None if asked.netns == 0 && (asked.netns_cookie == 0 || self.listed_cookies.is_empty()) => {
                Some(true)
            }
            None => None,
        }
    }

    /// Sockets on the ports that are searched which were not asked about.
    fn unknown(&self, question: &Question) -> impl Iterator<Item = u64> {
        let sockets = if question.search.is_some() { &self.sockets[..] } else { &[] };
        sockets.iter().map(|socket| socket.cookie).filter(|cookie| question.place(*cookie).is_none())
    }
}

/// The processor time of this thread so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

impl PollResult {
    /// Sockets whose end is to be concluded that no look has shown.
    fn missing(&self) -> impl Iterator<Item = &Asked> {
        let second = self.second.as_ref();
        let sockets = self.question.sockets.iter().enumerate();
        let missing = sockets.filter(move |(at, asked)| {
            let seen = |round: &Round| round.present.get(*at).copied().unwrap_or(false);
            asked.judged && second.is_some_and(|second| !seen(&self.first) && !seen(second))
        });
        missing.map(|(_, asked)| asked)
    }

    /// Sockets of the question that are proven to be gone: two looks that would have shown them have not.
    fn gone(&self) -> impl Iterator<Item = u64> {
        let rounds = [Some(&self.first), self.second.as_ref()];
        let proven = move |asked: &&Asked| {
            // A network namespace to which nothing leads may live on by a descriptor alone. Its sockets are taken for gone
            // with the process.
            rounds.iter().all(|round| {
                round.is_some_and(|round| round.looked(asked).unwrap_or(!self.alive.contains(&asked.pid)))
            })
        };
        self.missing().filter(proven).map(|asked| asked.cookie)
    }

    /// Sockets on the ports that were searched which were not asked about, and which both looks have shown.
    pub(super) fn unknown(&self) -> Vec<u64> {
        let again: HashSet<u64> =
            self.second.iter().flat_map(|second| second.unknown(&self.question)).collect();
        self.first.unknown(&self.question).filter(|cookie| again.contains(cookie)).collect()
    }

    /// What the last look has left out.
    pub(super) fn unseen(&self) -> Unseen {
        self.second.as_ref().unwrap_or(&self.first).unseen
    }

    /// Whether everything in the tables was asked about.
    pub(super) const fn is_comparison(&self) -> bool {
        self.question.search.is_some()
    }

    /// What the monitor makes of it, as of this boottime in ns.
    #[must_use]
    pub(crate) fn into_polled(self, at_ns: u64) -> Polled {
        let gone = self.gone().collect();
        let counts = self.first.sockets.iter().filter_map(|socket| Some((socket.cookie, socket.counts?)));
        Polled { gone, counts: counts.collect(), due: self.question.due, at_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_core::model::Endpoint;

    fn gone(result: &PollResult) -> Vec<u64> {
        result.gone().collect()
    }

    fn asked(cookie: u64, netns: u64, netns_cookie: u64) -> Asked {
        Asked { cookie, netns, netns_cookie, judged: true, ..Asked::default() }
    }

    /// Sockets 1 to 3 are in namespaces 10, 20 and 30, of which the last one is known by its cookie, 300; 4 may be
    /// anywhere; 5 is not judged.
    fn question() -> Question {
        let unjudged = Asked { judged: false, ..asked(5, 0, 0) };
        let sockets = vec![asked(1, 10, 0), asked(2, 20, 0), asked(3, 0, 300), asked(4, 0, 0), unjudged];
        Question { sockets, ..Question::default() }
    }

    fn round(present: [bool; 5], listed: &[(u64, bool)]) -> Round {
        let by_cookie = listed.iter().map(|(inode, whole)| (inode * 10, *whole)).collect();
        let listed = listed.iter().copied().collect();
        Round { present: present.to_vec(), listed, listed_cookies: by_cookie, ..Round::default() }
    }

    fn result(first: Round, second: Option<Round>) -> PollResult {
        PollResult { question: question(), first, second, ..PollResult::default() }
    }

    const NONE: [bool; 5] = [false; 5];
    const ALL: [(u64, bool); 3] = [(10, true), (20, true), (30, true)];

    #[test]
    fn absence_proves_an_end_only_where_all_sockets_were_listed() {
        let twice = |listed: &[(u64, bool)], unseen: Unseen| {
            let [first, second] = [(); 2].map(|()| Round { unseen, ..round(NONE, listed) });
            gone(&result(first, Some(second)))
        };
        let none = Unseen::default();
        assert_eq!(twice(&ALL, none), [1, 2, 3, 4]);
        let short = Unseen { sockets: 1, ..none };
        assert_eq!(twice(&[(10, true), (20, false), (30, true)], short), [1, 3], "20 was listed in part");
        let hidden = Unseen { namespaces: 1, ..none };
        assert_eq!(twice(&[(10, true), (20, true)], hidden), [1, 2], "30 may be hidden, and 4 in it");
        assert_eq!(twice(&[(10, true)], none), [1, 2, 3, 4], "20 and 30 ended with their sockets");
    }

    #[test]
    fn a_socket_is_gone_only_if_two_looks_do_not_show_it() {
        let first = || round(NONE, &ALL);
        assert!(gone(&result(first(), None)).is_empty());
        let again = round([true, false, false, false, false], &ALL);
        assert_eq!(gone(&result(first(), Some(again))), [2, 3, 4], "1 was overlooked");
        let before = round([false, true, false, false, false], &ALL);
        assert_eq!(gone(&result(before, Some(first()))), [1, 3, 4]);
        let short = Round { unseen: Unseen { sockets: 1, ..Unseen::default() }, ..round(NONE, &[]) };
        assert!(gone(&result(first(), Some(short))).is_empty(), "the second look shows nothing");
    }

    /// A descriptor alone keeps a namespace, and nothing leads to it.
    #[test]
    fn a_lost_namespace_takes_no_socket_of_a_live_process() {
        let mut result = result(round(NONE, &[(10, true)]), Some(round(NONE, &[(10, true)])));
        result.question.sockets[1].pid = 77;
        assert_eq!(gone(&result), [1, 2, 3, 4]);
        result.alive.insert(77);
        assert_eq!(gone(&result), [1, 3, 4]);
    }

    fn socket(cookie: u64) -> TcpSocket {
        let end = Endpoint::new([127, 0, 0, 1].into(), 5432);
        TcpSocket { peer: Some(end), ..TcpSocket::sample(cookie, end) }
    }

    #[test]
    fn only_what_both_looks_show_and_nobody_knows_is_unknown() {
        let with = |cookies: &[u64]| Round {
            sockets: cookies.iter().map(|cookie| socket(*cookie)).collect(),
            ..round(NONE, &ALL)
        };
        let mut result = result(with(&[1, 7, 8]), Some(with(&[1, 8, 9])));
        assert!(result.unknown().is_empty(), "nothing was searched");
        result.question.search = Some([5432].into_iter().collect());
        assert_eq!(result.unknown(), [8]);
    }
}
