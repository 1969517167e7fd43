//! What is shown: the inventory, where it is from, and the policy that it was compared with. `--json` prints it as it is.

use gdprport_core::inventory::{Inventory, Listening};
use serde::Serialize;

/// The shape of the JSON: raised when something that is there changes its meaning. Fields are only added.
pub(in crate::ui) const FORMAT: u32 = 1;

/// A scan.
#[derive(Debug, Serialize)]
pub(in crate::ui) struct Report {
    /// [`FORMAT`].
    pub(in crate::ui) format: u32,
    /// The host's name.
    pub(in crate::ui) host: String,
    /// The policy whose declarations were compared; `None`: there is none, or it could not be read.
    pub(in crate::ui) policy: Option<PolicyNote>,
    /// What was found.
    #[serde(flatten)]
    pub(in crate::ui) inventory: Inventory,
}

/// Which policy was compared.
#[derive(Debug, Serialize)]
pub(in crate::ui) struct PolicyNote {
    /// As in events.
    pub(in crate::ui) digest: String,
    /// Its files, in the order read.
    pub(in crate::ui) files: Vec<String>,
}

impl Report {
    /// Listeners of services that the catalog knows.
    pub(super) fn known(&self) -> impl Iterator<Item = &Listening> {
        self.inventory.listeners.iter().filter(|listening| listening.service.id.is_some())
    }

    /// The others.
    pub(super) fn others(&self) -> impl Iterator<Item = &Listening> {
        self.inventory.listeners.iter().filter(|listening| listening.service.id.is_none())
    }

    /// What is to be done next, as a command.
    pub(super) const fn next(&self) -> &'static str {
        if self.policy.is_some() { "gdprport audit" } else { "sudo gdprport init --output policy.toml" }
    }
}
