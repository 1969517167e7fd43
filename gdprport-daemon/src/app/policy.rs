//! The policy in force: applying another one, and judging anew what is open.

use std::sync::Arc;

use jiff::Timestamp;

use super::daemon::Daemon;
use super::files::PolicyError;
use crate::control::api::Reload;
use gdprport_core::event::{AppliedPolicy, Body, PolicyEvent};
use gdprport_core::policy::{Names, Policy, Problem, Resolution, Undecidable};

/// How many names one round tells of: beyond, the status has them all.
const TOLD: usize = 16;

impl Daemon {
    /// Takes newly resolved names, says what that changes, and judges anew what hung on them.
    pub fn names_resolved(&mut self, names: Names, now: Timestamp) {
        let policy = &self.in_force.policy;
        let names = policy.prepare(names);
        tell_changes(policy, &self.names, &names);
        self.names = names;
        self.verdicts.clear();
        self.rejudge(now);
    }

    fn rejudge(&mut self, now: Timestamp) {
        self.with_table(now, |table, judge, out| table.rejudge(judge, out));
        self.rejudge_listeners(now);
    }

    /// Reads the policy anew: applied whole, or not at all.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays in force.
    pub fn reload(&mut self, now: Timestamp) -> Result<(), PolicyError> {
        let outcome = self.files.load();
        self.in_force.last_reload = Some(Reload {
            at: now,
            ok: outcome.is_ok(),
            problems: outcome.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            problem_count: outcome.as_ref().err().map_or(0, PolicyError::count),
        });
        let loaded = outcome?;
        self.forget_unwatched(&loaded.policy, now);
        let previous: Arc<str> = self.in_force.policy.digest().into();
        self.names = loaded.policy.prepare(std::mem::take(&mut self.names));
        self.in_force.policy = loaded.policy;
        self.verdicts.clear();
        self.in_force.files = loaded.files;
        self.in_force.applied = now;
        let policy = &self.in_force.policy;
        self.publisher.apply(policy);
        if let Err(error) = self.probes.watch(policy.watched().map(|port| port.number)) {
            tracing::error!(%error, "the kernel side was not told all ports of the new policy");
        }
        tracing::info!(digest = policy.digest(), "the policy was applied");
        self.refresher.ask_for(host_names(policy));
        self.announce_policy(Some(previous), now);
        self.rejudge(now);
        // Ports that were not watched before have flows and listeners of which nothing is known yet.
        self.must_reconcile = true;
        Ok(())
    }

    /// Forgets flows and listeners of ports that the next policy does not watch. They are counted, and what was not told
    /// of them yet is, by the policy that they were judged by. That they go on is not told one by one: they did not
    /// close, and of a busy port there would be more events at once than a sink has room for.
    fn forget_unwatched(&mut self, next: &Policy, now: Timestamp) {
        let flows = self.table.retain(|flow| next.port(flow.port()).is_some(), &mut self.changes);
        self.publish(now);
        let listeners = self.listeners.retain(|listener| next.port(listener.local.port).is_some());
        self.books.unwatched_listeners += listeners as u64;
        if flows + listeners > 0 {
            tracing::info!(
                flows,
                listeners,
                "ports are watched no more, what is open there is no longer told of"
            );
        }
    }

    /// Sends which policy is in force.
    pub fn announce_policy(&mut self, previous: Option<Arc<str>>, now: Timestamp) {
        let policy = &self.in_force.policy;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let body = Body::PolicyApplied(Box::new(PolicyEvent {
            policy: AppliedPolicy {
                digest: policy.digest().into(),
                previous,
                files: self.in_force.files.clone(),
                ports: count(policy.watched().filter(|port| port.declared).count()),
                rules: count(policy.rules()),
                warnings: policy.warnings().iter().map(one_line).collect(),
            },
        }));
        self.publisher.send(body, now);
    }
}

/// Says once of each name that it does not resolve, with what cannot be decided without it, and that it does again.
fn tell_changes(policy: &Policy, before: &Names, now: &Names) {
    let failed = |names: &Names, name: &str| matches!(names.get(name), Some(Resolution::Unresolved(_)));
    let open = policy.undecidable(now);
    let new = open.iter().filter(|name| failed(now, name.name) && !failed(before, name.name));
    let mut untold = 0;
    for (place, name) in new.enumerate() {
        if place >= TOLD {
            untold += 1;
            continue;
        }
        let why = name.why.as_deref().unwrap_or_default();
        let what = uses(name);
        tracing::warn!("the host name {} does not resolve ({why}): undecided without it: {what}", name.name);
    }
    if untold > 0 {
        tracing::warn!("{untold} more host names do not resolve; `gdprport daemon status` lists them");
    }
    let again = policy
        .host_names()
        .filter(|name| failed(before, name) && matches!(now.get(name), Some(Resolution::Resolved(_))));
    for name in again.take(TOLD) {
        tracing::info!("the host name {name} resolves again");
    }
}

/// What a name that does not resolve is needed by, as one text.
pub(super) fn uses(name: &Undecidable<'_>) -> String {
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

/// The names that a policy has to be asked for.
pub(super) fn host_names(policy: &Policy) -> Vec<Arc<str>> {
    policy.host_names().map(Arc::from).collect()
}

/// A problem of a policy as one line, for an event.
fn one_line(problem: &Problem) -> String {
    format!("{}:{}:{}: {}", problem.source, problem.line, problem.column, problem.message)
}
