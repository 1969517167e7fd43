//! The compiled policy: everything an evaluation needs, immutable, shared between threads.
//!
//! Belongs here: `Policy`, how it is made from the model, and its look-ups by port. Verdicts are `evaluate`'s.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::index::{Rule, RuleIndex};
use super::listener::Listen;
use super::model::{Declaration as Declared, Model, Service};
use super::names::Names;
use super::peers::{ItemId, PeerIndex, PeerIndexBuilder};
use super::problem::Problem;
use super::{Controller, Emit, Facts, PortInfo, Source, TlsDemand};
use crate::catalog;
use crate::model::Direction;

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    digest: String,
    catalog_only: bool,
    controller: Option<Controller>,
    warnings: Vec<Problem>,
    pub(super) peers: PeerIndex,
    /// The networks and names of remote services, of those that share a number with another declaration.
    pub(super) services: PeerIndex,
    pub(super) declarations: Vec<Declaration>,
    /// Ascending by number.
    ports: Vec<Port>,
    /// What a listener's verdict names as its rule.
    pub(super) listen_rule: Arc<str>,
}

/// One declaration, ready to be evaluated.
#[derive(Debug)]
pub(super) struct Declaration {
    pub name: Arc<str>,
    /// In the order written.
    pub rules: Vec<Rule>,
    pub accepted: RuleIndex,
    pub connected: RuleIndex,
    /// The items of its rules with host names, ascending: what may be unresolved.
    pub hosts: Vec<ItemId>,
    pub service: Where,
}

/// Where a declared service runs.
#[derive(Debug)]
pub(super) enum Where {
    Here(Box<Listen>),
    /// Elsewhere: the item of its networks and names, if it shares a number with another declaration.
    Elsewhere(Option<ItemId>),
}

/// One watched number and who claims it.
#[derive(Debug)]
struct Port {
    number: u16,
    /// The declaration that serves it here, or the catalog's entry.
    here: Option<Claim>,
    /// Declarations of remote services, in the order written.
    elsewhere: Vec<Claim>,
}

impl Port {
    fn is_shared(&self) -> bool {
        usize::from(self.here.is_some()) + self.elsewhere.len() > 1
    }
}

#[derive(Debug)]
pub(super) struct Claim {
    pub info: PortInfo,
    /// `None`: the catalog's.
    pub declaration: Option<usize>,
}

impl Policy {
    pub(super) fn new(model: Model, sources: &[Source], warnings: Vec<Problem>) -> Self {
        let mut hasher = Sha256::new();
        for source in sources {
            // The length first, so that moving text from one file to the next changes the digest.
            hasher.update((source.text.len() as u64).to_le_bytes());
            hasher.update(&source.text);
        }
        Self::build(model, hasher, false, warnings)
    }

    fn build(model: Model, hasher: Sha256, catalog_only: bool, warnings: Vec<Problem>) -> Self {
        let mut ports = BTreeMap::new();
        for (index, declared) in model.declarations.iter().enumerate() {
            claim(&mut ports, index, declared);
        }
        let shared = shared(&ports);
        let (mut peers, mut services) = (PeerIndexBuilder::default(), PeerIndexBuilder::default());
        let members = Model::members(&model.sets);
        let mut compiled = Vec::with_capacity(model.declarations.len());
        for (index, declared) in model.declarations.into_iter().enumerate() {
            let rules: Vec<Rule> = declared
                .rules
                .into_iter()
                .map(|rule| {
                    let mut items: Vec<_> =
                        rule.peers.iter().map(|peer| peers.item(peer, &members)).collect();
                    items.sort_unstable();
                    items.dedup();
                    let peers = items.into_boxed_slice();
                    Rule {
                        role: rule.role,
                        direction: rule.direction.value,
                        peers,
                        process: rule.process,
                        until: rule.until,
                    }
                })
                .collect();
            let service = match declared.service {
                Service::Local(listen) => Where::Here(Box::new(Listen::new(listen.as_deref()))),
                Service::Remote(remote) => Where::Elsewhere(shared.contains(&index).then(|| {
                    let remote: Vec<_> = remote.into_iter().map(|peer| peer.value).collect();
                    services.add(Arc::clone(&declared.name), &remote)
                })),
            };
            compiled.push((declared.name, rules, service));
        }
        catalog_ports(&mut ports);
        let mut ports: Vec<Port> = ports.into_values().collect();
        let claims = ports.iter_mut().flat_map(|port| port.here.iter_mut().chain(&mut port.elsewhere));
        claims.enumerate().for_each(|(index, claim)| claim.info.index = index);
        let peers = peers.build();
        let declarations = compiled.into_iter().map(|(name, rules, service)| Declaration {
            accepted: RuleIndex::build(&rules, Direction::In),
            connected: RuleIndex::build(&rules, Direction::Out),
            hosts: with_hosts(&rules, &peers),
            name,
            rules,
            service,
        });
        let mut digest = "sha256:".to_owned();
        for byte in hasher.finalize() {
            write!(digest, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self {
            digest,
            catalog_only,
            controller: model.controller,
            warnings,
            declarations: declarations.collect(),
            peers,
            services: services.build(),
            ports,
            listen_rule: "listen".into(),
        }
    }

    /// `sha256:` and 64 hexadecimal digits over the files' texts in their order (each preceded by its length, 8
    /// bytes, little-endian), or over the catalog where there is no file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether there is no policy file, so that nothing is declared and the catalog alone says what is watched.
    #[must_use]
    pub const fn is_catalog_only(&self) -> bool {
        self.catalog_only
    }

    /// Who answers for the data.
    #[must_use]
    pub const fn controller(&self) -> Option<&Controller> {
        self.controller.as_ref()
    }

    /// What is weaker or less complete than it should be.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// How many rules (`[[port.allow]]`) there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.declarations.iter().map(|declaration| declaration.rules.len()).sum()
    }

    /// Every watched port, ascending by number: declared ones, and those of the catalog that are not. A number that
    /// several declarations share (one local, others remote) comes once for each.
    pub fn watched(&self) -> impl Iterator<Item = &PortInfo> {
        self.ports.iter().flat_map(|port| port.here.iter().chain(&port.elsewhere)).map(|claim| &claim.info)
    }

    /// A watched number: its local declaration, or else its first remote one. O(log n).
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&PortInfo> {
        let port = self.find(number)?;
        port.here.as_ref().or(port.elsewhere.first()).map(|claim| &claim.info)
    }

    /// The port that a flow belongs to: like [`port`](Self::port), but right where declarations share a number.
    #[must_use]
    pub fn port_of(&self, facts: &Facts<'_>, names: &Names) -> Option<&PortInfo> {
        self.claim(facts, names).map(|claim| &claim.info)
    }

    /// Every host name that verdicts depend on, each once, for the daemon to resolve; in lower case, without a
    /// trailing dot, in no particular order.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        let of_services = self.services.host_names().filter(|name| !self.peers.has_host(name));
        self.peers.host_names().chain(of_services)
    }

    fn find(&self, number: u16) -> Option<&Port> {
        self.ports.binary_search_by_key(&number, |port| port.number).ok().map(|index| &self.ports[index])
    }

    /// Who serves the number here: what a listener is compared with.
    pub(super) fn served_here(&self, number: u16) -> Option<&Claim> {
        self.find(number)?.here.as_ref()
    }

    /// The claim that a flow falls under. Accepted: whoever serves the number here. Connected: the remote service
    /// that contains the peer, or else whoever serves the number here, or else the first remote one.
    pub(super) fn claim(&self, facts: &Facts<'_>, names: &Names) -> Option<&Claim> {
        let port = self.find(facts.number())?;
        let (here, elsewhere) = (port.here.as_ref(), port.elsewhere.as_slice());
        let mut best = usize::MAX;
        if facts.direction == Direction::Out && port.is_shared() {
            self.services.each(facts.peer.ip, names, |item| {
                let of_item =
                    |claim: &Claim| match claim.declaration.map(|index| &self.declarations[index].service) {
                        Some(Where::Elsewhere(service)) => service.cmp(&Some(item)),
                        _ => std::cmp::Ordering::Less,
                    };
                // Services get their items in the order of the declarations, so that claims ascend by item.
                if let Ok(index) = elsewhere.binary_search_by(of_item) {
                    best = best.min(index);
                }
            });
        }
        elsewhere.get(best).or(here).or(elsewhere.first())
    }
}

/// The policy where there is no file: the catalog's ports are watched and nothing is declared, so that every flow on
/// them is `undeclared-port`.
#[must_use]
pub fn catalog_only() -> Policy {
    let mut hasher = Sha256::new();
    hasher.update("catalog\n");
    for service in catalog::SERVICES {
        hasher.update(format!("{} {:?}\n", service.id, service.ports));
    }
    Policy::build(Model::default(), hasher, true, Vec::new())
}

fn claim(ports: &mut BTreeMap<u16, Port>, index: usize, declared: &Declared) {
    let protocol: Option<Arc<str>> = declared.protocol.map(|service| service.id.into());
    for numbers in &declared.numbers {
        for number in numbers.value.first..=numbers.value.last {
            let port =
                ports.entry(number).or_insert_with(|| Port { number, here: None, elsewhere: Vec::new() });
            let known = || catalog::by_port(number).map(|service| service.id.into());
            let info = PortInfo {
                index: 0,
                number,
                name: Arc::clone(&declared.name),
                protocol: protocol.clone().or_else(known),
                declared: true,
                tls: declared.tls.clone(),
                emit: declared.emit,
                record: declared.record.clone(),
            };
            let claim = Claim { info, declaration: Some(index) };
            match declared.service {
                Service::Local(_) => port.here = Some(claim),
                Service::Remote(_)
                    if port.elsewhere.last().is_some_and(|last| last.declaration == Some(index)) => {}
                Service::Remote(_) => port.elsewhere.push(claim),
            }
        }
    }
}

/// The declarations that share a number with another one.
fn shared(ports: &BTreeMap<u16, Port>) -> HashSet<usize> {
    let shared = ports.values().filter(|port| port.is_shared());
    shared
        .flat_map(|port| port.here.iter().chain(&port.elsewhere))
        .filter_map(|claim| claim.declaration)
        .collect()
}

fn with_hosts(rules: &[Rule], peers: &PeerIndex) -> Vec<ItemId> {
    let items = rules.iter().flat_map(|rule| rule.peers.iter().copied());
    let mut items: Vec<_> = items.filter(|item| !peers.items[*item as usize].hosts.is_empty()).collect();
    items.sort_unstable();
    items.dedup();
    items
}

fn catalog_ports(ports: &mut BTreeMap<u16, Port>) {
    for service in catalog::SERVICES {
        let id: Arc<str> = service.id.into();
        for number in service.ports.iter().copied() {
            ports.entry(number).or_insert_with(|| {
                let info = PortInfo {
                    index: 0,
                    number,
                    name: Arc::clone(&id),
                    protocol: Some(Arc::clone(&id)),
                    declared: false,
                    tls: TlsDemand::None,
                    emit: Emit::Every,
                    record: None,
                };
                Port { number, here: Some(Claim { info, declaration: None }), elsewhere: Vec::new() }
            });
        }
    }
}
