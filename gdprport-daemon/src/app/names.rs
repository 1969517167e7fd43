//! Resolving the policy's host names in the background, again and again.
//!
//! Belongs here: the asking. What an unresolved name means for a verdict is `core::policy`'s.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::core::policy::{Names, Resolution};

/// Names asked for at the same time: the resolver's threads are few, and name servers answer in order.
const AT_ONCE: usize = 8;

/// How long one name may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for all of a policy's names until it is dropped.
#[derive(Debug)]
pub struct Refresher {
    task: JoinHandle<()>,
}

impl Refresher {
    /// Starts asking for `names`, at once and then every `period`; each round is sent to `to`.
    #[must_use]
    pub fn start(names: Vec<Arc<str>>, period: Duration, to: mpsc::Sender<Names>) -> Self {
        let task = tokio::spawn(async move {
            if names.is_empty() {
                return;
            }
            let mut known = Vec::new();
            loop {
                known = round(&names, known).await;
                if to.send(Names::new(known.iter().cloned())).await.is_err() {
                    return;
                }
                tokio::time::sleep(period).await;
            }
        });
        Self { task }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Known = Vec<(Arc<str>, Resolution)>;

async fn round(names: &[Arc<str>], before: Known) -> Known {
    let mut asked = JoinSet::new();
    let mut known = Vec::with_capacity(names.len());
    for name in names {
        while asked.len() >= AT_ONCE {
            known.extend(asked.join_next().await.and_then(Result::ok));
        }
        let name = Arc::clone(name);
        asked.spawn(async move {
            let resolution = ask(&name).await;
            (name, resolution)
        });
    }
    while let Some(answer) = asked.join_next().await {
        known.extend(answer.ok());
    }
    for (name, resolution) in &mut known {
        keep_what_was_known(name, resolution, &before);
    }
    known
}

/// A name server that fails for a while does not make a name unknown that was known; the time of the last
/// answer says how old it is.
fn keep_what_was_known(name: &str, resolution: &mut Resolution, before: &Known) {
    if let Resolution::Unresolved(_) = resolution
        && let Some((_, old @ Resolution::Resolved(..))) = before.iter().find(|(known, _)| **known == *name)
    {
        *resolution = old.clone();
    }
}

async fn ask(name: &str) -> Resolution {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(addresses)) => {
            let mut ips: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            ips.sort_unstable();
            ips.dedup();
            Resolution::Resolved(ips, Timestamp::now())
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
        let known = round(&names, Vec::new()).await;
        let of = |name: &str| known.iter().find(|(known, _)| **known == *name).map(|(_, r)| r.clone());
        let Some(Resolution::Resolved(ips, _)) = of("localhost") else { panic!("localhost is unknown") };
        assert!(ips.iter().all(IpAddr::is_loopback) && !ips.is_empty());
        assert!(matches!(of("no-such-host.invalid"), Some(Resolution::Unresolved(_))));
    }

    #[test]
    fn a_name_server_that_fails_does_not_unlearn_a_name() {
        let old = Resolution::Resolved(vec![[192, 0, 2, 1].into()], Timestamp::UNIX_EPOCH);
        let before = vec![("db".into(), old.clone())];
        let mut resolution = Resolution::Unresolved("timed out".to_owned());
        keep_what_was_known("db", &mut resolution, &before);
        assert_eq!(resolution, old);
    }
}
