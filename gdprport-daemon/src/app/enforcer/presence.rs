//! What the kernel side knows of the daemon itself: that it is there, and where its own deliverer connects to, which is never denied
//! whatever the policy says.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use gdprport_common::EnforceOwnKey;

use crate::app::monitor::Monitor;
use crate::host::probes::{EnforceError, Probes};

/// What the kernel side is shown.
pub(super) struct Presence {
    pub(super) sinks: OwnSinks,
}

impl Presence {
    /// Nothing was shown yet.
    pub(super) const fn new(sinks: OwnSinks) -> Self {
        Self { sinks }
    }

    /// Shows that there is a daemon at this time (`CLOCK_BOOTTIME`), and with `look` also who its deliverer is now.
    pub(super) fn show(
        &self,
        monitor: &mut Monitor<Probes>,
        now_ns: u64,
        look: bool,
    ) -> Result<(), EnforceError> {
        let maps = monitor.evidence.kernel.enforce();
        maps.renew(now_ns)?;
        if look {
            let own = self.sinks.exempt();
            maps.exempt(&own)?;
            monitor.resets.own = own;
        }
        Ok(())
    }
}

/// Receivers by name and TCP port, and the deliverer's state directory, whose owner the deliverer is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OwnSinks {
    pub(crate) ports: Vec<(Arc<str>, u16)>,
    pub(crate) state: PathBuf,
}

impl OwnSinks {
    /// Those to these ports.
    pub(super) fn to<'a>(&'a self, ports: &'a BTreeSet<u16>) -> impl Iterator<Item = &'a Arc<str>> {
        self.ports.iter().filter(move |(_, port)| ports.contains(port)).map(|(name, _)| name)
    }

    /// Connects of the deliverer's user to the receivers' ports. None while it has no directory, and none of root's: whatever root
    /// starts would be among them.
    pub(super) fn exempt(&self) -> Vec<EnforceOwnKey> {
        let uid = std::fs::metadata(&self.state).ok().map(|meta| meta.uid()).filter(|uid| *uid != 0);
        let ports: BTreeSet<u16> = self.ports.iter().map(|(_, port)| *port).collect();
        uid.map(|uid| ports.iter().map(|port| EnforceOwnKey { uid, port: (*port).into() }).collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn the_owner_of_its_directory_is_the_deliverer_and_never_root() {
        let dir = tempfile::tempdir().expect("a directory");
        let ports = vec![("a".into(), 9_092), ("b".into(), 9_092)];
        let sinks = OwnSinks { ports, state: dir.path().to_owned() };
        if rustix::process::geteuid().is_root() {
            assert_eq!(sinks.exempt(), []);
            chown(dir.path(), Some(5), None).expect("root may");
            assert_eq!(sinks.exempt(), [EnforceOwnKey { uid: 5, port: 9_092 }]);
        }
        assert_eq!(OwnSinks { state: "/nonexistent".into(), ..sinks.clone() }.exempt(), []);
        assert_eq!(sinks.to(&[9_092].into()).count(), 2);
        assert_eq!(sinks.to(&[5_432].into()).count(), 0);
    }
}
