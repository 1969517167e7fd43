//! Where the control socket is and who may use it, for the server and its clients.

/// Where the daemon listens unless it is given another path.
pub(crate) const DEFAULT_SOCKET: &str = "/run/gdprport/control.sock";

/// Where the deliverer listens unless it is given another path.
pub(crate) const DELIVER_SOCKET: &str = "/run/gdprport-deliver/deliver.sock";

/// The group whose members may read through the socket, if it exists on this host.
pub(super) const GROUP: &str = "gdprport";
