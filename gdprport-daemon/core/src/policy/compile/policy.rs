//! The compiled policy: everything an evaluation needs, immutable.
//!
//! Belongs here: `Policy`, how it is made from the model, and its look-ups that need no host name.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::bind_scope::BindScope;
use super::compiled_rule::CompiledRule;
use super::exceptions::Exceptions;
use super::peer_index::{ItemId, PeerIndex, PeerIndexBuilder};
use super::ports::{PortClaim, PortInfo, PortTable, PortTableBuilder};
use super::rule_index::RuleIndex;
use crate::catalog;
use crate::model::Direction;
use crate::policy::declared::Controller;
use crate::policy::model::{Model, PeerSets, Rule, Site};
use crate::policy::outline::Place;
use crate::written::Source;
use crate::written::{Loc, Problem};

/// What is to be said of a policy at some times only: now is not known where it is compiled.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Of rules and exceptions once they have ended, the earliest first.
    pub ends: Vec<(Timestamp, Problem)>,
    /// Of exceptions before this moment, the latest first.
    pub far: Vec<(Timestamp, Problem)>,
}

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    digest: String,
    /// The names of its files.
    files: Box<[Arc<str>]>,
    catalog_only: bool,
    controller: Option<Controller>,
    warnings: Vec<Problem>,
    times: Times,
    pub(crate) peers: PeerIndex,
    /// The networks and names of remote services, of those that share a number with another declaration. Their items
    /// are numbered in the order of the declarations.
    pub(crate) services: PeerIndex,
    /// By name, so that it does not matter in which file and order they are written.
    pub(crate) declarations: Vec<CompiledDeclaration>,
    pub(super) ports: PortTable,
    pub(crate) exceptions: Exceptions,
    /// What a listener's verdict names as its rule.
    pub(crate) listen_rule: Arc<str>,
}

/// One declaration, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct CompiledDeclaration {
    pub name: Arc<str>,
    /// In the order written.
    pub rules: Vec<CompiledRule>,
    accepted: RuleIndex,
    connected: RuleIndex,
    /// The items of its rules with host names, ascending: what may be unresolved.
    pub hosts: Vec<ItemId>,
    pub site: CompiledSite,
    /// Where its table stands.
    pub place: Spot,
    /// Where the tables of its rules stand.
    pub rule_places: Box<[Spot]>,
}

/// The number of a file and of a line in it, from 1: as a place takes less room so, and only explanations need it.
pub(crate) type Spot = (u32, u32);

impl CompiledDeclaration {
    pub(crate) const fn index(&self, direction: Direction) -> &RuleIndex {
        match direction {
            Direction::In => &self.accepted,
            Direction::Out => &self.connected,
        }
    }
}

/// Where a declared service runs.
#[derive(Debug)]
pub(crate) enum CompiledSite {
    Local(Box<BindScope>),
    /// Elsewhere: the item of its networks and names, if it shares a number with another declaration.
    Remote(Option<ItemId>),
}

impl Policy {
    pub(super) fn new(model: Model, sources: &[Source], warnings: Vec<Problem>, times: Times) -> Self {
        let mut hasher = Sha256::new();
        for source in sources {
            // The length first, so that moving text from one file to the next changes the digest.
            hasher.update((source.text.len() as u64).to_le_bytes());
            hasher.update(&source.text);
        }
        let files = sources.iter().map(|source| source.name.as_str().into()).collect();
        Self { files, times, ..Self::build(model, hasher, false, warnings) }
    }

    fn build(mut model: Model, hasher: Sha256, catalog_only: bool, warnings: Vec<Problem>) -> Self {
        let exceptions = Exceptions::new(std::mem::take(&mut model.exceptions), &model.sets);
        model.declarations.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut ports = PortTableBuilder::default();
        model.declarations.iter().enumerate().for_each(|(index, declared)| ports.declare(index, declared));
        let shared = ports.shared();
        let (mut peers, mut services) = (PeerIndexBuilder::default(), PeerIndexBuilder::default());
        number_in_order(&model, &mut peers);
        let mut compiled = Vec::with_capacity(model.declarations.len());
        for (index, declared) in model.declarations.into_iter().enumerate() {
            let spot = |table: Loc, line| (u32::try_from(table.source).unwrap_or(u32::MAX), line);
            let place = spot(declared.table, declared.line);
            let rule_places = declared.rules.iter().map(|rule| spot(rule.table, rule.line)).collect();
            let rules = declared.rules.into_iter().map(|rule| compile_rule(rule, &mut peers, &model.sets));
            let rules: Vec<_> = rules.collect();
            let site = match declared.site {
                Site::Local(listen) => CompiledSite::Local(Box::new(BindScope::new(listen.as_deref()))),
                Site::Remote(remote) => CompiledSite::Remote(shared.contains(&index).then(|| {
                    let remote: Vec<_> = remote.into_iter().map(|peer| peer.value).collect();
                    services.add(Arc::clone(&declared.name), &remote)
                })),
            };
            compiled.push((declared.name, rules, site, place, rule_places));
        }
        let peers = peers.build();
        let declarations =
            compiled.into_iter().map(|(name, rules, site, place, rule_places)| CompiledDeclaration {
                accepted: RuleIndex::build(&rules, Direction::In),
                connected: RuleIndex::build(&rules, Direction::Out),
                hosts: with_hosts(&rules, &peers),
                name,
                rules,
                site,
                place,
                rule_places,
            });
        let mut digest = "sha256:".to_owned();
        for byte in hasher.finalize() {
            write!(digest, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self {
            digest,
            files: Box::default(),
            catalog_only,
            controller: model.controller,
            warnings,
            times: Times::default(),
            declarations: declarations.collect(),
            peers,
            services: services.build(),
            ports: ports.build(),
            exceptions,
            listen_rule: "listen".into(),
        }
    }

    /// `sha256:` and 64 hexadecimal digits over the files' texts in their order (each preceded by its length, 8
    /// bytes, little-endian), or over the catalog where there is no file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether there is no policy file, so that nothing is declared and the catalog alone decides what is watched.
    #[must_use]
    pub const fn is_catalog_only(&self) -> bool {
        self.catalog_only
    }

    /// The controller of the data.
    #[must_use]
    pub const fn controller(&self) -> Option<&Controller> {
        self.controller.as_ref()
    }

    /// What is weaker or less complete than it should be.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The rules and exceptions that are past their `until`, the earliest first; of very many, the earliest of them.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Problem> {
        self.times.ends.iter().take_while(move |(until, _)| *until < now).map(|(_, problem)| problem)
    }

    /// All warnings at this moment.
    pub fn warnings_at(&self, now: Timestamp) -> impl Iterator<Item = &Problem> {
        let far = self.times.far.iter().take_while(move |(before, _)| now < *before);
        self.warnings.iter().chain(self.expired(now)).chain(far.map(|(_, problem)| problem))
    }

    /// How many rules (`[[port.allow]]`) there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.declarations.iter().map(|declaration| declaration.rules.len()).sum()
    }

    /// How many exceptions (`[[exception]]`) there are.
    #[must_use]
    pub const fn exceptions(&self) -> usize {
        self.exceptions.written
    }

    /// Every watched port, ascending by number: declared ones, and those of the catalog that are not. A number that
    /// several declarations share (one local, others remote) comes once for each.
    pub fn watched(&self) -> impl Iterator<Item = &PortInfo> {
        self.ports.claims().iter().map(|claim| &claim.info)
    }

    /// The port at this place of [`watched`](Self::watched).
    #[must_use]
    pub fn port_at(&self, index: usize) -> Option<&PortInfo> {
        self.ports.claims().get(index).map(|claim| &claim.info)
    }

    /// A watched number: its local declaration, or else the first remote one by name. O(log n).
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&PortInfo> {
        self.claims(number).first().map(|claim| &claim.info)
    }

    /// The name of the declaration by which a number is served on this host; `None`: there is none.
    #[must_use]
    pub fn served_here(&self, number: u16) -> Option<&Arc<str>> {
        let claim = self.claims(number).first().filter(|claim| claim.local && claim.info.declared)?;
        Some(&claim.info.name)
    }

    /// Whether the service of a watched port runs on this host, as far as it is declared.
    #[must_use]
    pub fn runs_here(&self, port: &PortInfo) -> bool {
        self.ports.claims().get(port.index).is_some_and(|claim| claim.local)
    }

    /// Whether several declarations have this number.
    #[must_use]
    pub fn is_shared(&self, number: u16) -> bool {
        self.claims(number).len() > 1
    }

    /// Every host name that verdicts depend on, each once, for the daemon to resolve; in lower case, without a
    /// trailing dot, in no particular order.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        let of_services = self.services.host_names().filter(|name| !self.peers.has_host(name));
        let of_exceptions = self
            .exceptions
            .peers
            .host_names()
            .filter(|name| !self.peers.has_host(name) && !self.services.has_host(name));
        self.peers.host_names().chain(of_services).chain(of_exceptions)
    }

    /// The place of a table.
    pub(crate) fn place(&self, (file, line): Spot) -> Option<Place> {
        let file = Arc::clone(self.files.get(file as usize)?);
        Some(Place { file, line: line as usize, column: 1 })
    }

    /// The claims to a number, the local one first.
    pub(crate) fn claims(&self, number: u16) -> &[PortClaim] {
        self.ports.of(number)
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

/// A policy that watches these ports too, each with the service that it is known to be, and declares nothing: for a look at a
/// host for a while.
#[must_use]
pub fn catalog_and(ports: impl IntoIterator<Item = (u16, Option<&'static catalog::Service>)>) -> Policy {
    let mut policy = catalog_only();
    let mut table = PortTableBuilder::default();
    ports.into_iter().for_each(|(port, service)| table.watch(port, service));
    policy.ports = table.build();
    policy
}

/// Gives the peers of all rules their numbers in the order of the peers, not of the rules: what is searched and named by
/// number then does not depend on how the policy is arranged.
fn number_in_order(model: &Model, peers: &mut PeerIndexBuilder) {
    let rules = model.declarations.iter().flat_map(|declared| &declared.rules);
    let written: HashSet<_> = rules.flat_map(|rule| &rule.peers).collect();
    let mut written: Vec<_> = written.into_iter().collect();
    written.sort_unstable();
    for peer in written {
        peers.item(peer, &model.sets);
    }
}

fn compile_rule(rule: Rule, peers: &mut PeerIndexBuilder, sets: &PeerSets) -> CompiledRule {
    let mut items: Vec<_> = rule.peers.iter().map(|peer| peers.item(peer, sets)).collect();
    items.sort_unstable();
    items.dedup();
    CompiledRule {
        role: rule.role,
        direction: rule.direction.value,
        peers: items.into_boxed_slice(),
        process: rule.process,
        until: rule.until.map(|until| until.value),
        volume: rule.volume,
    }
}

fn with_hosts(rules: &[CompiledRule], peers: &PeerIndex) -> Vec<ItemId> {
    let items = rules.iter().flat_map(|rule| rule.peers.iter().copied());
    let mut items: Vec<_> = items.filter(|item| !peers.items[*item as usize].hosts.is_empty()).collect();
    items.sort_unstable();
    items.dedup();
    items
}
