//! What is on a host whose daemon has no policy: one look at it, beside the loop, for whoever started it.

use std::thread;

use gdprport_core::inventory::Inventory;

use super::scan::{Look, Progress, ScanError, look};
use crate::host::containers::Places;

/// What is known without a policy.
pub(crate) struct FirstLook {
    /// What listens and talks here, if the host could be looked at.
    pub(crate) found: Result<Inventory, ScanError>,
    /// How many ports of the catalog are watched.
    pub(crate) ports: usize,
}

/// Who gets it.
pub(crate) type FirstLookTo = Box<dyn FnOnce(FirstLook) + Send>;

/// Looks at the host on a thread of its own, while the daemon watches already, and hands over what it found.
pub(super) fn begin(containers: Places, ports: usize, to: FirstLookTo) {
    let look = move || {
        let progress = Progress::default();
        let found = look(&Look { policy: None, containers: &containers, progress: &progress });
        to(FirstLook { found, ports });
    };
    if let Err(error) = thread::Builder::new().name("first-look".to_owned()).spawn(look) {
        tracing::warn!(%error, "the host is not looked at: a thread cannot be started");
    }
}
