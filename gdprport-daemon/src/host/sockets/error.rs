//! Why sockets could not be listed.

use std::io;

use thiserror::Error;

/// Why sockets could not be listed.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The netlink socket failed, or the kernel ended its list with an error.
    #[error("cannot list TCP sockets: {0}; the kernel needs CONFIG_INET_DIAG (module tcp_diag)")]
    Netlink(#[from] io::Error),
    /// The reply is malformed.
    #[error("cannot list TCP sockets: the kernel's answer cannot be read ({0})")]
    Reply(String),
    /// The kernel says that the list changed while it was written (`NLM_F_DUMP_INTR`), or messages were lost.
    #[error("cannot list TCP sockets: the kernel's list changed again and again while it was read")]
    Inconsistent,
}
