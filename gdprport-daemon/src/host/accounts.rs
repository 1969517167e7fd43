//! Names of users and groups: looked up on a thread of their own, cached, waited for briefly.
//!
//! The C library's look-up (NSS) reads files or queries a directory service, and blocks its caller meanwhile:
//! microseconds for `/etc/passwd`, for ever if the service hangs. So that nothing blocks behind it:
//!
//! - One thread looks up one id after the other. If it hangs, only names are delayed.
//! - A caller waits for an unknown name at most [`TIMEOUT`], only while the thread is not stuck, and all callers
//!   together at most [`BUDGET`] in [`WINDOW_NS`]. After that the name is [`AccountName::Pending`], which differs
//!   from an id without a name: nothing may be decided by it.
//! - Every result is cached, "no such id" too. An expired one stays valid while it is looked up again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::host::cache::Generations;
use crate::host::confine::{self, Role};

/// How long a result is valid before the id is looked up again: renaming users is rare, and a name that is minutes
/// old still shows whose id it was; a directory service is queried at most 12 times an hour for each id.
const LIFE_NS: u64 = 300_000_000_000;

/// Results kept: more ids than a host's services and users have, about 100 bytes each.
const CAP: usize = 4096;

/// Ids that may wait for their result: what exceeds it is looked up when there is room.
const REQUESTED_CAP: usize = 1024;

/// How long to wait for one result: files take well under a millisecond, a directory service's cache a few; the
/// rest is for a machine that is too busy to let the thread run. Records wait in the ring buffer meanwhile; it
/// holds some hundred milliseconds of full load.
const TIMEOUT: Duration = Duration::from_millis(250);

/// The longest wait within [`WINDOW_NS`]: five percent of the event loop's time.
const BUDGET: Duration = Duration::from_millis(500);

/// See [`BUDGET`].
const WINDOW_NS: u64 = 10_000_000_000;

/// A user or a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// What is known of an account's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccountName {
    Known(Arc<str>),
    /// This host has no name for it.
    Unnamed,
    /// The look-up has not finished.
    Pending,
}

impl AccountName {
    pub(super) fn into_name(self) -> Option<Arc<str>> {
        match self {
            Self::Known(name) => Some(name),
            Self::Unnamed | Self::Pending => None,
        }
    }
}

#[derive(Debug)]
struct CachedName {
    requested_ns: u64,
    name: Option<Arc<str>>,
}

/// The known names, and the channels to the thread that looks up more.
#[derive(Debug)]
pub(super) struct AccountNames {
    known: Generations<Account, CachedName>,
    /// Requested and not finished, each with whether a caller got [`AccountName::Pending`].
    requested: HashMap<Account, bool>,
    /// Whether a result has come for which a caller got [`AccountName::Pending`].
    late_arrived: bool,
    requests: Sender<Account>,
    results: Receiver<(Account, Option<Arc<str>>)>,
    /// The last wait timed out, and no result has come since: the next wait would time out too.
    stuck: bool,
    /// What remains of [`BUDGET`] in the window that began at `window_ns`.
    budget_left: Duration,
    window_ns: u64,
}

impl AccountNames {
    /// Names from this host's NSS.
    pub(super) fn new() -> Self {
        let mut names = Self::with_lookup(|account| match account {
            Account::User(uid) => uzers::get_user_by_uid(uid).map(|user| text(user.name())),
            Account::Group(gid) => uzers::get_group_by_gid(gid).map(|group| text(group.name())),
        });
        // The first look-up takes longest, because the C library then loads its NSS modules; root is needed anyway.
        names.request(Account::User(0));
        names.request(Account::Group(0));
        names
    }

    /// Names from `look_up`, which may block.
    pub(super) fn with_lookup(look_up: impl Fn(Account) -> Option<Arc<str>> + Send + 'static) -> Self {
        let (requests, requested) = channel();
        let (to, results) = channel();
        let work = move || {
            confine::enter(Role::Closed);
            for account in requested {
                if to.send((account, look_up(account))).is_err() {
                    return;
                }
            }
        };
        // Never joined: it may be stuck, and ends with the process. Without it every name stays pending.
        if let Err(error) = std::thread::Builder::new().name("accounts".to_owned()).spawn(work) {
            tracing::warn!(%error, "users and groups stay without names: their thread cannot be started");
        }
        Self {
            known: Generations::new(2 * CAP),
            requested: HashMap::new(),
            late_arrived: false,
            stuck: false,
            requests,
            results,
            budget_left: BUDGET,
            window_ns: 0,
        }
    }

    /// The account's name at `now_ns` (boottime). Waits at most [`TIMEOUT`], and usually not at all.
    pub(super) fn name(&mut self, account: Account, now_ns: u64) -> AccountName {
        self.collect(now_ns);
        let known = self.known.get(&account).map(|cached| {
            let name = cached.name.clone().map_or(AccountName::Unnamed, AccountName::Known);
            (name, now_ns.saturating_sub(cached.requested_ns) < LIFE_NS)
        });
        if let Some((name, true)) = known {
            return name;
        }
        self.request(account);
        let name = match known {
            Some((old, _)) => old,
            None if !self.stuck => self.wait(account, now_ns),
            None => AccountName::Pending,
        };
        if name == AccountName::Pending
            && let Some(missed) = self.requested.get_mut(&account)
        {
            *missed = true;
        }
        name
    }

    /// How many accounts a caller got [`AccountName::Pending`] for that are still pending.
    pub(super) fn pending(&self) -> usize {
        self.requested.values().filter(|missed| **missed).count()
    }

    /// True if results have come, since the last call, for which a caller got [`AccountName::Pending`].
    pub(super) fn late_names_arrived(&mut self, now_ns: u64) -> bool {
        self.collect(now_ns);
        std::mem::take(&mut self.late_arrived)
    }

    fn request(&mut self, account: Account) {
        if self.requested.len() < REQUESTED_CAP && !self.requested.contains_key(&account) {
            self.requested.insert(account, false);
            // Without a thread the account stays requested, and its name pending.
            let _ = self.requests.send(account);
        }
    }

    fn wait(&mut self, account: Account, now_ns: u64) -> AccountName {
        if now_ns.saturating_sub(self.window_ns) >= WINDOW_NS {
            (self.window_ns, self.budget_left) = (now_ns, BUDGET);
        }
        let begun = Instant::now();
        let most = TIMEOUT.min(self.budget_left);
        // Earlier requests finish first.
        let name = loop {
            match self.results.recv_timeout(most.saturating_sub(begun.elapsed())) {
                Ok((of, name)) => {
                    self.store(of, name.clone(), now_ns);
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
        self.budget_left = self.budget_left.saturating_sub(begun.elapsed());
        name
    }

    fn collect(&mut self, now_ns: u64) {
        while let Ok((account, name)) = self.results.try_recv() {
            self.store(account, name, now_ns);
        }
    }

    fn store(&mut self, account: Account, name: Option<Arc<str>>, now_ns: u64) {
        self.stuck = false;
        self.late_arrived |= self.requested.remove(&account) == Some(true);
        self.known.insert(account, CachedName { requested_ns: now_ns, name });
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

    /// Repeats the look-up until the result has come.
    fn eventually(names: &mut AccountNames, account: Account, now_ns: u64) -> AccountName {
        for _ in 0..2_000 {
            match names.name(account, now_ns) {
                AccountName::Pending => std::thread::sleep(Duration::from_millis(5)),
                known => return known,
            }
        }
        panic!("{account:?} stays pending");
    }

    /// Waits until every request has finished.
    fn idle(names: &mut AccountNames, now_ns: u64) {
        for _ in 0..2_000 {
            names.collect(now_ns);
            if names.requested.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("some requests do not finish");
    }

    #[test]
    fn root_has_a_name_and_the_invalid_id_has_none() {
        let mut names = AccountNames::new();
        assert_eq!(eventually(&mut names, Account::User(0), 0), AccountName::Known("root".into()));
        assert_eq!(eventually(&mut names, Account::Group(0), 0), AccountName::Known("root".into()));
        assert_eq!(eventually(&mut names, Account::User(u32::MAX), 0), AccountName::Unnamed);
    }

    #[test]
    fn an_id_is_looked_up_once_per_lifetime_even_if_unnamed() {
        static LOOK_UPS: AtomicU32 = AtomicU32::new(0);
        let mut names = AccountNames::with_lookup(|_| {
            LOOK_UPS.fetch_add(1, Ordering::Relaxed);
            None
        });
        for now_ns in [0, 1, LIFE_NS - 1] {
            assert_eq!(eventually(&mut names, Account::User(7), now_ns), AccountName::Unnamed);
        }
        assert_eq!(LOOK_UPS.load(Ordering::Relaxed), 1);
        assert_eq!(
            names.name(Account::User(7), LIFE_NS),
            AccountName::Unnamed,
            "the expired result is valid meanwhile"
        );
        idle(&mut names, LIFE_NS);
        assert_eq!(names.name(Account::User(7), LIFE_NS + 1), AccountName::Unnamed);
        assert_eq!(LOOK_UPS.load(Ordering::Relaxed), 2);
        assert!(!names.late_names_arrived(LIFE_NS + 1), "no caller got a pending name");
    }

    /// Its results are stored when they come.
    #[test]
    fn a_directory_service_that_hangs_is_waited_for_once() {
        let (release, hang) = channel::<()>();
        let hang = Mutex::new(hang);
        let mut names = AccountNames::with_lookup(move |account| {
            // Ends when the other side is dropped.
            let _ = hang.lock().expect("nobody panics with it").recv();
            Some(format!("{account:?}").into())
        });
        assert_eq!(names.name(Account::User(1), 0), AccountName::Pending);
        let after_the_first = names.budget_left;
        assert!(after_the_first < BUDGET, "the first one was waited for");
        for uid in 0..10_000 {
            assert_eq!(names.name(Account::User(uid), 1), AccountName::Pending);
        }
        assert_eq!(names.budget_left, after_the_first, "nobody waits behind a thread that is stuck");
        assert_eq!(names.pending(), REQUESTED_CAP, "requests are bounded");
        assert!(!names.late_names_arrived(2));
        drop(release);
        assert_eq!(eventually(&mut names, Account::User(1), 3), AccountName::Known("User(1)".into()));
        assert!(names.late_names_arrived(3));
        assert_eq!(eventually(&mut names, Account::User(9_999), 3), AccountName::Known("User(9999)".into()));
        idle(&mut names, 3);
        assert_eq!(names.pending(), 0);
    }

    #[test]
    fn slow_results_cost_at_most_the_budget() {
        let mut names = AccountNames::with_lookup(|_| {
            std::thread::sleep(TIMEOUT / 2);
            None
        });
        for uid in 0..20 {
            names.name(Account::User(uid), 0);
            idle(&mut names, 0);
        }
        assert_eq!(names.budget_left, Duration::ZERO, "all of it was used");
        names.name(Account::User(100), WINDOW_NS - 1);
        assert_eq!(names.budget_left, Duration::ZERO);
        idle(&mut names, 0);
        names.name(Account::User(101), WINDOW_NS);
        assert!(names.budget_left > Duration::ZERO, "a new window has a new budget");
    }
}
