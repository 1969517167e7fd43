//! What has connections decided: its state, what it is told by the loop, and how it stands.
//!
//! Does not belong here: making tables and putting them in force (`making`), and what they grow by (`appearing`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gdprport_common::{Counters, EnforceTally};
use gdprport_core::enforce::{Clock, Fingerprint, Grown, expected, lower};
use gdprport_core::policy::{ActivePolicy, DnsNames, Policy};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::modes::{closes, guards, has_modes, with_modes};
use super::presence::{OwnSinks, Presence};
use super::thread::{Done, TableThread};
use super::work::{Account, Accounts, Coming, Making, Ready};
use crate::app::monitor::Monitor;
use crate::control::api::{Decisions, EnforcementStatus};
use crate::host::brake::{Brake, Pulled};
use crate::host::clock::boottime_ns;
use crate::host::nat;
use crate::host::probes::{EnforceRoom, EnforceTables, Probes};

/// How often names of users and groups are looked at again, in seconds: as often as they are looked up again.
const ACCOUNTS_EVERY: u32 = 300;

/// How many cgroups may appear until the tables are made again, without those that are gone.
const CGROUPS: usize = 2_048;

/// How often it is tried again what had no room or failed, in seconds.
const AGAIN_EVERY: u32 = 60;

/// How often it is looked whether this host translates addresses, in seconds.
const NAT_EVERY: u32 = 10;

/// Users and groups that are listed; beyond, they are unknown.
pub(super) const ACCOUNTS: usize = 16_384;

/// Has connections decided.
pub(in crate::app) struct Enforcer {
    /// While it is pulled, none are.
    pub(super) brake: Brake,
    /// Since when it is.
    pub(super) pulled: Option<Pulled>,
    /// Until when the policy is on trial.
    pub(super) trial_ns: Option<u64>,
    /// The tables in force; `None`: none are, or they cannot grow.
    pub(super) grown: Option<Grown>,
    /// Why none are, although the policy asks for it.
    pub(super) error: Option<String>,
    /// Tables have to be made again.
    pub(super) due: bool,
    /// There may be rows that nobody reads.
    pub(super) sweep: bool,
    /// What writes them has an order.
    pub(super) busy: bool,
    /// The tables that it makes.
    pub(super) making: Option<Making>,
    /// A policy that is applied once its tables are written.
    pub(super) coming: Option<Coming>,
    /// They are, or cannot be.
    pub(super) ready: Option<Ready>,
    /// What was in force was removed, so that there is room.
    pub(super) alone: bool,
    pub(super) thread: TableThread,
    pub(super) translates: bool,
    /// Cgroups whose containers are still looked up.
    pub(super) pending: BTreeSet<u64>,
    pub(super) accounts: Accounts,
    /// Cgroups that appeared since the tables were made. Nobody says when one goes.
    pub(super) cgroups: usize,
    /// Values that found no room.
    pub(super) unlisted: u64,
    seconds: u32,
    pub(super) presence: Presence,
}

/// The room that the kernel's tables need for a policy, before anything is loaded. Of one that is too large it is found out when
/// it is to be put in force.
#[must_use]
pub(in crate::app) fn room(policy: &Arc<Policy>) -> EnforceRoom {
    if !has_modes(policy) {
        return EnforceRoom::default();
    }
    let active = ActivePolicy::new(Arc::clone(policy), DnsNames::default());
    let clock = Clock { now: Timestamp::UNIX_EPOCH, boot_ns: 0 };
    lower(&active, &expected(policy), clock, Fingerprint::new([0, 0]), 1)
        .map_or_else(|_| EnforceRoom::default(), |(tables, _)| EnforceRoom::of(&tables))
}

const fn decided(tally: EnforceTally) -> Decisions {
    let EnforceTally { asked, left, allowed, unknown, would_deny, denied, unsettled } = tally;
    Decisions { asked, left, allowed, unknown, would_deny, denied, unsettled }
}

impl Enforcer {
    /// One that has nothing decided yet. `sinks`: whose connects are never denied. `done`: where it is said that tables are written,
    /// for [`Self::done`]; it has room for one.
    #[must_use]
    pub(in crate::app) fn new(
        brake: Brake,
        sinks: OwnSinks,
        tables: EnforceTables,
        done: mpsc::Sender<Done>,
    ) -> Self {
        Self {
            brake,
            pulled: None,
            presence: Presence::new(sinks),
            trial_ns: None,
            grown: None,
            error: None,
            due: false,
            sweep: false,
            busy: false,
            making: None,
            coming: None,
            ready: None,
            alone: false,
            thread: TableThread::new(tables, done),
            translates: false,
            pending: BTreeSet::new(),
            accounts: BTreeMap::new(),
            cgroups: 0,
            unlisted: 0,
            seconds: 0,
        }
    }

    /// Begins to put the active policy in force. What a previous daemon left is replaced by it, or removed.
    pub(in crate::app) fn begin(&mut self, monitor: &mut Monitor<Probes>) {
        if has_modes(monitor.active_policy.policy()) {
            self.show_presence(false, monitor);
        }
        self.policy_changed(None, monitor);
    }

    /// Whether tables are being made.
    #[must_use]
    pub(in crate::app) const fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Rules end at other moments, or names have other addresses: the tables are made again.
    pub(in crate::app) const fn outdated(&mut self) {
        self.due = true;
    }

    /// Lists what has appeared. To be called after each round of records.
    pub(in crate::app) fn step(&mut self, monitor: &mut Monitor<Probes>) {
        if self.grown.is_none() && !self.is_making() {
            return;
        }
        self.due |= self.cgroups > CGROUPS;
        self.due |= !self.follow(monitor);
        self.go_on(monitor);
    }

    /// What is done once a second.
    pub(in crate::app) fn second(&mut self, monitor: &mut Monitor<Probes>) {
        if !has_modes(monitor.active_policy.policy()) {
            return;
        }
        self.seconds = self.seconds.wrapping_add(1);
        self.show_presence(self.seconds.is_multiple_of(NAT_EVERY), monitor);
        if self.brake.pulled() != self.pulled {
            return self.braked(monitor);
        }
        if self.seconds.is_multiple_of(NAT_EVERY) && nat::translates() != self.translates {
            self.translates = !self.translates;
            self.due = true;
        }
        self.due |= (self.error.is_some() || self.unlisted > 0) && self.seconds.is_multiple_of(AGAIN_EVERY);
        if self.grown.is_some() {
            if !self.pending.is_empty() || self.accounts.values().any(Option::is_none) {
                self.names_came(monitor);
            }
            if self.seconds.is_multiple_of(ACCOUNTS_EVERY) {
                let all: Vec<Account> = self.accounts.keys().copied().collect();
                self.relist(&all, monitor);
            }
        }
        self.step(monitor);
        self.go_on(monitor);
    }

    fn show_presence(&self, look: bool, monitor: &mut Monitor<Probes>) {
        if let Err(error) = self.presence.show(monitor, boottime_ns(), look) {
            tracing::error!(%error, "connections may be decided as if there were no daemon");
        }
    }

    /// What is in force; `None`: the policy asks for nothing.
    #[must_use]
    pub(in crate::app) fn status(
        &self,
        monitor: &Monitor<Probes>,
        counters: &Counters,
    ) -> Option<EnforcementStatus> {
        let policy = monitor.active_policy.policy();
        has_modes(policy).then(|| EnforcementStatus {
            error: self.error.clone(),
            writing: self.is_making(),
            translates: self.translates,
            unlisted: self.unlisted,
            unpinned: closes(policy) && monitor.evidence.kernel.pins().is_none(),
            sinks: self.presence.sinks.to(&with_modes(policy).collect()).cloned().collect(),
            endings: monitor.resets.status(),
            arrivals_pass: monitor.evidence.kernel.arrivals_pass(),
            decisions: decided(counters.decisions),
            arrivals: decided(counters.arrivals),
            repeated: counters.repeated,
            binds: guards(policy).then(|| decided(counters.binds)),
            binds_pass: monitor.evidence.kernel.binds_pass().filter(|_| guards(policy)),
        })
    }
}
