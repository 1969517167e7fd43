//! Tables that are in use and grow: what becomes known of the host after they were made.
//!
//! A value whose class is there already takes one row. Of a new class the rules have to say something first: its rows for them
//! come before the row that gives the value its class. Until then the value has the class of what is not listed, of which
//! patterns, names and cgroups are unknown, so that no moment says anything wrong of it.

use std::sync::Arc;

use gdprport_common::{
    CLASS_UNLISTED, ENFORCE_CGROUP, ENFORCE_EXE, ENFORCE_GID, ENFORCE_PARTS, ENFORCE_UID, EnforceClassKey,
    EnforceRule, EnforceRuleKey,
};

use super::fingerprint::Fingerprint;
use super::known::{Cgroup, executable, group, user};
use super::parts::Part;
use super::rules::{Buckets, keyed};
use super::tables::TooLarge;
use crate::model::Process;

/// The tables of a generation, as far as they can grow. What is added to it is what [`lower`](super::lower) would have made of the same.
pub struct Grown {
    pub(super) generation: u32,
    pub(super) fingerprint: Fingerprint,
    pub(super) parts: [Part; ENFORCE_PARTS],
    pub(super) buckets: Buckets,
}

/// Rows to be written, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// What the rules say of a class that is new.
    pub rules: Vec<(EnforceRuleKey, EnforceRule)>,
    /// The class of the value; `None`: it has that already.
    pub class: Option<(EnforceClassKey, u32)>,
}

impl Grown {
    /// The generation.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether rules ask about executables by patterns, so that a new one has to be listed to be known.
    #[must_use]
    pub fn compares_executables(&self) -> bool {
        self.parts[ENFORCE_EXE].has_open()
    }

    /// Lists an executable by its path.
    ///
    /// # Errors
    /// If there is no more room: it stays as it is.
    pub fn executable(&mut self, path: &Arc<str>) -> Result<Added, TooLarge> {
        let value = self.fingerprint.of(path);
        self.list(ENFORCE_EXE, value, &executable(Arc::clone(path)))
    }

    /// Lists a user; without a name, if it is known that the id has none.
    ///
    /// # Errors
    /// As for [`Self::executable`].
    pub fn user(&mut self, uid: u32, name: Option<Arc<str>>) -> Result<Added, TooLarge> {
        self.list(ENFORCE_UID, [uid.into(), 0], &user(uid, Some(name)))
    }

    /// Lists a group likewise.
    ///
    /// # Errors
    /// As for [`Self::executable`].
    pub fn group(&mut self, gid: u32, name: Option<Arc<str>>) -> Result<Added, TooLarge> {
        self.list(ENFORCE_GID, [gid.into(), 0], &group(gid, Some(name)))
    }

    /// Lists a cgroup, or what is known of it by now.
    ///
    /// # Errors
    /// As for [`Self::executable`].
    pub fn cgroup(&mut self, cgroup: &Cgroup) -> Result<Added, TooLarge> {
        self.list(ENFORCE_CGROUP, [cgroup.id, 0], &cgroup.member())
    }

    fn list(&mut self, part: usize, value: [u64; 2], like: &Process) -> Result<Added, TooLarge> {
        let Self { parts, buckets, generation, .. } = self;
        let before = parts[part].values.get(&value).copied().unwrap_or(CLASS_UNLISTED);
        let (class, is_new) = parts[part].list(value, like)?;
        let mut added = Added::default();
        if is_new {
            match buckets.grow(part, class, parts[part].meets(class)) {
                Ok(rows) => added.rules = keyed(*generation, rows),
                Err(too_large) => {
                    parts[part].give_up(value, before);
                    return Err(too_large);
                }
            }
        }
        added.class = (class != before).then(|| (self.key(part, value), class));
        Ok(added)
    }

    fn key(&self, part: usize, value: [u64; 2]) -> EnforceClassKey {
        let part = u32::try_from(part).expect("four parts");
        EnforceClassKey { generation: self.generation, part, value }
    }
}
