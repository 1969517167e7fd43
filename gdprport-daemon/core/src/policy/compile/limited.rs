//! The rules of a policy that may move only so much.

use std::sync::Arc;

use super::policy::Policy;
use crate::policy::volume::VolumeLimit;

/// A rule that may move only so much.
#[derive(Debug, Clone)]
pub(crate) struct Limited<'p> {
    /// The place of its declaration.
    pub declaration: usize,
    /// The declaration's name.
    pub port: &'p Arc<str>,
    /// Its role.
    pub role: &'p Arc<str>,
    /// How much.
    pub limit: VolumeLimit,
}

impl Policy {
    /// The rules that may move only so much, in the order of their ports' names.
    pub(crate) fn limited(&self) -> impl Iterator<Item = Limited<'_>> {
        self.declarations.iter().enumerate().flat_map(|(declaration, declared)| {
            declared.rules.iter().filter_map(move |rule| {
                Some(Limited { declaration, port: &declared.name, role: &rule.role, limit: rule.volume? })
            })
        })
    }

    /// The place of the declaration of every watched port, in the order of [`watched`](Self::watched).
    pub(crate) fn declarations_of_ports(&self) -> impl Iterator<Item = Option<usize>> {
        self.ports.claims().iter().map(|claim| claim.declaration)
    }

    /// How much a rule of the port at this place of [`watched`](Self::watched) may move.
    #[must_use]
    pub fn volume_limit(&self, port: usize, role: &str) -> Option<VolumeLimit> {
        let declaration = &self.declarations[self.ports.claims().get(port)?.declaration?];
        declaration.rules.iter().find(|rule| *rule.role == *role)?.volume
    }
}
