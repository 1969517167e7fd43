//! What a pack is made of.

use gdprport_core::evidence::SecretKey;
use gdprport_core::frameworks::{Assessed, Facts};
use gdprport_core::pack::{LogPart, Recorded};

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
    /// What the evidence log has of the period, or why there is none.
    pub(crate) log: Result<&'p LogPart, &'p str>,
    /// Who signs the list of files, or why nobody does.
    pub(crate) signer: Result<&'p SecretKey, &'p str>,
    /// The language of the record.
    pub(crate) lang: Lang,
}

impl<'p> Pack<'p> {
    /// Why there are no checkpoints; `None`: there are.
    pub(super) fn no_checkpoints(&self) -> Option<&'p str> {
        match self.log {
            Ok(log) if log.checkpoints.is_empty() => {
                Some("the evidence log has no checkpoint of this period or before it")
            }
            Ok(_) => None,
            Err(why) => Some(why),
        }
    }

    /// The command that makes the same again, from the same ledger and policy and at the same time.
    pub(super) fn command(&self) -> String {
        pack_command(self.frameworks, self.facts.records, self.lang)
    }
}
