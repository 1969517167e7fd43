//! What a pack is made of.

use gdprport_core::frameworks::{Assessed, Facts};
use gdprport_core::pack::Recorded;

use super::super::frameworks::pack_command;
use super::super::words::Lang;

/// What a pack is made of.
#[derive(Debug)]
pub(crate) struct Pack<'p> {
    /// The record of processing, and what else the answers rest on.
    pub(crate) facts: Facts<'p>,
    /// What audits before have recorded.
    pub(crate) recorded: &'p [Recorded],
    /// What there is for the controls of frameworks.
    pub(crate) frameworks: &'p [Assessed],
    /// The language of the record.
    pub(crate) lang: Lang,
}

impl Pack<'_> {
    /// The command that makes the same again, from the same ledger and policy and at the same time.
    pub(super) fn command(&self) -> String {
        pack_command(self.frameworks, self.facts.records, self.lang)
    }
}
