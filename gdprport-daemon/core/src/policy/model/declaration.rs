//! The merged policy: declarations and their rules, every reference resolved.

use std::sync::Arc;

use jiff::Timestamp;

use super::exception::Exception;
use super::peer::{PeerSets, PeerSpec};
use super::process::ProcessSpec;
use crate::catalog;
use crate::model::Direction;
use crate::policy::declared::{Controller, Emit, ProcessingRecord, TlsDemand};
use crate::policy::enforcement::Enforcement;
use crate::policy::read::PortRange;
use crate::policy::volume::VolumeLimit;
use crate::written::{At, Loc};

#[derive(Default)]
pub(crate) struct Model {
    pub controller: Option<Controller>,
    pub sets: PeerSets,
    pub declarations: Vec<Declaration>,
    /// In the order written.
    pub exceptions: Vec<Exception>,
}

/// One `[[port]]`.
pub(crate) struct Declaration {
    pub name: Arc<str>,
    /// Of its name.
    pub loc: Loc,
    pub table: Loc,
    /// The line of the table.
    pub line: u32,
    pub numbers: Vec<At<PortRange>>,
    pub site: Site,
    pub protocol: Option<&'static catalog::Service>,
    pub tls: TlsDemand,
    pub emit: Emit,
    pub enforcement: Enforcement,
    /// Where its mode is written.
    pub mode: Option<Loc>,
    /// Where it is written who may listen.
    pub listener: Option<Loc>,
    pub record: Option<At<Arc<ProcessingRecord>>>,
    /// Whether a rule is written for it, usable or not.
    pub ruled: bool,
    pub rules: Vec<Rule>,
}

pub(crate) enum Site {
    /// On this host; `None`: it may be bound anywhere.
    Local(Option<Vec<PeerSpec>>),
    /// Elsewhere; sets are already replaced by their members.
    Remote(Vec<At<PeerSpec>>),
}

pub(crate) struct Rule {
    pub role: Arc<str>,
    /// Of its role.
    pub loc: Loc,
    pub table: Loc,
    /// Whether it is a top-level `[[allow]]`.
    pub top_level: bool,
    /// The line of the table.
    pub line: u32,
    pub direction: At<Direction>,
    /// Not empty; sets are known.
    pub peers: Vec<PeerSpec>,
    /// `None`: any process.
    pub process: Option<Arc<ProcessSpec>>,
    /// The last moment at which it is valid.
    pub until: Option<At<Timestamp>>,
    /// How much it may move.
    pub volume: Option<VolumeLimit>,
}
