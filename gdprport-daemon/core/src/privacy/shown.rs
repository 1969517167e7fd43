//! What is shown of flows, one after the other: of what many flows share it is found once.

use std::net::IpAddr;
use std::sync::Arc;

use super::settings::Privacy;
use crate::community_id::CommunityId;
use crate::flow::Flow;
use crate::model::{Certificate, Endpoint, Nat, Posture, Process, Translation};
use crate::shared::Shared;

/// Processes that are remembered: as many as the encoder remembers, whose memory finds them by the same identity.
const PROCESSES: usize = 256;

/// Addresses that are remembered, 34 bytes each.
const ADDRESSES: usize = 1_024;

/// Shows flows.
#[derive(Debug)]
pub struct Shown {
    privacy: Arc<Privacy>,
    /// A true process and what is shown of it, by the address of the true one. Holding it keeps the address from becoming
    /// another one's.
    processes: Box<[Option<Known<Shared<Process>>>]>,
    addresses: Box<[Option<Known<IpAddr>>]>,
}

/// A true value, and what is shown of it.
type Known<T> = (T, T);

impl Shown {
    /// Shows what these settings ask for.
    #[must_use]
    pub fn new(privacy: Arc<Privacy>) -> Self {
        let processes = (0..PROCESSES).map(|_| None).collect();
        Self { privacy, processes, addresses: vec![None; ADDRESSES].into() }
    }

    /// The settings.
    #[must_use]
    pub const fn privacy(&self) -> &Arc<Privacy> {
        &self.privacy
    }

    /// Makes of a flow what is shown of it. Its verdict stays: its texts were made of what is shown.
    ///
    /// Its id is that of the addresses that are shown, the local one too: the same for both ends, also on two hosts with
    /// one key. The id of the true ones is a digest without a key: whoever tries every address finds them.
    pub fn flow(&mut self, flow: &mut Flow) {
        if self.privacy.hides_peers() {
            let local = Endpoint { ip: self.address(flow.local.ip), ..flow.local };
            flow.peer.ip = self.address(flow.peer.ip);
            flow.id = CommunityId::tcp(local, flow.peer);
            if let Some(Nat::Translated(translation)) = &mut flow.nat {
                let Translation { peer, destination, source } = &mut **translation;
                for end in [peer, destination, source].into_iter().flatten() {
                    end.ip = self.address(end.ip);
                }
            }
            flow.posture = flow.posture.take().map(|posture| self.posture(posture));
        }
        for process in [&mut flow.process, &mut flow.peer_process].into_iter().flatten() {
            *process = self.process(process);
        }
    }

    /// What is shown of a process.
    #[must_use]
    pub fn process(&mut self, process: &Shared<Process>) -> Shared<Process> {
        if !self.privacy.hides_users() {
            return process.clone();
        }
        let slot = &mut self.processes[slot(process.address() as u64, PROCESSES)];
        match slot {
            Some((known, shown)) if known.same(process) => shown.clone(),
            _ => {
                let shown = Shared::new(self.privacy.process(process));
                *slot = Some((process.clone(), shown.clone()));
                shown
            }
        }
    }

    fn address(&mut self, ip: IpAddr) -> IpAddr {
        let bits = match ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => {
                let bits = u128::from(ip);
                // Hosts differ in the low half, networks in the high one.
                (bits >> 64) as u64 ^ bits as u64
            }
        };
        let slot = &mut self.addresses[slot(bits, ADDRESSES)];
        match slot {
            Some((known, shown)) if *known == ip => *shown,
            _ => {
                let shown = self.privacy.address(ip);
                *slot = Some((ip, shown));
                shown
            }
        }
    }

    /// A client may ask for an address as the server's name, and a certificate may be for one.
    fn posture(&self, posture: Shared<Posture>) -> Shared<Posture> {
        let privacy = &self.privacy;
        let sni = posture.sni.as_deref().and_then(|name| privacy.addresses_in(name));
        let evidence = privacy.addresses_in(&posture.evidence);
        let subject = posture.certificate.as_ref().and_then(|of| privacy.addresses_in(&of.subject));
        let issuer = posture.certificate.as_ref().and_then(|of| privacy.addresses_in(&of.issuer));
        if sni.is_none() && evidence.is_none() && subject.is_none() && issuer.is_none() {
            return posture;
        }
        let mut shown = Posture::clone(&posture);
        if let Some(sni) = sni {
            shown.sni = Some(sni.into());
        }
        shown.evidence = evidence.unwrap_or(shown.evidence);
        shown.certificate = shown.certificate.map(|of| {
            let Certificate { subject: was, issuer: by, not_after } = *of;
            Box::new(Certificate { subject: subject.unwrap_or(was), issuer: issuer.unwrap_or(by), not_after })
        });
        Shared::new(shown)
    }
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) into so many slots, a power of two.
const fn slot(value: u64, slots: usize) -> usize {
    (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (slots - 1)
}
