//! `gdprport policy explain …`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::flows::port;
use gdprport_core::model::Direction;

/// `gdprport policy explain …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct ExplainArgs {
    /// The port, by its name in the policy or catalog, or by its number.
    #[arg(long, value_name = "NAME|NUMBER", value_parser = port, required_unless_present_any = ["flow", "row"])]
    pub(in crate::ui) port: Option<String>,
    /// An open flow: its community id (`1:…=`) or cookie, as events and `flows --json` have them. Asks the daemon.
    #[arg(long, value_name = "ID", conflicts_with_all = ["row", "port", "policy"])]
    pub(in crate::ui) flow: Option<String>,
    /// A row of the ledger, judged by the policy files as they are now.
    #[arg(long, value_name = "N", conflicts_with = "port")]
    pub(in crate::ui) row: Option<i64>,
    /// The ledger that the row is in.
    #[arg(long, value_name = "FILE", requires = "row")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// Policy file to read instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) policy: Vec<PathBuf>,
    /// What the flow would be like.
    #[command(flatten)]
    pub(in crate::ui) made_up: MadeUp,
}

/// A flow that could be.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "A flow that could be")]
pub(in crate::ui) struct MadeUp {
    /// Who connects.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) from: Option<String>,
    /// Whom it connects to.
    #[arg(long, value_name = "ADDR[:PORT]", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) to: Option<String>,
    /// `in`: accepted here, `out`: connected from here. Only needed where the port is served here and elsewhere.
    #[arg(long, value_name = "in|out", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) direction: Option<Way>,
    /// Absolute path of the executable at this end.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) exe: Option<String>,
    /// Its user, by name or number.
    #[arg(long, value_name = "USER", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) user: Option<String>,
    /// Its group, by name or number.
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) group: Option<String>,
    /// Its systemd unit.
    #[arg(long, value_name = "UNIT", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) unit: Option<String>,
    /// The name of its container.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) container: Option<String>,
    /// The container's image.
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) image: Option<String>,
    /// A label of the container or its pod; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["flow", "row"], value_parser = label)]
    pub(in crate::ui) label: Vec<(String, String)>,
    /// The name of its Kubernetes pod.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) pod: Option<String>,
    /// The pod's namespace.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) namespace: Option<String>,
    /// The pod's workload, such as `Deployment/orders`.
    #[arg(long, value_name = "KIND/NAME", conflicts_with_all = ["flow", "row"], value_parser = workload)]
    pub(in crate::ui) workload: Option<(String, String)>,
    /// How it is encrypted: `1.3`, `1.2`, or a state as events have it, such as `plaintext`.
    #[arg(long, value_name = "TLS", conflicts_with_all = ["flow", "row"])]
    pub(in crate::ui) tls: Option<String>,
}

/// Which end this host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::ui) enum Way {
    In,
    Out,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::In => Self::In,
            Way::Out => Self::Out,
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn workload(text: &str) -> Result<(String, String), String> {
    let (kind, name) = text.split_once('/').ok_or("write it with its kind, as Deployment/orders")?;
    Ok((kind.to_owned(), name.to_owned()))
}
