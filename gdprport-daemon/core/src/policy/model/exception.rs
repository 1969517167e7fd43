//! One `[[exception]]`, references resolved.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::peer::PeerSpec;
use super::port_key::PortKey;
use super::process::ProcessSpec;
use crate::policy::read::Acceptable;
use crate::written::{At, Loc};

/// What somebody accepted.
pub(crate) struct Exception {
    pub table: Loc,
    pub finding: Acceptable,
    /// `None`: on any port.
    pub port: Option<PortKey>,
    /// Sets are known; `None`: with any peer, and without one.
    pub peers: Option<Vec<PeerSpec>>,
    /// `None`: any process, known or not.
    pub process: Option<Arc<ProcessSpec>>,
    pub why: Arc<str>,
    pub accepted_by: Arc<str>,
    pub until: Date,
    /// The last moment of that day in UTC, and where it is written.
    pub end: At<Timestamp>,
}
