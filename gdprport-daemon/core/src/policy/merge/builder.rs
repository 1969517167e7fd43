//! The files of a policy merged into one model.
//!
//! Belongs here: the order in which they are merged, and what may stand only once (declarations, roles, the controller).
//! What one rule means is `rule`'s, where a service runs is `site`'s.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::{check_hosts, claims_are_bounded};
use super::intern::Interner;
use super::peers::add_set;
use super::site::site;
use super::{exception, overlap, rule};
use crate::model::Direction;
use crate::policy::declared::{Controller, Emit, ProcessingRecord, TlsDemand};
use crate::policy::enforcement::{Enforcement, Mode};
use crate::policy::model::{Declaration, Model, Rule, Site};
use crate::policy::read::{RawController, RawEnforce, RawPolicy, RawPort, RawRecord, RawRule};
use crate::written::{At, Loc, Report, Text, quoted};

/// Merges the files. The result means something only if the report has no errors.
pub(crate) fn merge(files: Vec<RawPolicy>, report: &mut Report<'_>) -> Model {
    let mut merge = Merge {
        report,
        model: Model::default(),
        interner: Interner::default(),
        ports: HashMap::new(),
        roles: Vec::new(),
        controller: None,
    };
    let mut ports = Vec::new();
    let mut added = Vec::new();
    let mut exceptions = Vec::new();
    let mut sets = HashMap::new();
    for policy in files {
        if let Some(controller) = policy.controller {
            merge.controller(controller);
        }
        for (name, members) in policy.peers.into_iter().flat_map(|peers| peers.value.0) {
            add_set(&mut merge.model.sets, &mut sets, name, members, merge.report);
        }
        ports.extend(policy.port.into_iter().flat_map(|ports| ports.value));
        added.extend(policy.allow.into_iter().flat_map(|rules| rules.value));
        exceptions.extend(policy.exception.into_iter().flat_map(|exceptions| exceptions.value));
    }
    // Rules and services name sets of any file.
    ports.into_iter().for_each(|port| merge.port(port));
    added.into_iter().for_each(|rule| merge.added(rule));
    let Merge { report, model, interner, .. } = &mut merge;
    exceptions.into_iter().for_each(|raw| exception::add(raw, model, interner, report));
    let Merge { report, model, controller, .. } = merge;
    if controller.is_none() {
        let help = "Art. 30(1)(a) GDPR asks for one: add `[controller]`".to_owned();
        report.warning(Loc { source: 0, start: 0, end: 0 }, "the policy names no controller", help);
    }
    if claims_are_bounded(&model, report) {
        overlap::check(&model, report);
    }
    check_hosts(&model, report);
    for declaration in model.declarations.iter().filter(|declaration| !declaration.ruled) {
        let message = format!("port {} has no rule, so nothing is declared on it", quoted(&declaration.name));
        report.warning(declaration.loc, message, "add a `[[port.allow]]`".to_owned());
    }
    model
}

/// What is done about connections of a port.
fn enforcement(
    mode: Option<&At<Mode>>,
    table: Option<At<RawEnforce>>,
    report: &mut Report<'_>,
) -> Enforcement {
    let mode = mode.map(|mode| mode.value).unwrap_or_default();
    let Some(At { value: table, loc }) = table else { return Enforcement { mode, ..Enforcement::default() } };
    if mode.is_observe() {
        let help = "set the `mode` of the port too, or remove the table".to_owned();
        report.warning(loc, "nothing is decided in the kernel where the mode is \"observe\"", help);
    }
    Enforcement {
        mode,
        on_unknown: table.on_unknown.map(|at| at.value).unwrap_or_default(),
        existing: table.existing.map(|at| at.value).unwrap_or_default(),
        posture: table.posture.map(|at| at.value).unwrap_or_default(),
        listener: table.listener.map(|at| at.value).unwrap_or_default(),
        on_daemon_loss: table.on_daemon_loss.map(|at| at.value).unwrap_or_default(),
    }
}

/// No law asks for less than an hour, and what may take longer than a month is no deadline of a breach.
const NOTIFY_WITHIN: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(31 * 24);

struct Merge<'r, 's> {
    report: &'r mut Report<'s>,
    model: Model,
    interner: Interner,
    /// Declarations by name: index and where the name stands.
    ports: HashMap<Arc<str>, (usize, Loc)>,
    /// By declaration: where each role stands.
    roles: Vec<HashMap<Arc<str>, Loc>>,
    controller: Option<Loc>,
}

impl Merge<'_, '_> {
    fn controller(&mut self, raw: At<RawController>) {
        if let Some(first) = self.controller {
            let message = format!("the controller is named twice: first at {}", self.report.place(first));
            self.report.error(raw.loc, message, "keep one `[controller]`".to_owned());
            return;
        }
        self.controller = Some(raw.loc);
        let mut text = |text: Option<At<Text>>| text.map(|text| self.interner.text(&text.value));
        let (name, contact, dpo) = (text(raw.value.name), text(raw.value.contact), text(raw.value.dpo));
        if contact.is_none() && !self.report.is_faulty(raw.loc, "contact") {
            let help = "Art. 30(1)(a) GDPR asks for name and contact details: add `contact = …`".to_owned();
            self.report.warning(raw.loc, "the controller has no `contact`", help);
        }
        let representative = text(raw.value.representative);
        let joint =
            raw.value.joint.map(|many| many.value.into_iter().map(|text| text.value.0.into()).collect());
        let countries = raw.value.countries.and_then(|path| {
            if path.value.0.starts_with('/') {
                return Some(self.interner.text(&path.value));
            }
            let help = "write where it is, such as \"/etc/gdprport/countries.csv\"".to_owned();
            self.report.error(path.loc, "`countries` is no absolute path", help);
            None
        });
        let notify_within = raw.value.notify_within.and_then(|within| {
            if NOTIFY_WITHIN.contains(&within.value.0) {
                return Some(within.value.0);
            }
            let help = "write it as \"72h\", which is what Art. 33(1) GDPR says".to_owned();
            self.report.error(within.loc, "`notify_within` is no time from one hour to 31 days", help);
            None
        });
        self.model.controller = name.map(|name| Controller {
            name,
            contact,
            dpo,
            joint,
            representative,
            countries,
            notify_within,
        });
    }

    fn port(&mut self, raw: At<RawPort>) {
        let At { value: raw, loc } = raw;
        let site = site(&self.model.sets, raw.service, raw.listen, loc, self.report);
        let written = raw.allow.map_or_else(Vec::new, |rules| rules.value);
        let ruled = !written.is_empty() || self.report.is_faulty(loc, "allow");
        let rules: Vec<_> = written
            .into_iter()
            .filter_map(|raw| {
                if let Some(port) = &raw.value.port {
                    let help = "remove the key, or move the rule to a top-level `[[allow]]`".to_owned();
                    self.report.error(port.loc, "a rule in `[[port.allow]]` belongs to its port", help);
                }
                self.rule(raw)
            })
            .collect();
        let record = raw.record.map(|raw| At { loc: raw.loc, value: Arc::new(self.record(raw)) });
        let (Some(name), Some(numbers)) = (raw.name, raw.port) else { return };
        if record.is_none() && !self.report.is_faulty(loc, "record") {
            let message = format!("port {} has no record of processing", quoted(&name.value));
            let help = "Art. 30 GDPR asks for one: add `[port.record]`".to_owned();
            self.report.warning(name.loc, message, help);
        }
        if raw.tls.is_none() && !self.report.is_faulty(loc, "tls") {
            let message =
                format!("port {} has no tls demand, so it may talk in plaintext", quoted(&name.value));
            let help = "add `tls = { min = \"1.3\" }`, or `tls = { required = false, why = … }` to say so";
            self.report.warning(name.loc, message, help.to_owned());
        }
        let listener = raw.enforce.as_ref().and_then(|table| table.value.listener.as_ref()).map(|at| at.loc);
        let enforcement = enforcement(raw.mode.as_ref(), raw.enforce, self.report);
        let key = self.interner.text(&name.value);
        if let Some((_, first)) = self.ports.get(&key) {
            let first = self.report.place(*first);
            let message = format!("port {} is declared twice: first at {first}", quoted(&key));
            let help = "use another name, or add rules to it with `[[allow]]`".to_owned();
            self.report.error(name.loc, message, help);
            return;
        }
        let index = self.model.declarations.len();
        self.ports.insert(Arc::clone(&key), (index, name.loc));
        self.roles.push(HashMap::with_capacity(rules.len()));
        self.model.declarations.push(Declaration {
            name: key,
            loc: name.loc,
            table: loc,
            line: self.report.line(loc),
            numbers: numbers.value.0,
            site,
            protocol: raw.protocol.map(|protocol| protocol.value.0),
            tls: raw.tls.map_or(TlsDemand::None, |tls| tls.value),
            emit: raw.emit.map_or_else(Emit::default, |emit| emit.value),
            enforcement,
            mode: raw.mode.as_ref().map(|mode| mode.loc),
            listener,
            record,
            ruled,
            rules: Vec::with_capacity(rules.len()),
        });
        rules.into_iter().for_each(|rule| self.add(index, rule));
    }

    /// A top-level `[[allow]]`.
    fn added(&mut self, raw: At<RawRule>) {
        let Some(port) = &raw.value.port else {
            let help = "add `port = …` with the name of a declared port".to_owned();
            self.report.missing(raw.loc, "a rule in a top-level `[[allow]]` has no `port`", help);
            return;
        };
        let Some((index, _)) = self.ports.get(&*port.value.0) else {
            let known = self.ports.keys().map(AsRef::as_ref);
            let help = self.report.did_you_mean(&port.value, known);
            self.report.missing(port.loc, format!("no port is named {}", quoted(&port.value)), help);
            return;
        };
        let index = *index;
        self.model.declarations[index].ruled = true;
        if let Some(rule) = self.rule(raw) {
            self.add(index, rule);
        }
    }

    fn rule(&mut self, raw: At<RawRule>) -> Option<Rule> {
        rule::parse(raw, &self.model.sets, &mut self.interner, self.report)
    }

    fn add(&mut self, declaration: usize, rule: Rule) {
        let (roles, declaration) = (&mut self.roles[declaration], &mut self.model.declarations[declaration]);
        if let Some(first) = roles.get(&rule.role) {
            let first = self.report.place(*first);
            let message =
                format!("role {} is given twice on this port: first at {first}", quoted(&rule.role));
            self.report.error(rule.loc, message, "a role names one rule: use another".to_owned());
            return;
        }
        if matches!(declaration.site, Site::Remote(_)) && rule.direction.value == Direction::In {
            let help = "write \"out\", or `service = \"local\"` if it is served here".to_owned();
            self.report.error(rule.direction.loc, "nothing is accepted here for a remote service", help);
            return;
        }
        roles.insert(Arc::clone(&rule.role), rule.loc);
        declaration.rules.push(rule);
    }

    fn record(&mut self, raw: At<RawRecord>) -> ProcessingRecord {
        let At { value: raw, loc } = raw;
        let mut text = |text: Option<At<Text>>| text.map(|text| self.interner.text(&text.value));
        let list = |list: Vec<At<Text>>| list.into_iter().map(|text| text.value.0.into()).collect();
        let record = ProcessingRecord {
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
            on_behalf_of: raw.on_behalf_of.map(|many| list(many.value)),
            joint: raw.joint.map(|many| list(many.value)),
            safeguards: raw.safeguards.map(|many| list(many.value)),
            location: raw.location.map(|many| list(many.value.0)),
            dpia: text(raw.dpia),
        };
        let mut missing = record.missing();
        missing.retain(|key| !self.report.is_faulty(loc, key));
        if !missing.is_empty() {
            let message = format!("the record of processing has no `{}`", missing.join("`, `"));
            let help = "Art. 30(1) GDPR asks for them; an empty list says that there are none".to_owned();
            self.report.warning(loc, message, help);
        }
        record
    }
}
