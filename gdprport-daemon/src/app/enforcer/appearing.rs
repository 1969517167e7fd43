//! What appears on the host while tables are in force: they grow by it, and so do those that are being made.

use std::collections::BTreeSet;

use gdprport_common::CLASS_UNLISTED;
use gdprport_core::enforce::{Added, Grown, TooLarge};

use super::enforcer::{ACCOUNTS, Enforcer};
use super::thread::NotInForce;
use super::work::Account;
use crate::app::monitor::Monitor;
use crate::host::probes::Probes;
use crate::host::process::New;

/// What may appear while tables are made; beyond, they are made again.
const APPEARED: usize = 65_536;

impl Enforcer {
    /// Takes what has appeared. False: it was more than can be followed.
    pub(super) fn follow(&mut self, monitor: &mut Monitor<Probes>) -> bool {
        let Some(new) = monitor.evidence.resolver.appeared() else { return false };
        if new.is_empty() {
            return true;
        }
        let mut followed = true;
        if let Some(making) = self.making.as_mut() {
            followed = making.appeared.len() + new.len() <= APPEARED;
            if followed {
                making.appeared.extend(new.iter().cloned());
            }
        }
        if self.grown.is_some() {
            self.list(new, monitor);
        }
        followed
    }

    /// Names of users, groups or containers may have come.
    pub(in crate::app) fn names_came(&mut self, monitor: &mut Monitor<Probes>) {
        if self.grown.is_none() {
            return;
        }
        let new: Vec<New> = self.pending.iter().copied().map(New::Cgroup).collect();
        let late = self.accounts.iter().filter(|(_, name)| name.is_none()).map(|(account, _)| *account);
        let late: Vec<Account> = late.collect();
        self.list(new, monitor);
        self.relist(&late, monitor);
    }

    pub(super) fn list(&mut self, new: Vec<New>, monitor: &mut Monitor<Probes>) {
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
    pub(super) fn relist(&mut self, accounts: &[Account], monitor: &mut Monitor<Probes>) {
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
        list: impl FnOnce(&mut Grown) -> Result<Added, TooLarge>,
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
