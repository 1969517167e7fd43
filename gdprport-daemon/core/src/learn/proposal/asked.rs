//! What a proposal is made of, and what came of it.

use jiff::Timestamp;

use super::super::header::Context;
use super::super::seen::Seen;
use crate::ledger::Edge;
use crate::policy::Problems;

/// How many rules a port gets at once; beyond that nobody reads them.
pub(super) const RULES_PER_PORT: usize = 32;

/// How many rules a proposal has in all: with lists of 64 peers each it stays far below what a policy file may have.
pub(super) const RULES_MAX: usize = 400;

/// How many declarations a proposal has.
pub(super) const PORTS_MAX: usize = 200;

/// What a proposal is made of.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Rows of the ledger with their numbers, in any order.
    pub rows: &'a [(i64, Edge)],
    /// The same rows and the listeners, as services.
    pub seen: &'a Seen,
    /// Propose rules for violations too, instead of comments.
    pub include_violations: bool,
    /// What the proposal says of itself; `at` is the moment at which an existing policy is judged.
    pub context: &'a Context<'a>,
}

impl Asked<'_> {
    pub(super) const fn now(&self) -> Timestamp {
        self.context.at
    }
}

/// A proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The file's text, which the policy's compiler takes.
    pub text: String,
    /// Declarations that it adds.
    pub ports: usize,
    /// Rules that it adds.
    pub rules: usize,
    /// Rules that it has as comments only, because somebody has to decide.
    pub commented: usize,
    /// Comments beside existing rules.
    pub beside: usize,
    /// Marked blanks.
    pub blanks: usize,
    /// Groups that were too many to be written out.
    pub grouped: usize,
}

/// Why nothing can be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The file, or what it would become, is no valid policy.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// Tables cannot be added to it.
    #[error(
        "{file} writes `{key}` as a value in one place, to which no table can be added: write each of its items under a line \
         `[[{key}]]`"
    )]
    Inline {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
    },
}
