//! What is done about connections that the policy does not allow, as the author of a policy declares it of a port.
//!
//! Belongs here: the public types and their names in a policy. How they are read is `read`'s; what the kernel is given for
//! them is `crate::enforce`'s.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the values of a key, each with its name in a policy.
macro_rules! values {
    ($(
        $(#[$of_type:meta])*
        enum $type:ident { $($(#[$of_value:meta])* $value:ident = $name:literal,)* }
    )*) => {$(
        $(#[$of_type])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$of_value])* #[serde(rename = $name)] $value,)*
        }

        impl $type {
            /// The values with their names, the least strict first.
            pub(crate) const NAMED: &[(&'static str, Self)] = &[$(($name, Self::$value),)*];

            /// How a policy names it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

values! {
    /// What is done about a connection that no rule of its port allows: `mode`.
    enum Mode {
        /// It is reported.
        #[default]
        Observe = "observe",
        /// It is reported as one that would have been denied, by the same decision in the kernel as with [`Mode::Enforce`].
        Warn = "warn",
        /// It is denied before its first packet.
        Enforce = "enforce",
    }

    /// What becomes of a connection of which the kernel cannot prove in time whether a rule allows it: `on_unknown`.
    enum OnUnknown {
        /// It passes, and is reported.
        #[default]
        Allow = "allow",
        /// It is denied.
        Deny = "deny",
    }

    /// What becomes of connections that were open when the rules changed: `existing`.
    enum OnExisting {
        /// They go on.
        #[default]
        Keep = "keep",
        /// Those that no rule allows any more are ended.
        Reset = "reset",
    }

    /// What becomes of a connection that turns out not to be encrypted as its port demands: `posture`.
    enum OnPosture {
        /// It is reported.
        #[default]
        Report = "report",
        /// It is ended.
        Reset = "reset",
    }

    /// What becomes of a socket that is bound to the port here, and that the policy does not let listen: `listener`.
    enum OnListener {
        /// It is bound. Who listens is compared with no rule.
        #[default]
        Allow = "allow",
        /// It is not bound, where no rule lets its process accept, or `listen` has not its address.
        Deny = "deny",
    }

    /// What the kernel does while no daemon keeps its tables current: `on_daemon_loss`.
    enum OnDaemonLoss {
        /// Connections pass as if the port were observed.
        Allow = "allow",
        /// The last decision stands: what was prepared goes on, everything else is unknown. Needs pins.
        #[default]
        Keep = "keep",
        /// Every connection is denied. Needs pins.
        Deny = "deny",
    }
}

/// What is done about connections of a port, and about who listens on it: `mode` and `[port.enforce]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// What is done about a connection that no rule allows.
    pub mode: Mode,
    /// What becomes of a connection of which the kernel cannot prove in time whether a rule allows it.
    pub on_unknown: OnUnknown,
    /// What becomes of connections that were open when the rules changed.
    pub existing: OnExisting,
    /// What becomes of a connection that is not encrypted as its port demands.
    pub posture: OnPosture,
    /// What becomes of a socket that is bound to the port here, and that the policy does not let listen.
    pub listener: OnListener,
    /// What the kernel does while no daemon keeps its tables current.
    pub on_daemon_loss: OnDaemonLoss,
}

impl Mode {
    /// Whether nothing is decided in the kernel.
    #[must_use]
    pub const fn is_observe(&self) -> bool {
        matches!(self, Self::Observe)
    }
}
