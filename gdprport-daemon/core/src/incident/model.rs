//! The model: plain values.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::asked::AskedPort;
use super::watched::Watched;
use crate::ledger::{ListenerRow, VolumeHour};
use crate::policy::{Controller, DeclaredPort};
use crate::records::{Records, Zone};

/// By when the authority has to be notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// How long after the controller became aware (Art. 33(1)).
    pub within: Duration,
    /// When that was; `None`: nobody said it yet, and nothing of what was observed says it.
    pub aware: Option<Timestamp>,
}

impl Deadline {
    /// What the law in force says (Art. 33(1)).
    pub const LAW: Duration = Duration::from_hours(72);

    /// Within what is asked for, else what the controller declares, else what the law says.
    #[must_use]
    pub fn new(asked: Option<Duration>, controller: Option<&Controller>, aware: Option<Timestamp>) -> Self {
        let declared = || controller.and_then(|controller| controller.notify_within);
        Self { within: asked.or_else(declared).unwrap_or(Self::LAW), aware }
    }

    /// The moment; `None`: it is not known when the controller became aware.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        let within = SignedDuration::try_from(self.within).ok()?;
        self.aware?.checked_add(within).ok()
    }
}

/// Who can reach a listener, as far as its address shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// This host only.
    Host,
    /// A private network.
    Private,
    /// A public address.
    Public,
    /// Every address of this host.
    Every,
}

impl Exposure {
    /// Of the address that a listener is bound to.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_unspecified() {
            return Self::Every;
        }
        match Zone::of(&IpNet::from(ip)) {
            Zone::Host => Self::Host,
            Zone::Private => Self::Private,
            // A pseudonym is never a listener's address.
            Zone::Public | Zone::Unknown => Self::Public,
        }
    }
}

/// A listener of that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachable {
    /// As the ledger has it.
    pub listener: ListenerRow,
    /// Who could reach it, as far as its address shows. Firewalls are not known.
    pub exposure: Exposure,
}

/// A policy that was in force then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyThen {
    /// Its digest; `None`: there was no policy.
    pub digest: Option<Arc<str>>,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it is in force, as far as the ledger knows.
    pub to: Option<Timestamp>,
    /// What it declares of the port; `None`: its text is not known. Empty: nothing.
    pub declares: Option<Vec<DeclaredPort>>,
}

/// Flows of one hour.
pub type HourOf = VolumeHour;

/// A draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The port.
    pub port: AskedPort,
    /// Begin of the time.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// By when the authority has to be notified.
    pub deadline: Deadline,
    /// Who is responsible, as the policy of now declares.
    pub controller: Option<Controller>,
    /// What listened, in the order of the ledger.
    pub reachable: Vec<Reachable>,
    /// Policies in force, oldest first.
    pub policies: Vec<PolicyThen>,
    /// What happened on the port: rows of whole days that touch the time.
    pub records: Records,
    /// The same by hours.
    pub hours: Vec<HourOf>,
    /// What was watched.
    pub watched: Watched,
}
