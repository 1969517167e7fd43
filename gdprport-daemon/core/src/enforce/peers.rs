//! Peers: which ports share a group, and what each network of a group is decided by.

use std::collections::{BTreeSet, HashMap};

use gdprport_common::{
    ENFORCE_DENY, ENFORCE_DENY_UNKNOWN, ENFORCE_FIRST, ENFORCE_LOST_DENIES, ENFORCE_LOST_PASSES,
    ENFORCE_OPEN, ENFORCE_STEPS, ENFORCE_STEPS_CHAIN, ENFORCE_WARN, EnforcePeer, EnforcePeerKey, EnforcePort,
    EnforceStep, EnforceSteps, EnforceStepsKey,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::decide::{cut, mapped};
use super::guarded::guards;
use super::rules::{Buckets, Reach};
use super::tables::{PEERS_MAX, STEPS_MAX, TooLarge};
use crate::model::{Direction, Endpoint};
use crate::policy::{
    ActivePolicy, CompiledSite, DnsNames, Enforcement, Facts, ItemId, Mode, OnDaemonLoss, OnUnknown,
    PeerIndex, PortClaim, Resolution,
};

/// Most steps of one peer, with those that stand with it.
const STEPS_OF_PEER: usize = ENFORCE_STEPS * ENFORCE_STEPS_CHAIN;

/// The networks of items: those that are written, and the addresses of their host names.
struct Nets(HashMap<ItemId, Vec<IpNet>>);

impl Nets {
    fn new(index: &PeerIndex, names: &DnsNames) -> Self {
        let mut nets: HashMap<ItemId, Vec<IpNet>> = HashMap::new();
        for (net, items) in index.nets() {
            items.iter().for_each(|item| nets.entry(*item).or_default().push(net));
        }
        for (item, known) in (0..).zip(&index.items) {
            for name in &known.hosts {
                let Some(Resolution::Resolved(addresses)) = names.get(name) else { continue };
                let addresses = addresses.iter().map(|address| IpNet::from(address.to_canonical()));
                nets.entry(item).or_default().extend(addresses);
            }
        }
        Self(nets)
    }

    fn of(&self, item: ItemId) -> impl Iterator<Item = IpNet> {
        self.0.get(&item).into_iter().flatten().copied()
    }
}

/// The tables of peers while they are made.
pub(super) struct Peers<'a> {
    active: &'a ActivePolicy,
    buckets: &'a Buckets,
    generation: u32,
    translates: bool,
    /// Of the items of rules, and of those of remote services.
    nets: [Nets; 2],
    /// By the declarations that claim a number.
    groups: HashMap<Vec<Option<usize>>, EnforcePort>,
    lists: HashMap<Vec<(u32, u32)>, u32>,
    pub peers: Vec<(EnforcePeerKey, EnforcePeer)>,
    pub steps: Vec<(EnforceStepsKey, EnforceSteps)>,
}

impl<'a> Peers<'a> {
    pub(super) fn new(
        active: &'a ActivePolicy,
        buckets: &'a Buckets,
        generation: u32,
        translates: bool,
    ) -> Self {
        let (policy, names) = (active.policy(), active.names());
        Self {
            active,
            buckets,
            generation,
            translates,
            nets: [Nets::new(&policy.peers, names), Nets::new(&policy.services, names)],
            groups: HashMap::new(),
            lists: HashMap::new(),
            peers: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// What a number with these claims is decided by.
    pub(super) fn port(&mut self, number: u16, claims: &[PortClaim]) -> Result<EnforcePort, TooLarge> {
        let declared: Vec<_> = claims.iter().map(|claim| claim.declaration).collect();
        if let Some(known) = self.groups.get(&declared) {
            return Ok(*known);
        }
        let own = EnforcePort::own(number.into());
        self.group(own.accepted, number, Direction::In, &claims[..1])?;
        self.group(own.connected, number, Direction::Out, claims)?;
        let bound = if self.bound(own.bound, claims)? { own.bound } else { 0 };
        let port = EnforcePort { bound, ..own };
        self.groups.insert(declared, port);
        Ok(port)
    }

    /// Adds the networks of one direction.
    fn group(
        &mut self,
        group: u32,
        number: u16,
        direction: Direction,
        claims: &[PortClaim],
    ) -> Result<(), TooLarge> {
        for net in self.networks(direction, claims) {
            let peer = self.peer(number, direction, net)?;
            self.add(group, net, peer)?;
        }
        Ok(())
    }

    /// Adds the addresses that a socket may be bound to, if that is decided. Returns whether it is.
    fn bound(&mut self, group: u32, claims: &[PortClaim]) -> Result<bool, TooLarge> {
        let Some(declaration) = guards(claims) else { return Ok(false) };
        let policy = self.active.policy();
        let CompiledSite::Local(scope) = &policy.declarations[declaration].site else { return Ok(false) };
        let nothing = EnforcePeer {
            declaration: u32::try_from(declaration).expect("fewer than ports"),
            flags: flags(claims[0].info.enforcement),
            ..EnforcePeer::default()
        };
        let steps: Vec<_> = self.buckets.of((declaration, Direction::In, Reach::Nobody)).collect();
        let allowed = self.with(&steps, Ipv6Net::default().into(), nothing)?;
        for (net, allows) in scope.networks() {
            self.add(group, net, if allows { allowed } else { nothing })?;
        }
        Ok(true)
    }

    /// Adds a network to a group.
    fn add(&mut self, group: u32, net: IpNet, peer: EnforcePeer) -> Result<(), TooLarge> {
        let bits = match net {
            IpNet::V4(net) => 96 + u32::from(net.prefix_len()),
            IpNet::V6(net) => u32::from(net.prefix_len()),
        };
        let address = cut(mapped(net.network()), bits);
        let key = EnforcePeerKey { prefix: 64 + bits, generation: self.generation, group, address };
        self.peers.push((key, peer));
        TooLarge::check(self.peers.len(), PEERS_MAX, "networks of peers", "write fewer, wider networks")
    }

    /// The networks whose addresses are decided alike, but for those in a smaller one.
    fn networks(&self, direction: Direction, claims: &[PortClaim]) -> BTreeSet<IpNet> {
        let mut nets: BTreeSet<IpNet> = [Ipv4Net::default().into(), Ipv6Net::default().into()].into();
        // Which peer it is in truth is not known then.
        if self.translates && direction == Direction::In {
            return nets;
        }
        for declaration in claims.iter().filter_map(|claim| claim.declaration) {
            let declared = &self.active.policy().declarations[declaration];
            let rules = declared.rules.iter().filter(|rule| rule.direction == direction);
            let items: BTreeSet<ItemId> = rules.flat_map(|rule| rule.peers.iter().copied()).collect();
            nets.extend(items.into_iter().flat_map(|item| self.nets[0].of(item)));
            if let CompiledSite::Remote(Some(service)) = &declared.site {
                nets.extend(self.nets[1].of(*service));
            }
        }
        nets
    }

    /// What the addresses of a network are decided by.
    fn peer(&mut self, number: u16, direction: Direction, net: IpNet) -> Result<EnforcePeer, TooLarge> {
        let (active, policy) = (self.active, self.active.policy());
        let at = Endpoint::new(net.addr(), number);
        let facts = Facts {
            direction,
            local: at,
            peer: at,
            nat: None,
            process: None,
            owner_withheld: None,
            posture: None,
            peer_missing: None,
            peer_within: Some(net),
        };
        let nothing = EnforcePeer::default();
        let Some(claimed) = active.claim(&facts) else { return Ok(nothing) };
        let Some(declaration) = claimed.claim.declaration else { return Ok(nothing) };
        let mut flags = flags(claimed.claim.info.enforcement);
        let nothing =
            EnforcePeer { declaration: u32::try_from(declaration).expect("fewer than ports"), ..nothing };
        if flags == 0 {
            return Ok(nothing);
        }
        let may_be = |other: &PortClaim| {
            !std::ptr::eq(other, claimed.claim)
                && (active.is_open(other) || self.translates && !claimed.by_peer)
        };
        if claimed.earlier.iter().any(may_be) {
            flags |= ENFORCE_OPEN;
        }
        let remote = matches!(policy.declarations[declaration].site, CompiledSite::Remote(_));
        if direction == Direction::In && remote {
            return Ok(EnforcePeer { flags, ..nothing });
        }
        let known = (!self.translates || direction == Direction::Out).then_some(net);
        let mut items = Vec::new();
        policy.peers.each(known, active.names(), |item| items.push(item));
        let steps = self.buckets.steps(declaration, direction, items.into_iter());
        self.with(&steps, net, EnforcePeer { flags, ..nothing })
    }

    /// The same, with these steps.
    fn with(
        &mut self,
        steps: &[EnforceStep],
        net: IpNet,
        nothing: EnforcePeer,
    ) -> Result<EnforcePeer, TooLarge> {
        let parts = steps.iter().fold(0, |bits, step| bits | step.parts);
        let parts = u8::try_from(parts).expect("four bits");
        if steps.len() > STEPS_OF_PEER {
            return Err(TooLarge::Peer { peer: net, most: STEPS_OF_PEER });
        }
        let (own, further) = steps.split_at(steps.len().min(ENFORCE_FIRST));
        let mut first = [EnforceStep::default(); ENFORCE_FIRST];
        first[..own.len()].copy_from_slice(own);
        Ok(EnforcePeer { steps: self.list(further)?, parts, first, ..nothing })
    }

    /// The number of a list of steps; 0: it is empty.
    fn list(&mut self, steps: &[EnforceStep]) -> Result<u32, TooLarge> {
        let key: Vec<_> = steps.iter().map(|step| (step.bucket, step.parts)).collect();
        if let Some(known) = self.lists.get(&key) {
            return Ok(*known);
        }
        let mut next = 0;
        for some in steps.chunks(ENFORCE_STEPS).rev() {
            let mut list = EnforceSteps { count: 0, next, ..EnforceSteps::default() };
            for (slot, step) in list.steps.iter_mut().zip(some) {
                *slot = *step;
                list.count += 1;
            }
            next = u32::try_from(self.steps.len() + 1).expect("bounded");
            self.steps.push((EnforceStepsKey { generation: self.generation, number: next }, list));
        }
        TooLarge::check(
            self.steps.len(),
            STEPS_MAX,
            "sets of peers to tell apart",
            "put peers that may do the same into one set",
        )?;
        self.lists.insert(key, next);
        Ok(next)
    }
}

/// What a declaration's mode makes of a decision.
const fn flags(enforcement: Enforcement) -> u8 {
    let unknown = match enforcement.on_unknown {
        OnUnknown::Allow => 0,
        OnUnknown::Deny => ENFORCE_DENY_UNKNOWN,
    };
    let lost = match enforcement.on_daemon_loss {
        OnDaemonLoss::Allow => ENFORCE_LOST_PASSES,
        OnDaemonLoss::Keep => 0,
        OnDaemonLoss::Deny => ENFORCE_LOST_DENIES,
    };
    match enforcement.mode {
        Mode::Observe => 0,
        Mode::Warn => ENFORCE_WARN | unknown | lost,
        Mode::Enforce => ENFORCE_DENY | unknown | lost,
    }
}
