//! Resolving the policy's host names in the background, again and again.
//!
//! Belongs here: the asking, and for how long an answer counts. What an unresolved name means for a verdict is `core::policy`'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::host::clock::boottime_ns;
use gdprport_core::policy::{Names, Resolution};

/// Names asked for at the same time: the resolver's threads are few, and name servers answer in order.
const AT_ONCE: usize = 8;

/// How long one name may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// For how many periods after its last answer a name keeps its addresses while asking fails. With the default period
/// of 60 s that is 5 minutes: longer than a name server takes to restart or to be stood in for, and about as long as
/// answers are commonly said to hold (a TTL of 300 s), after which the address may be somebody else's.
const KEPT_PERIODS: u32 = 5;

/// Asks for all of a policy's names until it is dropped.
#[derive(Debug)]
pub struct Refresher {
    task: JoinHandle<()>,
    book: Arc<Mutex<Book>>,
    period: Duration,
    to: mpsc::Sender<Names>,
}

impl Refresher {
    /// Starts asking for `names`, at once and then every `period`; what is known is sent to `to` after each round, and
    /// in one when an answer has become too old.
    #[must_use]
    pub fn start(names: Vec<Arc<str>>, period: Duration, to: mpsc::Sender<Names>) -> Self {
        Self::from(Book::new(period), names, period, to)
    }

    /// Ends, and asks for these names from now on, with what was learnt of them: a reload while no name server answers
    /// makes no name unknown.
    pub fn ask_for(&mut self, names: Vec<Arc<str>>) {
        let book = lock(&self.book).handed_over(&names);
        *self = Self::from(book, names, self.period, self.to.clone());
    }

    fn from(book: Book, names: Vec<Arc<str>>, period: Duration, to: mpsc::Sender<Names>) -> Self {
        let book = Arc::new(Mutex::new(book));
        let (asking, told) = (Arc::clone(&book), to.clone());
        let task = tokio::spawn(async move {
            if names.is_empty() {
                return;
            }
            while round(&names, &asking, &told).await.is_ok() {
                tokio::time::sleep(period).await;
            }
        });
        Self { task, book, period, to }
    }
}

/// The book is whole between any two of its calls, so one that panicked leaves nothing half done.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is known of each name.
#[derive(Debug)]
struct Book {
    kept_ns: u64,
    known: HashMap<Arc<str>, Known>,
}

#[derive(Debug)]
struct Known {
    resolution: Resolution,
    /// When the addresses were learnt, nanoseconds of `CLOCK_BOOTTIME`.
    learnt_ns: u64,
    /// Why asking has failed since.
    failed: Option<String>,
}

impl Book {
    fn new(period: Duration) -> Self {
        let kept = u64::try_from(period.saturating_mul(KEPT_PERIODS).as_nanos());
        Self { kept_ns: kept.unwrap_or(u64::MAX), known: HashMap::new() }
    }

    /// What is known of `names`, for who asks for those next.
    fn handed_over(&mut self, names: &[Arc<str>]) -> Self {
        let known = names.iter().filter_map(|name| self.known.remove_entry(name)).collect();
        Self { kept_ns: self.kept_ns, known }
    }

    /// Takes an answer. A name server that fails for a while does not make a name unknown that was known.
    fn take(&mut self, name: Arc<str>, answer: Resolution, now_ns: u64) {
        match (answer, self.known.get_mut(&name)) {
            (Resolution::Unresolved(why), Some(old)) if matches!(old.resolution, Resolution::Resolved(_)) => {
                old.failed = Some(why);
            }
            (resolution, _) => {
                self.known.insert(name, Known { resolution, learnt_ns: now_ns, failed: None });
            }
        }
    }

    /// Forgets addresses that were learnt too long ago; says whether there were any.
    fn expire(&mut self, now_ns: u64) -> bool {
        let mut any = false;
        for known in self.known.values_mut() {
            let old = now_ns.saturating_sub(known.learnt_ns) >= self.kept_ns;
            if old && matches!(known.resolution, Resolution::Resolved(_)) {
                let why = known.failed.take().unwrap_or_else(|| "no answer for too long".to_owned());
                known.resolution = Resolution::Unresolved(why);
                any = true;
            }
        }
        any
    }

    fn names(&self) -> Names {
        Names::new(self.known.iter().map(|(name, known)| (Arc::clone(name), known.resolution.clone())))
    }
}

/// Nobody wants to know any more.
struct Unwanted;

/// Asks for every name once.
async fn round(names: &[Arc<str>], book: &Mutex<Book>, to: &mpsc::Sender<Names>) -> Result<(), Unwanted> {
    let tell = async || {
        let names = lock(book).names();
        to.send(names).await.map_err(|_| Unwanted)
    };
    let mut asked = JoinSet::new();
    let mut waiting = names.iter();
    loop {
        while asked.len() < AT_ONCE
            && let Some(name) = waiting.next()
        {
            let name = Arc::clone(name);
            asked.spawn(async move {
                let resolution = ask(&name).await;
                (name, resolution)
            });
        }
        let Some(answer) = asked.join_next().await else { break };
        let now_ns = boottime_ns();
        if let Ok((name, resolution)) = answer {
            lock(book).take(name, resolution, now_ns);
        }
        // Where nobody answers, a round takes long: so many names, each for as long as there is patience.
        let expired = asked.len() + waiting.len() > 0 && lock(book).expire(now_ns);
        if expired {
            tell().await?;
        }
    }
    lock(book).expire(boottime_ns());
    tell().await
}

async fn ask(name: &str) -> Resolution {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(addresses)) => {
            let mut ips: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            ips.sort_unstable();
            ips.dedup();
            Resolution::Resolved(ips)
        }
        Ok(Err(error)) => Resolution::Unresolved(error.to_string()),
        Err(_) => Resolution::Unresolved(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_resolves_and_nonsense_says_why_not() {
        let names: Vec<Arc<str>> = vec!["localhost".into(), "no-such-host.invalid".into()];
        let (to, mut told) = mpsc::channel(1);
        let book = Mutex::new(Book::new(Duration::from_secs(60)));
        assert!(round(&names, &book, &to).await.is_ok());
        let known = told.recv().await.expect("it is told");
        let Some(Resolution::Resolved(ips)) = known.get("localhost") else { panic!("localhost is unknown") };
        assert!(ips.iter().all(IpAddr::is_loopback) && !ips.is_empty());
        assert!(matches!(known.get("no-such-host.invalid"), Some(Resolution::Unresolved(_))));
    }

    #[test]
    fn a_name_server_that_fails_unlearns_a_name_after_five_periods_and_not_before() {
        let mut book = Book::new(Duration::from_nanos(10));
        let old = Resolution::Resolved(vec![[192, 0, 2, 1].into()]);
        let failure = || Resolution::Unresolved("timed out".to_owned());
        let now = |book: &Book| book.names().get("db").cloned();
        book.take("db".into(), old.clone(), 100);
        for at in [110, 149] {
            book.take("db".into(), failure(), at);
            assert!(!book.expire(at));
            assert_eq!(now(&book), Some(old.clone()));
        }
        assert!(book.expire(150), "also where no answer comes");
        assert_eq!(now(&book), Some(failure()));
        book.take("db".into(), failure(), 160);
        assert!(!book.expire(160), "that is told once");
        book.take("db".into(), old.clone(), 170);
        assert_eq!((book.expire(219), now(&book)), (false, Some(old)));
    }

    #[tokio::test]
    async fn a_reload_while_no_name_server_answers_makes_no_name_unknown() {
        let name = |name: &str| -> Arc<str> { name.into() };
        let period = Duration::from_secs(60);
        let (to, mut told) = mpsc::channel(1);
        let mut refresher = Refresher::start(Vec::new(), period, to);
        let old = Resolution::Resolved(vec![[192, 0, 2, 1].into()]);
        for known in ["kept.invalid", "gone.invalid"] {
            lock(&refresher.book).take(name(known), old.clone(), boottime_ns());
        }
        refresher.ask_for(vec![name("kept.invalid"), name("new.invalid")]);
        let known = told.recv().await.expect("it is told");
        assert_eq!(known.get("kept.invalid"), Some(&old));
        assert_eq!(known.get("gone.invalid"), None);
        assert!(matches!(known.get("new.invalid"), Some(Resolution::Unresolved(_))));
    }

    #[test]
    fn a_name_that_changes_has_its_new_addresses_alone() {
        let mut book = Book::new(Duration::from_secs(60));
        for last in [1, 2] {
            let found = Resolution::Resolved(vec![[192, 0, 2, last].into()]);
            book.take("db".into(), found.clone(), last.into());
            assert_eq!(book.names().get("db"), Some(&found));
        }
    }
}
