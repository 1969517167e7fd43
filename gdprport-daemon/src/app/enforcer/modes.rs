//! Which ports of a policy ask for what of the kernel.

use gdprport_core::policy::{Enforcement, OnDaemonLoss, OnListener, Policy};

/// The numbers of the ports with a mode.
pub(super) fn with_modes(policy: &Policy) -> impl Iterator<Item = u16> {
    policy.watched().filter(|port| !port.enforcement.mode.is_observe()).map(|port| port.number)
}

/// Whether a port shall be closed once the daemon is lost.
pub(super) fn closes(policy: &Policy) -> bool {
    let closes = |of: Enforcement| !of.mode.is_observe() && of.on_daemon_loss == OnDaemonLoss::Deny;
    policy.watched().any(|port| closes(port.enforcement))
}

/// Whether it is decided who listens on a port.
pub(super) fn guards(policy: &Policy) -> bool {
    let guards = |of: Enforcement| !of.mode.is_observe() && of.listener == OnListener::Deny;
    policy.watched().any(|port| guards(port.enforcement))
}

/// Whether a port has a mode.
pub(super) fn has_modes(policy: &Policy) -> bool {
    with_modes(policy).next().is_some()
}
