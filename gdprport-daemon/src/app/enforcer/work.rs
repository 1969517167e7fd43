//! What is made of the tables at the moment, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gdprport_core::enforce::Grown;
use gdprport_core::policy::Policy;

use super::thread::NotInForce;
use crate::host::process::New;

/// A user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Account {
    User(u32),
    Group(u32),
}

/// Users and groups by the names that they have in tables; `None`: pending.
pub(super) type Accounts = BTreeMap<Account, Option<Option<Arc<str>>>>;

/// Tables that are being made, and what was known for them.
pub(super) struct Making {
    pub(super) generation: u32,
    /// The policy's.
    pub(super) digest: String,
    /// It is a policy that comes.
    pub(super) comes: bool,
    pub(super) pending: BTreeSet<u64>,
    pub(super) accounts: Accounts,
    /// What has appeared since.
    pub(super) appeared: Vec<New>,
}

/// A policy that is not applied yet.
pub(super) struct Coming {
    pub(super) policy: Arc<Policy>,
    /// What is in force has to stay beside it.
    pub(super) on_trial: bool,
}

/// What a policy that comes finds.
pub(super) enum Ready {
    /// The tables in force are its own: it was on trial.
    InForce,
    /// Tables that are written, or why not.
    Made(Making, Result<Box<Grown>, NotInForce>),
    /// They could not even be begun.
    Failed(NotInForce),
}
