//! A policy's judgement of rows of the ledger.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::change::Now;
use super::kept::Kept;
use crate::ledger::{EdgeKey, VerdictKey};
use crate::policy::{
    ActivePolicy, DeclaredPeer, DeclaredSite, DnsNames, Outline, Policy, PortInfo, TlsDemand,
};
use crate::privacy::is_pseudonym;
use crate::verdict::Verdict;

/// How many parts of a network are judged one by one; a policy that names more addresses within it leaves it undecided.
const PARTS_MAX: usize = 256;

/// A policy that judges rows of the ledger, as if what they count happened at one moment. Host names are not resolved.
#[derive(Debug)]
pub struct Judge {
    active: ActivePolicy,
    /// The networks that the policy names, ascending.
    nets: Vec<IpNet>,
    /// Where one of them begins or has ended, ascending.
    steps: Vec<IpAddr>,
    now: Timestamp,
}

/// Peers that a policy does not tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alike {
    /// This one only.
    Alone(IpNet),
    /// Addresses (whether of IPv6) between the same two edges of what the policy names.
    Between(usize, bool),
}

/// What a policy says of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The outcome.
    pub now: Now,
    /// What would decide it; empty if it is decided.
    pub missing: Vec<String>,
    /// The keys of the nearest rule that fail; empty if there is none, or nothing is missing.
    pub failed: Vec<String>,
}

impl Judge {
    /// Judges by this policy, at this moment: a rule that has ended by then allows nothing.
    #[must_use]
    pub fn new(policy: Policy, outline: &Outline, now: Timestamp) -> Self {
        let mut nets = Vec::new();
        for port in &outline.ports {
            let service = match &port.site {
                DeclaredSite::Remote(service) => service.as_slice(),
                DeclaredSite::Local(_) => &[],
            };
            for peer in port.rules.iter().flat_map(|rule| &rule.peers).chain(service) {
                match peer {
                    DeclaredPeer::Net(net) => nets.push(*net),
                    DeclaredPeer::Loopback => nets.extend(crate::policy::loopback_nets()),
                    DeclaredPeer::Any | DeclaredPeer::Host(_) => {}
                }
            }
        }
        nets.sort_unstable();
        nets.dedup();
        let ends = nets.iter().filter_map(|net| next(net.broadcast()));
        let mut steps: Vec<IpAddr> = nets.iter().map(IpNet::network).chain(ends).collect();
        steps.sort_unstable();
        steps.dedup();
        Self { active: ActivePolicy::new(policy, DnsNames::default()), nets, steps, now }
    }

    /// Which peers this one is judged with: rows that differ in nothing but peers that are alike have one judgement. So a hundred
    /// thousand strangers are judged once.
    #[must_use]
    pub fn alike(&self, peer: IpNet) -> Alike {
        let addr = peer.addr();
        let is_whole = peer.prefix_len() == peer.max_prefix_len();
        // What stands for another address, or for none, is looked at by itself.
        if !is_whole || is_pseudonym(addr) || addr.is_unspecified() || addr.to_canonical() != addr {
            return Alike::Alone(peer);
        }
        Alike::Between(self.steps.partition_point(|step| *step <= addr), addr.is_ipv6())
    }

    /// The policy.
    #[must_use]
    pub const fn active(&self) -> &ActivePolicy {
        &self.active
    }

    /// The port that a row falls under; `None`: the number is not watched.
    #[must_use]
    pub fn port(&self, key: &EdgeKey) -> Option<&PortInfo> {
        self.active.port_of(&Kept::of(key).at(key.peer.addr()).facts())
    }

    /// The judgement of a row, its encryption as it was observed.
    #[must_use]
    pub fn judge(&self, key: &EdgeKey) -> Judged {
        let mut judged = self.of(&Kept::of(key), key.peer);
        // How much of a handshake was seen is not kept: what was undecided for that stays so.
        let was_undecided = matches!(*key.verdict, VerdictKey::Undecided { .. });
        let unsure = was_undecided && key.posture.state.is_tls() && self.demands_tls(key);
        if let (true, Now::Judged(VerdictKey::Declared { rule })) = (unsure, &judged.now) {
            judged.missing = vec!["whether both sides of the handshake were seen".to_owned()];
            judged.now = Now::Judged(VerdictKey::Undecided { nearest: Some(Arc::clone(rule)) });
        }
        self.leave_volume_open(key, &mut judged);
        judged
    }

    /// Rows are of days, and what a rule would have moved in its windows is not added up.
    fn leave_volume_open(&self, key: &EdgeKey, judged: &mut Judged) {
        let Now::Judged(VerdictKey::Declared { rule }) = &judged.now else { return };
        let limit = self.port(key).and_then(|port| self.active.policy().volume_limit(port.index, rule));
        if let Some(limit) = limit {
            judged.missing = vec![format!("whether {rule} had moved more than {limit}")];
            judged.now = Now::Judged(VerdictKey::Undecided { nearest: Some(Arc::clone(rule)) });
        }
    }

    /// The judgement of a row by the rules alone, whatever is demanded of its encryption.
    #[must_use]
    pub fn by_rules(&self, key: &EdgeKey) -> Judged {
        self.of(&Kept::of(key).without_encryption(), key.peer)
    }

    fn demands_tls(&self, key: &EdgeKey) -> bool {
        self.port(key).is_some_and(|port| matches!(port.tls, TlsDemand::AtLeast(_)))
    }

    fn of(&self, kept: &Kept, net: IpNet) -> Judged {
        let whole = net.prefix_len() == net.max_prefix_len();
        if whole || is_pseudonym(net.addr()) {
            return self.one(kept);
        }
        // Between the edges of what the policy names every address is judged alike.
        let Some(parts) = self.parts(net) else { return self.one(kept) };
        let mut judged = parts.into_iter().map(|peer| self.one(&kept.at(peer)));
        let Some(first) = judged.next() else { return self.one(kept) };
        let alike = |other: Judged| match (&first.now, &other.now) {
            (Now::Judged(VerdictKey::Declared { .. }), Now::Judged(VerdictKey::Declared { .. })) => true,
            _ => first.now == other.now,
        };
        if judged.all(alike) { first } else { self.one(kept) }
    }

    /// An address of each part of a network whose addresses the policy does not tell apart; `None`: they are too many.
    fn parts(&self, net: IpNet) -> Option<Vec<IpAddr>> {
        let begin = self.nets.partition_point(|named| named.addr() < net.network());
        let within = self.nets[begin..].iter().take_while(|named| named.addr() <= net.broadcast());
        let mut parts = vec![net.network()];
        for named in within.filter(|named| net.contains(*named)) {
            if parts.len() > PARTS_MAX {
                return None;
            }
            parts.push(named.network());
            parts.extend(next(named.broadcast()).filter(|after| net.contains(after)));
        }
        Some(parts)
    }

    fn one(&self, kept: &Kept) -> Judged {
        let facts = kept.facts();
        let evaluation = self.active.judge(&facts, self.now);
        if evaluation.port.is_none() {
            return Judged { now: Now::Unwatched, missing: Vec::new(), failed: Vec::new() };
        }
        let now = Now::Judged(VerdictKey::from(&evaluation.verdict));
        let (missing, nearest) = match evaluation.verdict {
            Verdict::Undecided { missing, nearest } => (missing, nearest),
            Verdict::Violation { nearest, .. } => (Vec::new(), nearest),
            Verdict::Declared { .. } => (Vec::new(), None),
        };
        Judged { now, missing, failed: nearest.map_or_else(Vec::new, |nearest| nearest.failed) }
    }
}

fn next(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
