//! What the policy means: the sources merged, every reference resolved, every contradiction reported.
//!
//! Belongs here: the merged model and the checks across tables and files (clashes, references, overlaps). What one
//! rule means is `rule`'s, how the model answers for a flow is `compiled`'s.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::overlap;
use super::pattern::Interner;
use super::peers::{Peer, is_set_name};
use super::problem::{At, Loc, Report, quoted};
use super::raw::{RawController, RawPolicy, RawPort, RawRecord};
use super::read::{OneOrMany, Text};
use super::rule::{self, Rule};
use super::values::{Numbers, RawService};
use super::{Controller, Emit, Record, TlsDemand};
use crate::catalog;
use crate::model::Direction;

/// How many named sets of peers a policy may have; an address is looked up among those that contain it.
const SETS_MAX: usize = 4096;
/// How many different host names a policy may have; the daemon resolves and refreshes each.
const HOSTS_MAX: usize = 4096;

/// How many port numbers all declarations together may claim: four times all there are.
const CLAIMS_MAX: usize = 4 * 65535;

/// The merged policy.
#[derive(Default)]
pub(super) struct Model {
    pub controller: Option<Controller>,
    pub sets: HashMap<String, Vec<Peer>>,
    pub declarations: Vec<Declaration>,
}

/// One `[[port]]`.
pub(super) struct Declaration {
    pub name: Arc<str>,
    pub loc: Loc,
    pub numbers: Vec<At<Numbers>>,
    pub service: Service,
    pub protocol: Option<&'static catalog::Service>,
    pub tls: TlsDemand,
    pub emit: Emit,
    pub record: Option<Arc<Record>>,
    /// Whether a rule is written for it, usable or not.
    pub ruled: bool,
    pub rules: Vec<Rule>,
}

/// Where the service runs.
pub(super) enum Service {
    /// On this host; `None`: it may be bound anywhere.
    Local(Option<Vec<Peer>>),
    /// Elsewhere; sets are already replaced by their members.
    Remote(Vec<At<Peer>>),
}

impl Model {
    pub const fn members<'m>(sets: &'m HashMap<String, Vec<Peer>>) -> impl Fn(&str) -> &'m [Peer] {
        move |name| sets.get(name).map_or(&[], Vec::as_slice)
    }

    /// Merges the sources. The result means something only if the report has no errors.
    pub fn build(raw: Vec<RawPolicy>, report: &mut Report<'_>) -> Self {
        let mut model = Self::default();
        let mut merge = Merge {
            interner: Interner::default(),
            ports: HashMap::new(),
            roles: Vec::new(),
            controller: None,
        };
        let mut ports = Vec::new();
        let mut added = Vec::new();
        let mut sets = HashMap::new();
        for policy in raw {
            if let Some(controller) = policy.controller {
                merge.controller(&mut model, controller, report);
            }
            for (name, members) in policy.peers.into_iter().flat_map(|peers| peers.value.0) {
                set(&mut model, &mut sets, name, members, report);
            }
            ports.extend(policy.port.into_iter().flat_map(|ports| ports.value));
            added.extend(policy.allow.into_iter().flat_map(|rules| rules.value));
        }
        for port in ports {
            merge.port(&mut model, port, report);
        }
        for rule in added {
            merge.added(&mut model, rule, report);
        }
        if merge.controller.is_none() {
            let help = "Art. 30(1)(a) GDPR asks for one: add `[controller]`".to_owned();
            report.warning(Loc { source: 0, start: 0, end: 0 }, "the policy names no controller", help);
        }
        if claims_are_bounded(&model, report) {
            overlap::check(&model, report);
        }
        host_bound(&model, report);
        for declaration in model.declarations.iter().filter(|declaration| !declaration.ruled) {
            let message =
                format!("port {} has no rule, so nothing is declared on it", quoted(&declaration.name));
            report.warning(declaration.loc, message, "add a `[[port.allow]]`".to_owned());
        }
        model
    }
}

struct Merge {
    interner: Interner,
    /// Declarations by name: index and where the name stands.
    ports: HashMap<Arc<str>, (usize, Loc)>,
    /// By declaration: where each role stands.
    roles: Vec<HashMap<Arc<str>, Loc>>,
    controller: Option<Loc>,
}

impl Merge {
    fn controller(&mut self, model: &mut Model, raw: At<RawController>, report: &mut Report<'_>) {
        if let Some(first) = self.controller {
            let message = format!("the controller is named twice: first at {}", report.place(first));
            report.error(raw.loc, message, "keep one `[controller]`".to_owned());
            return;
        }
        self.controller = Some(raw.loc);
        let mut text = |text: Option<At<Text>>| text.map(|text| self.interner.text(&text.value));
        let (name, contact, dpo) = (text(raw.value.name), text(raw.value.contact), text(raw.value.dpo));
        if contact.is_none() && !report.is_amiss(raw.loc, "contact") {
            let help = "Art. 30(1)(a) GDPR asks for name and contact details: add `contact = …`".to_owned();
            report.warning(raw.loc, "the controller has no `contact`", help);
        }
        model.controller = name.map(|name| Controller { name, contact, dpo });
    }

    fn port(&mut self, model: &mut Model, raw: At<RawPort>, report: &mut Report<'_>) {
        let loc = raw.loc;
        let raw = raw.value;
        let service = service(model, raw.service, raw.listen, loc, report);
        let written = raw.allow.map_or_else(Vec::new, |rules| rules.value);
        let ruled = !written.is_empty() || report.is_amiss(loc, "allow");
        let rules: Vec<_> = written
            .into_iter()
            .filter_map(|raw| {
                if let Some(port) = &raw.value.port {
                    let help = "remove the key, or move the rule to a top-level `[[allow]]`".to_owned();
                    report.error(port.loc, "a rule in `[[port.allow]]` belongs to its port", help);
                }
                rule::parse(raw, &model.sets, &mut self.interner, report)
            })
            .collect();
        let record = raw.record.map(|raw| Arc::new(self.record(raw, report)));
        let (Some(name), Some(numbers)) = (raw.name, raw.port) else { return };
        if record.is_none() && !report.is_amiss(loc, "record") {
            let message = format!("port {} has no record of processing", quoted(&name.value));
            report.warning(name.loc, message, "Art. 30 GDPR asks for one: add `[port.record]`".to_owned());
        }
        if raw.tls.is_none() && !report.is_amiss(loc, "tls") {
            let message =
                format!("port {} has no tls demand, so it may talk in plaintext", quoted(&name.value));
            let help = "add `tls = { min = \"1.3\" }`, or `tls = { required = false, why = … }` to say so";
            report.warning(name.loc, message, help.to_owned());
        }
        let key = self.interner.text(&name.value);
        if let Some((_, first)) = self.ports.get(&key) {
            let message =
                format!("port {} is declared twice: first at {}", quoted(&key), report.place(*first));
            report.error(
                name.loc,
                message,
                "use another name, or add rules to it with `[[allow]]`".to_owned(),
            );
            return;
        }
        self.ports.insert(Arc::clone(&key), (model.declarations.len(), name.loc));
        let mut declaration = Declaration {
            name: key,
            loc: name.loc,
            numbers: numbers.value.0,
            service,
            protocol: raw.protocol.map(|protocol| protocol.value.0),
            tls: raw.tls.map_or(TlsDemand::None, |tls| tls.value),
            emit: raw.emit.map_or(Emit::Every, |emit| emit.value),
            record,
            ruled,
            rules: Vec::with_capacity(rules.len()),
        };
        let mut roles = HashMap::with_capacity(rules.len());
        for rule in rules {
            add(&mut declaration, &mut roles, rule, report);
        }
        self.roles.push(roles);
        model.declarations.push(declaration);
    }

    /// A top-level `[[allow]]`.
    fn added(&mut self, model: &mut Model, raw: At<super::raw::RawRule>, report: &mut Report<'_>) {
        let Some(port) = &raw.value.port else {
            let help = "add `port = …` with the name of a declared port".to_owned();
            report.missing(raw.loc, "a rule in a top-level `[[allow]]` has no `port`", help);
            return;
        };
        let Some((index, _)) = self.ports.get(&*port.value.0) else {
            let known = self.ports.keys().map(AsRef::as_ref);
            let help = report.did_you_mean(&port.value, known);
            report.missing(port.loc, format!("no port is named {}", quoted(&port.value)), help);
            return;
        };
        let declaration = &mut model.declarations[*index];
        declaration.ruled = true;
        if let Some(rule) = rule::parse(raw, &model.sets, &mut self.interner, report) {
            add(declaration, &mut self.roles[*index], rule, report);
        }
    }

    fn record(&mut self, raw: At<RawRecord>, report: &mut Report<'_>) -> Record {
        let At { value: raw, loc } = raw;
        let interner = &mut self.interner;
        let mut text = |text: Option<At<Text>>| text.map(|text| interner.text(&text.value));
        let list = |list: Vec<At<Text>>| list.into_iter().map(|text| text.value.0.into()).collect();
        let record = Record {
            purpose: text(raw.purpose),
            basis: text(raw.basis),
            retention: text(raw.retention),
            owner: text(raw.owner),
            subjects: raw.subjects.map(|many| list(many.value.0)),
            data: raw.data.map(|many| list(many.value.0)),
            special_category: raw.special_category.map(|flag| flag.value),
            recipients: raw.recipients.map(|many| list(many.value)),
            transfers: raw.transfers.map(|many| list(many.value)),
            measures: raw.measures.map(|many| list(many.value)),
        };
        let mut missing = record.missing();
        missing.retain(|key| !report.is_amiss(loc, key));
        if !missing.is_empty() {
            let message = format!("the record of processing has no `{}`", missing.join("`, `"));
            let help = "Art. 30(1) GDPR asks for them; an empty list says that there are none".to_owned();
            report.warning(loc, message, help);
        }
        record
    }
}

fn add(
    declaration: &mut Declaration,
    roles: &mut HashMap<Arc<str>, Loc>,
    rule: Rule,
    report: &mut Report<'_>,
) {
    if let Some(first) = roles.get(&rule.role) {
        let place = report.place(*first);
        let message = format!("role {} is given twice on this port: first at {place}", quoted(&rule.role));
        report.error(rule.loc, message, "a role names one rule: use another".to_owned());
        return;
    }
    if matches!(declaration.service, Service::Remote(_)) && rule.direction.value == Direction::In {
        let help = "write \"out\", or `service = \"local\"` if it is served here".to_owned();
        report.error(rule.direction.loc, "nothing is accepted here for a remote service", help);
        return;
    }
    roles.insert(Arc::clone(&rule.role), rule.loc);
    declaration.rules.push(rule);
}

fn set(
    model: &mut Model,
    places: &mut HashMap<String, Loc>,
    name: At<String>,
    members: OneOrMany<Text>,
    report: &mut Report<'_>,
) {
    if !is_set_name(&name.value) {
        let help = "use letters, digits, `-` and `_`, at most 64, and none of the words any, loopback, local";
        report.error(name.loc, format!("{} cannot name peers", quoted(&name.value)), help.to_owned());
        return;
    }
    if let Some(first) = places.get(&name.value) {
        let message =
            format!("the peers {} are named twice: first at {}", quoted(&name.value), report.place(*first));
        report.error(name.loc, message, "use another name".to_owned());
        return;
    }
    if model.sets.len() >= SETS_MAX {
        report.error(name.loc, format!("the policy names more than {SETS_MAX} sets of peers"), None);
        return;
    }
    let mut peers = Vec::with_capacity(members.0.len());
    for member in members.0 {
        match rule::peer(&member, report) {
            Some(Peer::Any) => {
                let help = "write \"any\" in the rule, where it is seen".to_owned();
                report.error(member.loc, "a set of peers cannot be anyone", help);
            }
            Some(Peer::Set(other)) => {
                let help = "list its members; for a host name without a dot, add one at its end".to_owned();
                report.error(
                    member.loc,
                    format!("{} is no network, address or host name", quoted(&other)),
                    help,
                );
            }
            Some(peer) => peers.push(peer),
            None => {}
        }
    }
    places.insert(name.value.clone(), name.loc);
    model.sets.insert(name.value, peers);
}

fn service(
    model: &Model,
    service: Option<At<RawService>>,
    listen: Option<At<OneOrMany<Text>>>,
    loc: Loc,
    report: &mut Report<'_>,
) -> Service {
    let Some(At { value: RawService::Remote(remote), .. }) = service else {
        let Some(listen) = listen else {
            if !report.is_amiss(loc, "listen") {
                let help = "add `listen = …`, or `listen = [\"any\"]` to say so".to_owned();
                report.warning(loc, "the port has no `listen`, so it may be bound to any address", help);
            }
            return Service::Local(None);
        };
        return Service::Local(Some(listen.value.0.iter().filter_map(|at| bound(at, report)).collect()));
    };
    if let Some(listen) = listen {
        let help = "remove `listen`, or write `service = \"local\"`".to_owned();
        report.error(listen.loc, "a remote service is not bound here", help);
    }
    let peers = rule::peers(&remote, &model.sets, report);
    let members = Model::members(&model.sets);
    let expanded = peers.into_iter().flat_map(|At { value, loc }| {
        let members = match &value {
            Peer::Set(name) => members(name).to_vec(),
            _ => vec![value],
        };
        members.into_iter().map(move |value| At { value, loc })
    });
    Service::Remote(expanded.collect())
}

/// One entry of `listen`.
fn bound(text: &At<Text>, report: &mut Report<'_>) -> Option<Peer> {
    match Peer::parse(&text.value) {
        Ok(peer @ (Peer::Any | Peer::Loopback | Peer::Net(_))) => return Some(peer),
        Ok(Peer::Host(_) | Peer::Set(_)) => {
            let help = "write an address, a network, \"loopback\" or \"any\"".to_owned();
            report.error(text.loc, format!("{} is no address to listen on", quoted(&text.value)), help);
        }
        Err((message, help)) => report.error(text.loc, message, help),
    }
    None
}

fn claims_are_bounded(model: &Model, report: &mut Report<'_>) -> bool {
    let mut claims = 0;
    for declaration in &model.declarations {
        let numbers = declaration.numbers.iter();
        claims +=
            numbers.map(|numbers| usize::from(numbers.value.last - numbers.value.first) + 1).sum::<usize>();
        if claims > CLAIMS_MAX {
            let message = format!("with this port the policy claims more than {CLAIMS_MAX} numbers");
            report.error(declaration.loc, message, "declare the ports that are in use".to_owned());
            return false;
        }
    }
    true
}

fn host_bound(model: &Model, report: &mut Report<'_>) {
    let mut hosts = HashSet::new();
    let of_sets = model.sets.values().flatten();
    let of_rules =
        model.declarations.iter().flat_map(|declaration| &declaration.rules).flat_map(|rule| &rule.peers);
    for peer in of_sets.chain(of_rules) {
        if let Peer::Host(name) = peer {
            hosts.insert(name);
        }
    }
    if hosts.len() > HOSTS_MAX
        && let Some(declaration) = model.declarations.first()
    {
        let message = format!("the policy has {} host names, more than {HOSTS_MAX}", hosts.len());
        report.error(declaration.loc, message, "write networks instead".to_owned());
    }
}
