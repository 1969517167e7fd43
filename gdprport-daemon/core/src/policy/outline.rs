//! A policy as its author wrote it, with places: for those who judge the policy itself, not flows.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::declared::{Controller, Emit, ProcessingRecord, TlsDemand};
use super::enforcement::Enforcement;
use super::model::{PortKey, ProcessSpec, loopback_nets};
use super::volume::VolumeLimit;
use crate::catalog;
use crate::model::Direction;

/// A place in the policy's files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, as it was named when the policy was read.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// The policy as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Who answers for the data.
    pub controller: Option<Controller>,
    /// The declarations, in the order written. Rules of a top-level `[[allow]]` come behind those of their port.
    pub ports: Vec<DeclaredPort>,
    /// The exceptions, in the order written.
    pub exceptions: Vec<Exception>,
    /// The peers of `[peers]`, by name.
    pub sets: Vec<PeerSet>,
}

/// Peers that the policy names together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSet {
    /// The name.
    pub name: Arc<str>,
    /// Who they are, in the order written.
    pub members: Vec<DeclaredPeer>,
}

impl PeerSet {
    /// Whether all addresses of a network are in one of its members. Those of host names are not known here.
    #[must_use]
    pub fn has(&self, net: &IpNet) -> bool {
        self.members.iter().any(|member| match member {
            DeclaredPeer::Any => true,
            DeclaredPeer::Loopback => loopback_nets().iter().any(|loopback| loopback.contains(net)),
            DeclaredPeer::Net(member) => member.contains(net),
            DeclaredPeer::Host(_) => false,
        })
    }
}

/// One `[[port]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredPort {
    /// Its name.
    pub name: Arc<str>,
    /// Where its table begins.
    pub place: Place,
    /// Its numbers.
    pub numbers: Vec<RangeInclusive<u16>>,
    /// Where the service runs.
    pub site: DeclaredSite,
    /// Its protocol, where the catalog knows it.
    pub protocol: Option<&'static catalog::Service>,
    /// What it demands of the encryption.
    pub tls: TlsDemand,
    /// Which events it sends.
    pub emit: Emit,
    /// What is done about connections that no rule allows.
    pub enforcement: Enforcement,
    /// Its record of processing.
    pub record: Option<Arc<ProcessingRecord>>,
    /// Where the record's table begins.
    pub record_place: Option<Place>,
    /// Its rules, in the order written.
    pub rules: Vec<DeclaredRule>,
}

/// Where a declared service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredSite {
    /// On this host, bound to these; `None`: it may be bound anywhere.
    Local(Option<Vec<DeclaredPeer>>),
    /// Elsewhere.
    Remote(Vec<DeclaredPeer>),
}

/// One `[[port.allow]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredRule {
    /// Its role.
    pub role: Arc<str>,
    /// Where its table begins.
    pub place: Place,
    /// True if it is a top-level `[[allow]]`, which names its port.
    pub top_level: bool,
    /// Which direction it allows.
    pub direction: Direction,
    /// Whom it allows; sets of `[peers]` are replaced by their members.
    pub peers: Vec<DeclaredPeer>,
    /// What it asks of the process, by key, in the order of the keys and with their values sorted; of labels each is an entry
    /// of its own, with values such as `app=orders`. Empty: any process.
    pub process: Vec<(&'static str, Vec<String>)>,
    /// The last moment at which it is valid.
    pub until: Option<Timestamp>,
    /// How much it may move.
    pub volume: Option<VolumeLimit>,
}

/// Whom a rule allows, or where a service is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeclaredPeer {
    /// `any`.
    Any,
    /// `loopback`.
    Loopback,
    /// An address (of full length) or a network.
    Net(IpNet),
    /// A host name.
    Host(Arc<str>),
}

impl fmt::Display for DeclaredPeer {
    /// As a policy writes it, without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Loopback => f.write_str("loopback"),
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
            // A name without a dot is written with one at its end.
            Self::Host(name) if !name.contains('.') => write!(f, "{name}."),
            Self::Host(name) => f.write_str(name),
        }
    }
}

/// One `[[exception]]`: a finding, or a reason of violations, that somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Where its table begins.
    pub place: Place,
    /// The id of a finding or of a violation's reason.
    pub finding: Arc<str>,
    /// The declaration's or the catalog's name, or a number.
    pub port: Option<Arc<str>>,
    /// Whom it is limited to; empty: anybody.
    pub peers: Vec<DeclaredPeer>,
    /// What it is limited to, by key, as in [`DeclaredRule::process`]; empty: any process.
    pub process: Vec<(&'static str, Vec<String>)>,
    /// Why it is accepted; never empty.
    pub why: Arc<str>,
    /// By whom; never empty.
    pub accepted_by: Arc<str>,
    /// The last day on which it counts, in UTC.
    pub until: Date,
    /// The port and the process as they are compared.
    pub(crate) compared: (Option<PortKey>, Option<Arc<ProcessSpec>>),
}
