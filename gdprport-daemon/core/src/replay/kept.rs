//! A row of the ledger as a policy compares it. What the ledger does not keep is not known, which is never the same as absent.

use std::net::{IpAddr, Ipv4Addr};

use crate::ledger::EdgeKey;
use crate::model::{Direction, Endpoint, Posture, PostureState, Process};
use crate::policy::Facts;
use crate::privacy::{is_pseudonym, is_pseudonymous_id};

/// What the ledger keeps of a flow.
#[derive(Debug, Clone)]
pub struct Kept {
    direction: Direction,
    number: u16,
    peer: IpAddr,
    process: Option<Process>,
    posture: Option<Posture>,
    missing: Option<String>,
}

impl Kept {
    /// Of a row.
    #[must_use]
    pub fn of(key: &EdgeKey) -> Self {
        let mut process = key.identity.evidence();
        // A rule names nobody by the number of a pseudonym.
        if let Some(process) = process.as_mut().filter(|process| is_pseudonymous_id(process.uid)) {
            (process.uid, process.user) = (u32::MAX, None);
        }
        let posture = (key.posture.state != PostureState::Unknown).then(|| Posture {
            version: key.posture.version,
            cipher: key.posture.cipher.clone(),
            ..Posture::new(key.posture.state, "as the ledger has it")
        });
        let net = key.peer;
        let missing = if is_pseudonym(net.addr()) {
            Some("as the ledger has a pseudonym only".to_owned())
        } else if net.prefix_len() < net.max_prefix_len() {
            Some(format!("as the ledger has only its network {net}"))
        } else {
            None
        };
        Self {
            direction: key.direction,
            number: key.port.number,
            peer: net.addr(),
            process,
            posture,
            missing,
        }
    }

    /// The same with this address as the peer's.
    pub(super) fn at(&self, peer: IpAddr) -> Self {
        Self { peer, missing: None, ..self.clone() }
    }

    /// The same as if nothing had to be encrypted: by the rules alone.
    pub(super) fn without_encryption(mut self) -> Self {
        self.posture = Some(Posture::new(PostureState::NoData, "not asked"));
        self
    }

    /// What a policy is asked about.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let (local, peer) = match self.direction {
            Direction::In => (Endpoint::new(nobody, self.number), Endpoint::new(self.peer, 0)),
            Direction::Out => (Endpoint::new(nobody, 0), Endpoint::new(self.peer, self.number)),
        };
        Facts {
            direction: self.direction,
            local,
            peer,
            nat: None,
            process: self.process.as_ref(),
            owner_withheld: None,
            posture: self.posture.as_ref(),
            peer_missing: self.missing.as_deref(),
            peer_within: None,
        }
    }
}
