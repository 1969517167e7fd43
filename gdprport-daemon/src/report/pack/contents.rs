//! What a pack is made of.

use gdprport_core::frameworks::{Assessed, Facts};
use gdprport_core::pack::Recorded;

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
        let ids: Vec<&str> = self.frameworks.iter().map(|of| of.framework.id()).collect();
        let since = self.facts.records.about.asked;
        format!(
            "gdprport report --pack --since {since} --lang {} --framework {}",
            self.lang.tag(),
            ids.join(",")
        )
    }
}
