//! The values of `mode` and `[port.enforce]`: one word each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::policy::enforcement::{Mode, OnDaemonLoss, OnExisting, OnListener, OnPosture, OnUnknown};
use crate::written::{At, Node, Read, Report, TableReader, one_of, schema, tables};

/// Reads a word and writes its schema; the second is what a message calls it.
macro_rules! words {
    ($($type:ident: $what:literal,)*) => {$(
        schema!(
            $type,
            json_schema!({ "enum": $type::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>() })
        );

        impl Read for $type {
            fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
                one_of(node, $what, Self::NAMED, report)
            }
        }
    )*};
}

words! {
    Mode: "mode",
    OnUnknown: "value for `on_unknown`:",
    OnExisting: "value for `existing`:",
    OnPosture: "value for `posture`:",
    OnListener: "value for `listener`:",
    OnDaemonLoss: "value for `on_daemon_loss`:",
}

tables! {
    /// How connections are denied, for the modes "warn" and "enforce".
    "`enforce`" => struct RawEnforce as "Enforce" {
        required {}
        optional {
            /// What becomes of a connection of which the kernel cannot prove in time whether a rule allows it.
            on_unknown: OnUnknown,
            /// What becomes of connections that were open when the rules changed.
            existing: OnExisting,
            /// What becomes of a connection that is not encrypted as its port demands.
            posture: OnPosture,
            /// What becomes of a socket that is bound to the port, where no rule with the direction "in" allows its process, or `listen`
            /// has not its address.
            listener: OnListener,
            /// What the kernel does while no daemon keeps its tables current.
            on_daemon_loss: OnDaemonLoss,
        }
        later {}
    }
}
