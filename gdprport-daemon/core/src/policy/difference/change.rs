//! One difference between two policies.

use std::cmp::Reverse;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

/// What a difference does to flows, as far as the policies themselves show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Something is allowed, accepted or not watched that was not so before.
    AllowsMore,
    /// Something is not allowed any more, or demanded, that was before.
    AllowsLess,
    /// No verdict changes by it.
    SaysOtherwise,
}

/// What differs. Ascending by how much it matters among differences of the same effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Whether a port is declared, or which numbers it has.
    Port,
    /// What is demanded of the encryption.
    Encryption,
    /// Where a service runs, and where it may be bound.
    Place,
    /// What is done about connections that no rule allows.
    Enforcement,
    /// A rule came in or went.
    Rule,
    /// Whom a rule allows.
    Peers,
    /// What a rule asks of the process.
    Process,
    /// Which direction a rule allows.
    Direction,
    /// Until when a rule is valid.
    Until,
    /// How much a rule may move.
    Volume,
    /// An exception.
    Exception,
    /// A name or role.
    Name,
    /// The record of processing.
    Record,
    /// Who is responsible.
    Controller,
    /// Which events are sent.
    Events,
    /// The protocol of a port.
    Protocol,
    /// The order of rules.
    Order,
}

/// One difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// What it does to flows.
    pub effect: Effect,
    /// What differs.
    pub what: What,
    /// The declaration that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Arc<str>>,
    /// The role of the rule that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Arc<str>>,
    /// It in words, one sentence without a full stop.
    pub text: String,
    /// Addresses that come in or go by it; 0: it is not about addresses, or they cannot be counted. Saturates.
    #[serde(skip)]
    pub addresses: u128,
}

impl Difference {
    pub(super) fn new(effect: Effect, what: What, text: impl Into<String>) -> Self {
        Self { effect, what, port: None, rule: None, text: text.into(), addresses: 0 }
    }

    pub(super) fn on(mut self, port: &Arc<str>) -> Self {
        self.port = Some(Arc::clone(port));
        self
    }

    pub(super) fn by(mut self, rule: &Arc<str>) -> Self {
        self.rule = Some(Arc::clone(rule));
        self
    }

    pub(super) const fn counting(mut self, addresses: u128) -> Self {
        self.addresses = addresses;
        self
    }
}

/// Sorts differences by what matters: what allows more first, and of that what concerns the most.
pub(super) fn sort(differences: &mut [Difference]) {
    differences.sort_by_key(|one| (one.effect, one.what, Reverse(one.addresses)));
}
