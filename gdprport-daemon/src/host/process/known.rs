//! What there is of executables, users, groups and cgroups, and what has appeared since: for the tables that connects are
//! decided by.
//!
//! Belongs here: what the resolver knows of them by itself, apart from any owner. What it means for a rule is
//! `gdprport_core::enforce`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use gdprport_core::cgroup_path::Inside;
use gdprport_core::enforce::{Cgroup, Known};
use gdprport_core::executed::ExecutedFile;
use gdprport_core::model::Naming;

use super::appeared::{Appeared, New};
use super::resolver::Resolver;
use crate::host::accounts::{Account, AccountName};
use crate::host::clock::boottime_ns;
use crate::host::pid::{self, ProcDir};

/// Accounts that are listed in advance, of users and of groups each: what a host has of its own, and its processes.
const ACCOUNTS: usize = 2_048;

/// Where the accounts of the host itself are; those of a directory service are known once a process has them.
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A cgroup as it is known now.
#[derive(Debug)]
pub(crate) struct CgroupNow {
    /// What is known.
    pub(crate) cgroup: Cgroup,
    /// Whether the names of its container are still looked up.
    pub(crate) pending: bool,
}

impl Resolver {
    /// Whether what appears is remembered from now on.
    pub(crate) fn follow_new(&mut self, wanted: bool) {
        self.appeared = Appeared::begin(wanted);
    }

    /// Takes what has appeared; `None`: more than could be remembered, so that [`Self::known_now`] has to be asked again.
    pub(crate) fn appeared(&mut self) -> Option<Vec<New>> {
        self.appeared.take()
    }

    /// All that is known now, with the cgroups whose containers are still looked up. What appears from here on is remembered.
    pub(crate) fn known_now(&mut self) -> (Known, Vec<u64>) {
        self.follow_new(true);
        let mut executables: Vec<Arc<str>> = Vec::new();
        for exec in self.execs.values() {
            match (&exec.file, &exec.shown) {
                (ExecutedFile::Proven(path), _) => executables.push(Arc::clone(path)),
                (_, Some(shown)) if shown.proven => executables.push(Arc::clone(&shown.exe)),
                _ => {}
            }
        }
        let (users, groups) = self.accounts();
        let users = users.into_iter().filter_map(|uid| Some((uid, self.user_now(uid)?))).collect();
        let groups = groups.into_iter().filter_map(|gid| Some((gid, self.group_now(gid)?))).collect();
        let (mut cgroups, mut pending) = (Vec::new(), Vec::new());
        for id in self.cgroups.ids() {
            let now = self.cgroup_now(id);
            pending.extend(now.pending.then_some(id));
            cgroups.push(now.cgroup);
        }
        (Known { executables, users, groups, cgroups, translates: false }, pending)
    }

    /// A cgroup. Of one that is gone, or whose processes only v1 hierarchies place, nothing is known.
    pub(crate) fn cgroup_now(&mut self, id: u64) -> CgroupNow {
        let now_ns = boottime_ns();
        let place = self.cgroups.place(id, now_ns).given(None);
        let place = place.as_deref();
        let container = match place.map(|place| &place.inside) {
            Some(Inside::Container(container)) => self.named(Some(container.clone()), now_ns),
            Some(Inside::Host | Inside::Unproven) | None => None,
        };
        let pending = container.as_ref().is_some_and(|container| container.naming == Naming::Pending);
        let cgroup = Cgroup {
            id,
            path: place.and_then(|place| place.cgroup.clone()),
            unit: place.and_then(|place| place.unit.clone()),
            container,
            container_unproven: place.is_some_and(|place| place.inside == Inside::Unproven),
        };
        CgroupNow { cgroup, pending }
    }

    /// The name of a user, or that there is none; `None`: not known yet.
    pub(crate) fn user_now(&mut self, uid: u32) -> Option<Option<Arc<str>>> {
        self.account(Account::User(uid))
    }

    /// The same of a group.
    pub(crate) fn group_now(&mut self, gid: u32) -> Option<Option<Arc<str>>> {
        self.account(Account::Group(gid))
    }

    fn account(&mut self, account: Account) -> Option<Option<Arc<str>>> {
        match self.names.name(account, boottime_ns()) {
            AccountName::Pending => None,
            known => Some(known.into_name()),
        }
    }

    /// Users and groups that the host has, or its processes.
    fn accounts(&self) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let (mut users, mut groups) = (listed_in(PASSWD), listed_in(GROUP));
        for pid in pid::list(&self.proc_path).unwrap_or_default() {
            let Some(ids) = ProcDir::open(&self.proc, pid).and_then(|dir| dir.ids()) else { continue };
            if users.len() < ACCOUNTS {
                users.insert(ids.uid);
            }
            if groups.len() < ACCOUNTS {
                groups.insert(ids.gid);
            }
        }
        (users, groups)
    }
}

/// The ids of a file of accounts (passwd(5), group(5)); of one that cannot be read, none.
fn listed_in(path: &str) -> BTreeSet<u32> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).take(ACCOUNTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_an_account_of_the_host() {
        assert!(listed_in(PASSWD).contains(&0) && listed_in(GROUP).contains(&0));
        assert!(listed_in("/nowhere").is_empty());
    }
}
