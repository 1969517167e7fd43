//! Whether an exception accepts a finding.
//!
//! Belongs here: the comparison with what an audit found. Violations are compared where they are reported
//! (`evaluate/accepted`).

use ipnet::IpNet;
use jiff::civil::Date;

use super::model::loopback_nets;
use super::outline::{DeclaredPeer, Exception};
use crate::model::{Attribution, Process};

/// What a finding is about, as far as that is known: what an exception is compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The name of the declaration, or the catalog's.
    pub port: Option<&'a str>,
    /// The TCP port.
    pub number: Option<u16>,
    /// The peer, or a network of which every address is one.
    pub peer: Option<IpNet>,
    /// The process.
    pub process: Option<&'a Process>,
}

impl Exception {
    /// Whether it accepts the finding (or reason) with this id about this, on this day in UTC. What is not known is accepted
    /// by no exception that asks for it; host names among its peers are not resolved here and contain nobody.
    #[must_use]
    pub fn accepts(&self, id: &str, about: &About<'_>, today: Date) -> bool {
        let (port, spec) = &self.compared;
        let process = about.process.filter(|process| process.attribution != Attribution::Unknown);
        *self.finding == *id
            && today <= self.until
            && port.as_ref().is_none_or(|port| port.is(about.port, about.number))
            && (self.peers.is_empty()
                || about.peer.is_some_and(|peer| self.peers.iter().any(|own| contains(own, peer))))
            && spec.as_ref().is_none_or(|spec| process.is_some_and(|process| spec.matches(process)))
    }
}

fn contains(own: &DeclaredPeer, peer: IpNet) -> bool {
    match own {
        DeclaredPeer::Any => true,
        DeclaredPeer::Loopback => loopback_nets().iter().any(|net| net.contains(&peer)),
        DeclaredPeer::Net(net) => net.contains(&peer),
        DeclaredPeer::Host(_) => false,
    }
}
