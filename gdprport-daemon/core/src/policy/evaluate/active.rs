//! The active policy: a compiled policy together with what is known of its host names.
//!
//! Belongs here: the one value that flows and listeners are evaluated against, and how it is replaced. The verdicts are
//! `flow`'s and `listener`'s, what unresolved names leave open is `undecidable`'s.

use std::sync::Arc;

use crate::policy::compile::{CompiledDeclaration, ItemId, Policy, PortInfo};
use crate::policy::dns_names::DnsNames;
use crate::privacy::Privacy;

#[cfg(test)]
thread_local! {
    /// How many items were checked for names that are not resolved.
    pub(crate) static CHECKED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A compiled policy and the host names that it is evaluated with. Neither changes in place: another policy or other
/// names make another active policy.
#[derive(Debug)]
pub struct ActivePolicy {
    policy: Arc<Policy>,
    names: DnsNames,
    /// The items with names that are not resolved, by declaration, each ascending: found once and not for every verdict.
    unresolved: Box<[Box<[ItemId]>]>,
    /// How the texts of verdicts show addresses of peers and names of persons; `None`: as they are. No outcome depends on
    /// it.
    privacy: Option<Arc<Privacy>>,
}

impl ActivePolicy {
    /// A policy with what is known of its names so far.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>, names: DnsNames) -> Self {
        Self::shown_by(policy.into(), names, None)
    }

    fn shown_by(policy: Arc<Policy>, names: DnsNames, privacy: Option<Arc<Privacy>>) -> Self {
        let find = |declaration| unresolved_items(&policy, declaration, &names);
        let unresolved = policy.declarations.iter().map(find).collect();
        Self { policy, names, unresolved, privacy }
    }

    /// Another policy with the same names: what was learnt of a name does not depend on the policy.
    #[must_use]
    pub fn with_policy(&self, policy: Arc<Policy>) -> Self {
        Self::shown_by(policy, self.names.clone(), self.privacy.clone())
    }

    /// The same policy with other names.
    #[must_use]
    pub fn with_names(&self, names: DnsNames) -> Self {
        Self::shown_by(Arc::clone(&self.policy), names, self.privacy.clone())
    }

    /// The same, with texts that show peers and persons in this way. It stays with other policies and names.
    #[must_use]
    pub fn with_privacy(self, privacy: Option<Arc<Privacy>>) -> Self {
        Self { privacy, ..self }
    }

    /// How its texts show peers and persons.
    pub(super) fn privacy(&self) -> Option<&Privacy> {
        self.privacy.as_deref()
    }

    /// The compiled policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is known of host names.
    #[must_use]
    pub const fn names(&self) -> &DnsNames {
        &self.names
    }

    /// [`Policy::digest`].
    #[must_use]
    pub fn digest(&self) -> &str {
        self.policy.digest()
    }

    /// [`Policy::watched`].
    pub fn watched(&self) -> impl Iterator<Item = &PortInfo> {
        self.policy.watched()
    }

    /// [`Policy::port`].
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&PortInfo> {
        self.policy.port(number)
    }

    /// The items of one declaration with names that are not resolved, ascending.
    pub(super) fn unresolved(&self, declaration: usize) -> &[ItemId] {
        &self.unresolved[declaration]
    }
}

fn unresolved_items(policy: &Policy, declaration: &CompiledDeclaration, names: &DnsNames) -> Box<[ItemId]> {
    let is_unresolved = |item: &ItemId| {
        #[cfg(test)]
        CHECKED.set(CHECKED.get() + 1);
        policy.peers.items[*item as usize].hosts.iter().any(|name| !names.is_resolved(name))
    };
    declaration.hosts.iter().copied().filter(is_unresolved).collect()
}
