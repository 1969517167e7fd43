//! Deciding connections in the kernel: from the policy and what is known of the host to the tables that are in force.
//!
//! Belongs here: when tables are made, written, grown and removed, and what is said where that cannot be done. What they say is
//! `gdprport_core::enforce`'s, how they are written `host::probes`'s.
//!
//! Tables are made for a policy, and again when its host names resolve otherwise, when the clock is set (rules end by the time of
//! day), when this host begins or ceases to translate addresses, and when what appeared was more than could be followed. Between
//! that they grow. Where they cannot be put in force nothing is decided, which is said wherever the daemon speaks of itself:
//! tables of another policy would be worse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gdprport_common::{CLASS_UNLISTED, Counters, EnforceInForce, EnforceTally};
use gdprport_core::enforce::{Added, Clock, Fingerprint, Grown, expected, lower};
use gdprport_core::policy::{ActivePolicy, DnsNames, Enforcement, OnDaemonLoss, Policy};
use jiff::Timestamp;

use super::monitor::Monitor;
use super::presence::{OwnSinks, Presence};
use crate::control::api::{Decisions, EnforcementStatus};
use crate::host::brake::{Brake, Pulled};
use crate::host::clock::boottime_ns;
use crate::host::nat;
use crate::host::probes::{EnforceError, EnforceRoom, LoadError, Probes};
use crate::host::process::New;

/// How often names of users and groups are looked at again, in seconds: as often as they are looked up again.
const ACCOUNTS_EVERY: u32 = 300;

/// How many cgroups may appear until the tables are made again, without those that are gone.
const CGROUPS: usize = 2_048;

/// How often it is tried again what had no room or failed, in seconds.
const AGAIN_EVERY: u32 = 60;

/// How often it is looked whether this host translates addresses, in seconds.
const NAT_EVERY: u32 = 10;

/// A user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    User(u32),
    Group(u32),
}

/// Users and groups that are listed; beyond, they are unknown.
const ACCOUNTS: usize = 16_384;

/// Has connections decided.
pub(super) struct Enforcer {
    /// While it is pulled, none are.
    brake: Brake,
    /// Since when it is.
    pulled: Option<Pulled>,
    /// Until when the policy is on trial.
    trial_ns: Option<u64>,
    /// The tables in force; `None`: none are.
    grown: Option<Grown>,
    /// Why none are, although the policy asks for it.
    error: Option<String>,
    /// Tables have to be made again.
    due: bool,
    translates: bool,
    /// Cgroups whose containers are still looked up.
    pending: BTreeSet<u64>,
    /// Names as they are in the tables; `None`: pending.
    accounts: BTreeMap<Account, Option<Option<Arc<str>>>>,
    /// Cgroups that appeared since the tables were made. Nobody says when one goes.
    cgroups: usize,
    /// Values that found no room.
    unlisted: u64,
    seconds: u32,
    presence: Presence,
}

/// Why no tables are in force.
#[derive(Debug, thiserror::Error)]
enum NotInForce {
    #[error(transparent)]
    TooLarge(#[from] gdprport_core::enforce::TooLarge),
    #[error(transparent)]
    Kernel(#[from] EnforceError),
    #[error("{0}")]
    Braked(String),
}

impl From<LoadError> for NotInForce {
    fn from(error: LoadError) -> Self {
        Self::Kernel(error.into())
    }
}

/// The room that the kernel's tables need for a policy, before anything is loaded. Of one that is too large it is found out when
/// it is to be put in force.
#[must_use]
pub(super) fn room(policy: &Arc<Policy>) -> EnforceRoom {
    if !has_modes(policy) {
        return EnforceRoom::default();
    }
    let active = ActivePolicy::new(Arc::clone(policy), DnsNames::default());
    let clock = Clock { now: Timestamp::UNIX_EPOCH, boot_ns: 0 };
    lower(&active, &expected(policy), clock, Fingerprint::new([0, 0]), 1)
        .map_or_else(|_| EnforceRoom::default(), |(tables, _)| EnforceRoom::of(&tables))
}

/// The numbers of the ports with a mode.
fn with_modes(policy: &Policy) -> impl Iterator<Item = u16> {
    policy.watched().filter(|port| !port.enforcement.mode.is_observe()).map(|port| port.number)
}

/// Whether a port shall be closed once the daemon is lost.
fn closes(policy: &Policy) -> bool {
    let closes = |of: Enforcement| !of.mode.is_observe() && of.on_daemon_loss == OnDaemonLoss::Deny;
    policy.watched().any(|port| closes(port.enforcement))
}

fn has_modes(policy: &Policy) -> bool {
    with_modes(policy).next().is_some()
}

const fn decided(tally: EnforceTally) -> Decisions {
    let EnforceTally { asked, left, allowed, unknown, would_deny, denied, unsettled } = tally;
    Decisions { asked, left, allowed, unknown, would_deny, denied, unsettled }
}

impl Enforcer {
    /// One that has nothing decided yet. `sinks`: whose connects are never denied.
    #[must_use]
    pub(super) fn new(brake: Brake, sinks: OwnSinks) -> Self {
        Self {
            brake,
            pulled: None,
            presence: Presence::new(sinks),
            trial_ns: None,
            grown: None,
            error: None,
            due: false,
            translates: false,
            pending: BTreeSet::new(),
            accounts: BTreeMap::new(),
            cgroups: 0,
            unlisted: 0,
            seconds: 0,
        }
    }

    /// Puts the active policy in force. What a previous daemon left is replaced by it, or removed.
    pub(super) fn begin(&mut self, monitor: &mut Monitor<Probes>) {
        self.translates = has_modes(monitor.active_policy.policy()) && nat::translates();
        self.make(monitor);
    }

    /// The policy is another one. `trial_ns`: it is on trial until then (`CLOCK_BOOTTIME`), and the kernel goes back to the one
    /// before by itself, should nobody be there to do it.
    pub(super) fn policy_changed(&mut self, trial_ns: Option<u64>, monitor: &mut Monitor<Probes>) {
        self.trial_ns = trial_ns;
        self.begin(monitor);
    }

    /// Rules end at other moments, or names have other addresses: the next [`Self::step`] makes the tables again.
    pub(super) const fn outdated(&mut self) {
        self.due = true;
    }

    /// Lists what has appeared. To be called after each round of records.
    pub(super) fn step(&mut self, monitor: &mut Monitor<Probes>) {
        if self.grown.is_none() {
            return;
        }
        if self.due || self.cgroups > CGROUPS {
            return self.make(monitor);
        }
        match monitor.evidence.resolver.appeared() {
            Some(new) if new.is_empty() => {}
            Some(new) => self.list(new, monitor),
            None => self.make(monitor),
        }
    }

    /// Names of users, groups or containers may have come.
    pub(super) fn names_came(&mut self, monitor: &mut Monitor<Probes>) {
        if self.grown.is_none() {
            return;
        }
        let new: Vec<New> = self.pending.iter().copied().map(New::Cgroup).collect();
        let late = self.accounts.iter().filter(|(_, name)| name.is_none()).map(|(account, _)| *account);
        let late: Vec<Account> = late.collect();
        self.list(new, monitor);
        self.relist(&late, monitor);
    }

    /// What is done once a second.
    pub(super) fn second(&mut self, monitor: &mut Monitor<Probes>) {
        if !has_modes(monitor.active_policy.policy()) {
            return;
        }
        self.seconds = self.seconds.wrapping_add(1);
        let look = self.seconds.is_multiple_of(NAT_EVERY);
        if let Err(error) = self.presence.show(monitor, boottime_ns(), look) {
            tracing::error!(%error, "connections may be decided as if there were no daemon");
        }
        if self.brake.pulled() != self.pulled {
            return self.make(monitor);
        }
        if self.seconds.is_multiple_of(NAT_EVERY) && nat::translates() != self.translates {
            self.translates = !self.translates;
            self.due = true;
        }
        if (self.error.is_some() || self.unlisted > 0) && self.seconds.is_multiple_of(AGAIN_EVERY) {
            return self.make(monitor);
        }
        if self.grown.is_none() {
            return;
        }
        if !self.pending.is_empty() || self.accounts.values().any(Option::is_none) {
            self.names_came(monitor);
        }
        if self.seconds.is_multiple_of(ACCOUNTS_EVERY) {
            let all: Vec<Account> = self.accounts.keys().copied().collect();
            self.relist(&all, monitor);
        }
        self.step(monitor);
    }

    /// What is in force; `None`: the policy asks for nothing.
    #[must_use]
    pub(super) fn status(&self, monitor: &Monitor<Probes>, counters: &Counters) -> Option<EnforcementStatus> {
        let policy = monitor.active_policy.policy();
        has_modes(policy).then(|| EnforcementStatus {
            error: self.error.clone(),
            translates: self.translates,
            unlisted: self.unlisted,
            unpinned: closes(policy) && monitor.evidence.kernel.pins().is_none(),
            sinks: self.presence.sinks.to(&with_modes(policy).collect()).cloned().collect(),
            endings: monitor.resets.status(),
            arrivals_pass: monitor.evidence.kernel.arrivals_pass(),
            decisions: decided(counters.decisions),
            arrivals: decided(counters.arrivals),
            repeated: counters.repeated,
        })
    }

    /// Makes tables of what is known now, and puts them in force.
    fn make(&mut self, monitor: &mut Monitor<Probes>) {
        (self.due, self.grown, self.cgroups) = (false, None, 0);
        if !has_modes(monitor.active_policy.policy()) {
            self.error = None;
            monitor.evidence.resolver.follow_new(false);
            if let Err(error) = self.leave_nothing(monitor) {
                tracing::error!(%error, "what was decided before this policy may still be");
            }
            return monitor.decided(false);
        }
        self.pulled = self.brake.pulled();
        let mut done = match &self.pulled {
            Some(pulled) => Err(NotInForce::Braked(pulled.to_string())),
            None => self.put_in_force(monitor),
        };
        if let Err(NotInForce::Kernel(EnforceError::NoRoom { .. })) = done {
            tracing::warn!(
                "the kernel's tables have no room for two policies at once: nothing is decided for a moment"
            );
            done = self
                .leave_nothing(monitor)
                .map_err(NotInForce::from)
                .and_then(|()| self.put_in_force(monitor));
        }
        match done {
            Ok(()) => {
                for sink in self.presence.sinks.to(&with_modes(monitor.active_policy.policy()).collect()) {
                    tracing::warn!(
                        %sink,
                        "the policy decides connects to the port of this sink: the deliverer's are not denied, and are \
                         violations until a rule allows them"
                    );
                }
                if self.error.take().is_some() {
                    tracing::info!("connections are decided by the policy again");
                }
            }
            Err(why) => {
                tracing::error!("connections are not decided, nothing is denied: {why}");
                self.error = Some(why.to_string());
                monitor.evidence.resolver.follow_new(false);
                if let Err(error) = self.leave_nothing(monitor) {
                    tracing::error!(%error, "what was decided before may still be");
                }
            }
        }
        monitor.decided(self.error.is_none());
    }

    fn put_in_force(&mut self, monitor: &mut Monitor<Probes>) -> Result<(), NotInForce> {
        let clock = Clock { now: monitor.now(), boot_ns: boottime_ns() };
        let (mut known, pending) = monitor.evidence.resolver.known_now();
        known.translates = self.translates;
        self.pending = pending.into_iter().collect();
        self.accounts =
            known.users.iter().map(|(uid, name)| (Account::User(*uid), Some(name.clone()))).collect();
        self.accounts
            .extend(known.groups.iter().map(|(gid, name)| (Account::Group(*gid), Some(name.clone()))));
        // First, since it may fail, and nothing would take rows away that are in force nowhere.
        self.presence.show(monitor, clock.boot_ns, true)?;
        let mut ports: Vec<u16> = with_modes(monitor.active_policy.policy()).collect();
        let maps = monitor.evidence.kernel.enforce();
        let generation = maps.next()?;
        let (tables, grown) = lower(&monitor.active_policy, &known, clock, maps.fingerprint(), generation)?;
        maps.write(&tables)?;
        self.activate(generation, monitor)?;
        if self.trial_ns.is_some() {
            ports.extend_from_slice(monitor.evidence.kernel.decided());
        }
        monitor.evidence.kernel.decide(ports)?;
        // Nobody reads them any more.
        monitor.evidence.kernel.enforce().remove_others()?;
        (self.grown, self.unlisted) = (Some(grown), 0);
        Ok(())
    }

    fn activate(&self, generation: u32, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        let maps = monitor.evidence.kernel.enforce();
        match self.trial_ns {
            Some(until_ns) => maps.try_out(generation, boottime_ns(), until_ns),
            None => maps.activate(generation),
        }
    }

    fn leave_nothing(&mut self, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        self.pending.clear();
        self.accounts.clear();
        if self.trial_ns.is_some() && self.pulled.is_none() {
            return self.activate(0, monitor);
        }
        let kernel = &mut monitor.evidence.kernel;
        if kernel.enforce().in_force()? == EnforceInForce::default() {
            return Ok(());
        }
        kernel.decide([])?;
        kernel.enforce().clear()
    }

    fn list(&mut self, new: Vec<New>, monitor: &mut Monitor<Probes>) {
        let mut accounts = BTreeSet::new();
        for new in new {
            match new {
                New::Executable(path) => {
                    self.add(monitor, |grown| {
                        if grown.compares_executables() {
                            grown.executable(&path)
                        } else {
                            // Those that rules name are listed, and no rule asks for another.
                            Ok(Added::default())
                        }
                    });
                }
                New::Cgroup(id) => {
                    let now = monitor.evidence.resolver.cgroup_now(id);
                    let was_pending = self.pending.remove(&id);
                    self.cgroups += usize::from(!was_pending);
                    if now.pending {
                        self.pending.insert(id);
                    }
                    self.add(monitor, |grown| grown.cgroup(&now.cgroup));
                }
                New::Owner(uid, gid) => {
                    accounts.extend([Account::User(uid), Account::Group(gid)]);
                }
            }
        }
        accounts.retain(|account| !self.accounts.contains_key(account));
        let room = ACCOUNTS.saturating_sub(self.accounts.len());
        let accounts: Vec<Account> = accounts.into_iter().take(room).collect();
        self.relist(&accounts, monitor);
    }

    /// Lists users and groups by the names that they have now.
    fn relist(&mut self, accounts: &[Account], monitor: &mut Monitor<Probes>) {
        for account in accounts {
            let resolver = &mut monitor.evidence.resolver;
            let now = match account {
                Account::User(uid) => resolver.user_now(*uid),
                Account::Group(gid) => resolver.group_now(*gid),
            };
            let before = self.accounts.insert(*account, now.clone());
            if let Some(name) = now
                && before != Some(Some(name.clone()))
            {
                self.add(monitor, |grown| match account {
                    Account::User(uid) => grown.user(*uid, name),
                    Account::Group(gid) => grown.group(*gid, name),
                });
            }
        }
    }

    /// Writes what the tables need to know a value. Where there is no room it stays unknown, until there is.
    fn add(
        &mut self,
        monitor: &mut Monitor<Probes>,
        list: impl FnOnce(&mut Grown) -> Result<Added, gdprport_core::enforce::TooLarge>,
    ) {
        let Some(grown) = &mut self.grown else { return };
        let maps = monitor.evidence.kernel.enforce();
        let written = list(grown).map_err(NotInForce::from).and_then(|added| match added.class {
            Some((value, CLASS_UNLISTED)) => Ok(maps.forget(&[value])?),
            class => Ok(maps.add(&added.rules, class.as_slice())?),
        });
        if let Err(error) = written {
            if self.unlisted == 0 {
                tracing::warn!(%error, "connections of programs that appear are unknown");
            }
            self.unlisted += 1;
        }
    }
}
