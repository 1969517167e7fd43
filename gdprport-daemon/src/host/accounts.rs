//! AccountNames of users and groups: asked for on a thread of their own, remembered, waited for briefly.
//!
//! The C library's look-up (NSS) reads files or asks a directory service, and makes its caller wait for as long
//! as that takes: microseconds for `/etc/passwd`, for ever if the service hangs. So that nothing stands still
//! behind it:
//!
//! - One thread asks, one id after the other. What it is stuck in holds up names and nothing else.
//! - Whoever wants a name that is not known waits for it at most [`TIMEOUT`], only while the thread has nothing
//!   else to do, and all together at most [`BUDGET`] in [`WINDOW_NS`]. Without an answer by then the name is
//!   [`AccountName::Pending`]: another thing than an id without a name, and not to be judged by.
//! - Every answer is kept, "no such id" too. An old one stays good while it is asked for anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::host::cache::Generations;

/// How long an answer is good before the id is asked for again: renaming users is rare, and a name that is
/// minutes old still tells whose id it was; a directory service is asked at most 12 times an hour for each id.
const LIFE_NS: u64 = 300_000_000_000;

/// Answers kept: more ids than a host's services and users have, about 100 bytes each.
const CAP: usize = 4096;

/// Ids that may wait for their answer: what exceeds it is asked for when there is room.
const ASKED_CAP: usize = 1024;

/// How long one answer is waited for: files answer in well under a millisecond, a directory service's cache in a
/// few; the rest is for a machine that is too busy to let the thread run. Meanwhile the ring buffer takes in what
/// happens; it holds some hundred milliseconds of full load.
const TIMEOUT: Duration = Duration::from_millis(250);

/// How much is waited within [`WINDOW_NS`] at most: five percent of the loop's time.
const BUDGET: Duration = Duration::from_millis(500);

/// See [`BUDGET`].
const WINDOW_NS: u64 = 10_000_000_000;

/// A user or a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// What is known of an account's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccountName {
    /// It has this one.
    Known(Arc<str>),
    /// It has none on this host.
    Unnamed,
    /// The host has not answered yet.
    Pending,
}

impl AccountName {
    /// The name, if there is one and it is known.
    pub(super) fn known(self) -> Option<Arc<str>> {
        match self {
            Self::Known(name) => Some(name),
            Self::Unnamed | Self::Pending => None,
        }
    }
}

#[derive(Debug)]
struct CachedName {
    asked_ns: u64,
    name: Option<Arc<str>>,
}

/// The names that are known, and the thread that asks for more.
#[derive(Debug)]
pub(super) struct AccountNames {
    known: Generations<Account, CachedName>,
    /// Asked for and not answered, each with whether somebody had to go without.
    asked: HashMap<Account, bool>,
    /// Whether an answer has come that somebody had to go without.
    came: bool,
    questions: Sender<Account>,
    answers: Receiver<(Account, Option<Arc<str>>)>,
    /// The last wait came to nothing, and no answer has come since: it would not be the only one.
    stuck: bool,
    /// How much of [`BUDGET`] is left in the window that began then.
    left: Duration,
    window_ns: u64,
}

impl AccountNames {
    /// AccountNames as this host's NSS has them.
    pub(super) fn new() -> Self {
        let mut names = Self::with_lookup(|account| match account {
            Account::User(uid) => uzers::get_user_by_uid(uid).map(|user| text(user.name())),
            Account::Group(gid) => uzers::get_group_by_gid(gid).map(|group| text(group.name())),
        });
        // The first question takes longest, as the C library then loads what it asks; root is asked for anyway.
        names.ask(Account::User(0));
        names.ask(Account::Group(0));
        names
    }

    /// AccountNames as `ask` tells them, which may take as long as it likes.
    pub(super) fn with_lookup(ask: impl Fn(Account) -> Option<Arc<str>> + Send + 'static) -> Self {
        let (questions, asked) = channel();
        let (to, answers) = channel();
        let work = move || {
            for account in asked {
                if to.send((account, ask(account))).is_err() {
                    return;
                }
            }
        };
        // Never joined: it may be stuck, and ends with the process. Without it every name is late, as said.
        if let Err(error) = std::thread::Builder::new().name("names".to_owned()).spawn(work) {
            tracing::warn!(%error, "users and groups stay without names: their thread cannot be started");
        }
        Self {
            known: Generations::new(2 * CAP),
            asked: HashMap::new(),
            came: false,
            stuck: false,
            questions,
            answers,
            left: BUDGET,
            window_ns: 0,
        }
    }

    /// The account's name at `now_ns` (boottime). Waits at most [`TIMEOUT`], and mostly not at all.
    pub(super) fn name(&mut self, account: Account, now_ns: u64) -> AccountName {
        self.collect(now_ns);
        let known = self.known.get(&account).map(|answer| {
            let name = answer.name.clone().map_or(AccountName::Unnamed, AccountName::Known);
            (name, now_ns.saturating_sub(answer.asked_ns) < LIFE_NS)
        });
        if let Some((name, true)) = known {
            return name;
        }
        self.ask(account);
        let name = match known {
            Some((old, _)) => old,
            None if !self.stuck => self.wait(account, now_ns),
            None => AccountName::Pending,
        };
        if name == AccountName::Pending
            && let Some(missed) = self.asked.get_mut(&account)
        {
            *missed = true;
        }
        name
    }

    /// How many accounts somebody had to go without the name of, and has to still.
    pub(super) fn late(&self) -> usize {
        self.asked.values().filter(|missed| **missed).count()
    }

    /// True if answers have come, since this was last asked, that somebody had to go without.
    pub(super) fn late_ones_came(&mut self, now_ns: u64) -> bool {
        self.collect(now_ns);
        std::mem::take(&mut self.came)
    }

    fn ask(&mut self, account: Account) {
        if self.asked.len() < ASKED_CAP && !self.asked.contains_key(&account) {
            self.asked.insert(account, false);
            // Without a thread the account stays among those that were asked for, and late.
            let _ = self.questions.send(account);
        }
    }

    fn wait(&mut self, account: Account, now_ns: u64) -> AccountName {
        if now_ns.saturating_sub(self.window_ns) >= WINDOW_NS {
            (self.window_ns, self.left) = (now_ns, BUDGET);
        }
        let begun = Instant::now();
        let most = TIMEOUT.min(self.left);
        // What was asked for before is answered before.
        let name = loop {
            match self.answers.recv_timeout(most.saturating_sub(begun.elapsed())) {
                Ok((of, name)) => {
                    self.take(of, name.clone(), now_ns);
                    if of == account {
                        break name.map_or(AccountName::Unnamed, AccountName::Known);
                    }
                }
                Err(_) => {
                    self.stuck = true;
                    break AccountName::Pending;
                }
            }
        };
        self.left = self.left.saturating_sub(begun.elapsed());
        name
    }

    fn collect(&mut self, now_ns: u64) {
        while let Ok((account, name)) = self.answers.try_recv() {
            self.take(account, name, now_ns);
        }
    }

    fn take(&mut self, account: Account, name: Option<Arc<str>>, now_ns: u64) {
        self.stuck = false;
        self.came |= self.asked.remove(&account) == Some(true);
        self.known.insert(account, CachedName { asked_ns: now_ns, name });
    }
}

fn text(name: &std::ffi::OsStr) -> Arc<str> {
    Arc::from(name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Asks until the answer has come.
    fn eventually(names: &mut AccountNames, account: Account, now_ns: u64) -> AccountName {
        for _ in 0..2_000 {
            match names.name(account, now_ns) {
                AccountName::Pending => std::thread::sleep(Duration::from_millis(5)),
                known => return known,
            }
        }
        panic!("{account:?} stays without an answer");
    }

    /// Waits until all that was asked is answered.
    fn idle(names: &mut AccountNames, now_ns: u64) {
        for _ in 0..2_000 {
            names.collect(now_ns);
            if names.asked.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("not all is answered");
    }

    #[test]
    fn root_has_a_name_and_the_invalid_id_has_none() {
        let mut names = AccountNames::new();
        assert_eq!(eventually(&mut names, Account::User(0), 0), AccountName::Known("root".into()));
        assert_eq!(eventually(&mut names, Account::Group(0), 0), AccountName::Known("root".into()));
        assert_eq!(eventually(&mut names, Account::User(u32::MAX), 0), AccountName::Unnamed);
    }

    #[test]
    fn an_id_is_asked_for_once_per_lifetime_even_without_a_name() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let mut names = AccountNames::with_lookup(|_| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            None
        });
        for now_ns in [0, 1, LIFE_NS - 1] {
            assert_eq!(eventually(&mut names, Account::User(7), now_ns), AccountName::Unnamed);
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        assert_eq!(
            names.name(Account::User(7), LIFE_NS),
            AccountName::Unnamed,
            "the old answer is good meanwhile"
        );
        idle(&mut names, LIFE_NS);
        assert_eq!(names.name(Account::User(7), LIFE_NS + 1), AccountName::Unnamed);
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
        assert!(!names.late_ones_came(LIFE_NS + 1), "nobody went without");
    }

    #[test]
    fn a_directory_service_that_hangs_is_waited_for_once_and_its_answer_taken_when_it_comes() {
        let (release, hang) = channel::<()>();
        let hang = Mutex::new(hang);
        let mut names = AccountNames::with_lookup(move |account| {
            // Ends when the other side is dropped.
            let _ = hang.lock().expect("nobody panics with it").recv();
            Some(format!("{account:?}").into())
        });
        assert_eq!(names.name(Account::User(1), 0), AccountName::Pending);
        let after_the_first = names.left;
        assert!(after_the_first < BUDGET, "the first one was waited for");
        for uid in 0..10_000 {
            assert_eq!(names.name(Account::User(uid), 1), AccountName::Pending);
        }
        assert_eq!(names.left, after_the_first, "nobody waits behind a thread that is stuck");
        assert_eq!(names.late(), ASKED_CAP, "what waits is bounded");
        assert!(!names.late_ones_came(2));
        drop(release);
        assert_eq!(eventually(&mut names, Account::User(1), 3), AccountName::Known("User(1)".into()));
        assert!(names.late_ones_came(3));
        assert_eq!(eventually(&mut names, Account::User(9_999), 3), AccountName::Known("User(9999)".into()));
        idle(&mut names, 3);
        assert_eq!(names.late(), 0);
    }

    #[test]
    fn answers_that_are_merely_slow_cost_no_more_than_the_budget() {
        let mut names = AccountNames::with_lookup(|_| {
            std::thread::sleep(TIMEOUT / 2);
            None
        });
        for uid in 0..20 {
            names.name(Account::User(uid), 0);
            idle(&mut names, 0);
        }
        assert_eq!(names.left, Duration::ZERO, "all of it was used");
        names.name(Account::User(100), WINDOW_NS - 1);
        assert_eq!(names.left, Duration::ZERO);
        idle(&mut names, 0);
        names.name(Account::User(101), WINDOW_NS);
        assert!(names.left > Duration::ZERO, "another window, another budget");
    }
}
