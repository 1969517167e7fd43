//! Resolving the policy's host names in the background, again and again.
//!
//! Belongs here: the look-ups, for how long a reply counts, and what is logged when it changes. What an unresolved name
//! means for a verdict is `gdprport_core::policy`'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use gdprport_core::policy::{ActivePolicy, DnsNames, Resolution, Undecidable};

use crate::host::clock::boottime_ns;

/// Names looked up at the same time: the runtime's blocking threads are few.
const CONCURRENT: usize = 8;

/// How many names one change is logged for: beyond, the status has them all.
const LOGGED: usize = 16;

/// How long one name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// For how many periods after its last reply a name keeps its addresses while look-ups fail. With the default period
/// of 60 s that is 5 minutes: longer than a name server takes to restart or to be replaced, and about as long as
/// replies commonly hold (a TTL of 300 s), after which the address may be somebody else's.
const KEPT_PERIODS: u32 = 5;

/// Looks all of a policy's names up until it is dropped.
#[derive(Debug)]
pub(crate) struct Resolver {
    asking: Handle,
    task: JoinHandle<()>,
    cache: Arc<Mutex<Cache>>,
    period: Duration,
    to: mpsc::Sender<DnsNames>,
}

impl Resolver {
    /// Looks `names` up on `asking`, at once and then every `period`; what is known is sent to `to` after each round, and within
    /// one when a reply has become too old.
    #[must_use]
    pub(crate) fn start(
        asking: &Handle,
        names: Vec<Arc<str>>,
        period: Duration,
        to: mpsc::Sender<DnsNames>,
    ) -> Self {
        Self::from(asking.clone(), Cache::new(period), names, period, to)
    }

    /// Looks these names up from now on, and keeps what was learnt of them: a reload while no name server replies makes
    /// no name unknown.
    pub(crate) fn set_names(&mut self, names: Vec<Arc<str>>) {
        let cache = lock(&self.cache).take_over(&names);
        *self = Self::from(self.asking.clone(), cache, names, self.period, self.to.clone());
    }

    fn from(
        asking: Handle,
        cache: Cache,
        names: Vec<Arc<str>>,
        period: Duration,
        to: mpsc::Sender<DnsNames>,
    ) -> Self {
        let cache = Arc::new(Mutex::new(cache));
        let (shared, results) = (Arc::clone(&cache), to.clone());
        let task = asking.spawn(async move {
            if names.is_empty() {
                return;
            }
            while look_up_all(&names, &shared, &results).await.is_ok() {
                tokio::time::sleep(period).await;
            }
        });
        Self { asking, task, cache, period, to }
    }
}

/// The cache is consistent between any two of its calls, so one that panicked leaves nothing half done.
fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is known of each name.
#[derive(Debug)]
struct Cache {
    kept_ns: u64,
    known: HashMap<Arc<str>, CachedName>,
}

#[derive(Debug)]
struct CachedName {
    resolution: Resolution,
    /// When the addresses were learnt, nanoseconds of `CLOCK_BOOTTIME`.
    learnt_ns: u64,
    /// Why look-ups have failed since.
    failed: Option<String>,
}

impl Cache {
    fn new(period: Duration) -> Self {
        let kept = u64::try_from(period.saturating_mul(KEPT_PERIODS).as_nanos());
        Self { kept_ns: kept.unwrap_or(u64::MAX), known: HashMap::new() }
    }

    /// Takes out what is known of `names`.
    fn take_over(&mut self, names: &[Arc<str>]) -> Self {
        let known = names.iter().filter_map(|name| self.known.remove_entry(name)).collect();
        Self { kept_ns: self.kept_ns, known }
    }

    /// Enters a result. A name server that fails for a while does not make a name unknown that was known.
    fn enter(&mut self, name: Arc<str>, result: Resolution, now_ns: u64) {
        match (result, self.known.get_mut(&name)) {
            (Resolution::Unresolved(why), Some(old)) if matches!(old.resolution, Resolution::Resolved(_)) => {
                old.failed = Some(why);
            }
            (resolution, _) => {
                self.known.insert(name, CachedName { resolution, learnt_ns: now_ns, failed: None });
            }
        }
    }

    /// Forgets addresses that were learnt too long ago; returns whether there were any.
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

    fn names(&self) -> DnsNames {
        DnsNames::new(self.known.iter().map(|(name, known)| (Arc::clone(name), known.resolution.clone())))
    }
}

/// Nobody receives the results any more.
struct ReceiverGone;

/// Looks every name up once.
async fn look_up_all(
    names: &[Arc<str>],
    cache: &Mutex<Cache>,
    to: &mpsc::Sender<DnsNames>,
) -> Result<(), ReceiverGone> {
    let send = async || {
        let names = lock(cache).names();
        to.send(names).await.map_err(|_| ReceiverGone)
    };
    let mut running = JoinSet::new();
    let mut waiting = names.iter();
    loop {
        while running.len() < CONCURRENT
            && let Some(name) = waiting.next()
        {
            let name = Arc::clone(name);
            running.spawn(async move {
                let resolution = look_up(&name).await;
                (name, resolution)
            });
        }
        let Some(joined) = running.join_next().await else { break };
        let now_ns = boottime_ns();
        if let Ok((name, resolution)) = joined {
            lock(cache).enter(name, resolution, now_ns);
        }
        // Where no server replies, a round takes long: so many names, each for as long as the timeout.
        let expired = running.len() + waiting.len() > 0 && lock(cache).expire(now_ns);
        if expired {
            send().await?;
        }
    }
    lock(cache).expire(boottime_ns());
    send().await
}

async fn look_up(name: &str) -> Resolution {
    match tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(addresses)) => {
            let mut ips: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            ips.sort_unstable();
            ips.dedup();
            Resolution::Resolved(ips)
        }
        Ok(Err(error)) => Resolution::Unresolved(error.to_string()),
        Err(_) => Resolution::Unresolved(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())),
    }
}

/// Logs once of each name that it does not resolve, with what cannot be decided without it, and that it does again.
pub(crate) fn log_changes(before: &ActivePolicy, now: &ActivePolicy) {
    let (before, names) = (before.names(), now.names());
    let failed = |names: &DnsNames, name: &str| matches!(names.get(name), Some(Resolution::Unresolved(_)));
    let undecidable = now.undecidable();
    let new = undecidable.iter().filter(|name| failed(names, name.name) && !failed(before, name.name));
    let mut omitted = 0;
    for (place, name) in new.enumerate() {
        if place >= LOGGED {
            omitted += 1;
            continue;
        }
        let why = name.why.as_deref().unwrap_or_default();
        let what = needed_by(name);
        tracing::warn!("the host name {} does not resolve ({why}): undecided without it: {what}", name.name);
    }
    if omitted > 0 {
        tracing::warn!("{omitted} more host names do not resolve; `gdprport daemon status` lists them");
    }
    let again = now
        .policy()
        .host_names()
        .filter(|name| failed(before, name) && matches!(names.get(name), Some(Resolution::Resolved(_))));
    for name in again.take(LOGGED) {
        tracing::info!("the host name {name} resolves again");
    }
}

/// What a name that does not resolve is needed by, as one text.
#[must_use]
pub(crate) fn needed_by(name: &Undecidable<'_>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (port, role) in &name.uses {
        texts.push(match role {
            Some(role) => format!("{role} of {port}"),
            None => format!("whether a connection is to {port}"),
        });
    }
    if name.more > 0 {
        texts.push(format!("{} more", name.more));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_resolves_and_nonsense_says_why_not() {
        let names: Vec<Arc<str>> = vec!["localhost".into(), "no-such-host.invalid".into()];
        let (to, mut results) = mpsc::channel(1);
        let cache = Mutex::new(Cache::new(Duration::from_secs(60)));
        assert!(look_up_all(&names, &cache, &to).await.is_ok());
        let known = results.recv().await.expect("it is sent");
        let Some(Resolution::Resolved(ips)) = known.get("localhost") else { panic!("localhost is unknown") };
        assert!(ips.iter().all(IpAddr::is_loopback) && !ips.is_empty());
        assert!(matches!(known.get("no-such-host.invalid"), Some(Resolution::Unresolved(_))));
    }

    #[test]
    fn a_failing_name_server_unlearns_a_name_after_five_periods() {
        let mut cache = Cache::new(Duration::from_nanos(10));
        let old = Resolution::Resolved(vec![[192, 0, 2, 1].into()]);
        let failure = || Resolution::Unresolved("timed out".to_owned());
        let now = |cache: &Cache| cache.names().get("db").cloned();
        cache.enter("db".into(), old.clone(), 100);
        for at in [110, 149] {
            cache.enter("db".into(), failure(), at);
            assert!(!cache.expire(at));
            assert_eq!(now(&cache), Some(old.clone()));
        }
        assert!(cache.expire(150), "also where no reply comes");
        assert_eq!(now(&cache), Some(failure()));
        cache.enter("db".into(), failure(), 160);
        assert!(!cache.expire(160), "that is reported once");
        cache.enter("db".into(), old.clone(), 170);
        assert_eq!((cache.expire(219), now(&cache)), (false, Some(old)));
    }

    #[tokio::test]
    async fn a_reload_while_no_name_server_replies_forgets_no_name() {
        let name = |name: &str| -> Arc<str> { name.into() };
        let period = Duration::from_secs(60);
        let (to, mut results) = mpsc::channel(1);
        let mut resolver = Resolver::start(&Handle::current(), Vec::new(), period, to);
        let old = Resolution::Resolved(vec![[192, 0, 2, 1].into()]);
        for known in ["kept.invalid", "gone.invalid"] {
            lock(&resolver.cache).enter(name(known), old.clone(), boottime_ns());
        }
        resolver.set_names(vec![name("kept.invalid"), name("new.invalid")]);
        let known = results.recv().await.expect("it is sent");
        assert_eq!(known.get("kept.invalid"), Some(&old));
        assert_eq!(known.get("gone.invalid"), None);
        assert!(matches!(known.get("new.invalid"), Some(Resolution::Unresolved(_))));
    }

    #[test]
    fn a_name_that_changes_has_its_new_addresses_alone() {
        let mut cache = Cache::new(Duration::from_secs(60));
        for last in [1, 2] {
            let found = Resolution::Resolved(vec![[192, 0, 2, last].into()]);
            cache.enter("db".into(), found.clone(), last.into());
            assert_eq!(cache.names().get("db"), Some(&found));
        }
    }
}
