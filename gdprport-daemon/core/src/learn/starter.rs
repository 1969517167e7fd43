//! The starter policy as a whole.

use super::answers::{Answers, Candidate, Which};
use super::header::{Context, controller, preface};
use super::peers::Sets;
use super::port::{block, who};
use super::roles::{Given, slug};
use super::seen::{Seen, SeenService};
use super::text::{Page, clean};
use crate::figures::counted;
use crate::text::is_invisible;

/// How many rules a starter policy has at most: a policy may have 4,096 patterns with wildcards, and a rule asks for up to four.
pub const RULES_MAX: usize = 1_000;

/// How many services nobody chose are written out, as comments; the others are listed.
const COMMENTED_MAX: usize = 24;

/// How many services are declared at most: nobody completes more records by hand.
const PORTS_MAX: usize = 500;

/// A starter policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// The file's text. `policy::compile` takes it without errors.
    pub text: String,
    /// How many services it declares.
    pub ports: usize,
    /// How many rules it has.
    pub rules: usize,
    /// How many marked blanks are left.
    pub blanks: usize,
    /// Connections of declared services that no rule was written for, as it is not proven whose they were.
    pub unproven: u64,
    /// Rules and services that were too many.
    pub omitted: usize,
    /// Services that it does not declare, and shows as comments.
    pub undeclared: usize,
}

/// The services that were seen, for whoever is asked which of them carry personal data.
#[must_use]
pub fn candidates(seen: &Seen) -> Vec<Candidate> {
    let candidate = |service: &SeenService| Candidate {
        port: service.port,
        remote: service.remote,
        what: described(service),
        usual: is_usual(service),
    };
    seen.services.iter().map(candidate).collect()
}

/// Writes the starter policy.
#[must_use]
pub fn starter(seen: &Seen, answers: &Answers, context: &Context<'_>) -> Starter {
    let mut result = Starter {
        text: String::new(),
        ports: 0,
        rules: 0,
        blanks: 0,
        unproven: 0,
        omitted: 0,
        undeclared: 0,
    };
    let (mut top, mut ports, mut sets, mut names) =
        (Page::default(), Page::default(), Sets::default(), Given::default());
    let (chosen, others): (Vec<_>, Vec<_>) = seen
        .services
        .iter()
        .partition(|service| answer(service, answers).unwrap_or_else(|| is_usual(service)));
    result.blanks += controller(&mut top, answers.controller.as_ref());
    for service in chosen.iter().take(PORTS_MAX) {
        let name = name(service, &mut names);
        let block = block(service, &name, Some(&mut sets), RULES_MAX - result.rules);
        ports.append(&block.page);
        ports.blank();
        result.ports += 1;
        result.rules += block.rules;
        result.blanks += block.blanks;
        result.unproven = result.unproven.saturating_add(block.unproven);
        result.omitted += block.omitted;
    }
    let more = chosen.len().saturating_sub(PORTS_MAX);
    result.omitted += more;
    result.undeclared = others.len();
    sets.write(&mut top);
    if result.omitted > 0 {
        ports.comment(&format!(
            "{} more were left out: a starter policy has at most {PORTS_MAX} services and {RULES_MAX} rules.",
            result.omitted
        ));
        ports.blank();
    }
    undeclared(&mut ports, &others, answers, &mut names);
    let mut page = Page::default();
    preface(&mut page, seen, context, result.blanks);
    page.append(&top);
    page.append(&ports);
    result.text = page.into_text().trim_end().to_owned() + "\n";
    result
}

/// What nobody has chosen, as comments.
fn undeclared(page: &mut Page, others: &[&SeenService], answers: &Answers, names: &mut Given) {
    let (refused, open): (Vec<_>, Vec<_>) =
        others.iter().copied().partition(|service| answer(service, answers) == Some(false));
    if !refused.is_empty() {
        page.comment("Not declared, because it was answered that they carry no personal data:");
        refused.iter().take(COMMENTED_MAX).for_each(|service| page.item("- ", &described(service)));
        page.blank();
    }
    if open.is_empty() {
        return;
    }
    page.title(&format!("What the catalog does not know: {}", counted(open.len() as u64, "service")));
    page.comment(
        "If one of them carries personal data, remove the `# ` in front of its lines, or write this file again with \
         `--service PORT=yes`.",
    );
    for service in open.iter().take(COMMENTED_MAX) {
        let name = name(service, names);
        page.blank();
        page.commented(&block(service, &name, None, COMMENTED_MAX).page);
    }
    if open.len() > COMMENTED_MAX {
        page.blank();
        page.comment("And these:");
        open.iter().skip(COMMENTED_MAX).take(200).for_each(|service| page.item("- ", &described(service)));
        if open.len() > COMMENTED_MAX + 200 {
            page.item("- ", &format!("and {} more", open.len() - COMMENTED_MAX - 200));
        }
    }
}

/// Whether it is declared unless somebody says otherwise.
fn is_usual(service: &SeenService) -> bool {
    service.service.id.is_some() || service.declared.is_some()
}

/// Whether an answer is about this service.
#[must_use]
pub fn is_about(which: &Which, service: &SeenService) -> bool {
    match which {
        Which::Port(port) => *port == service.port,
        Which::Service(name) => [&service.service.id, &service.declared].contains(&&Some(name.clone())),
    }
}

/// The last answer about a service.
fn answer(service: &SeenService, answers: &Answers) -> Option<bool> {
    answers.services.iter().rev().find(|(which, _)| is_about(which, service)).map(|(_, answer)| *answer)
}

/// `PostgreSQL on 5432 (127.0.0.1), postgresql@15-main.service`.
fn described(service: &SeenService) -> String {
    let what = service.service.name.as_deref().or(service.declared.as_deref()).map(clean);
    let what = what.map_or_else(String::new, |what| format!("{what} on "));
    let place = if service.remote {
        "elsewhere, called by".to_owned()
    } else {
        let bound: Vec<_> = service.bound.iter().take(4).map(ToString::to_string).collect();
        let more = if service.bound.len() > bound.len() { ", …" } else { "" };
        if bound.is_empty() {
            "held by".to_owned()
        } else {
            format!("at {}{more}, held by", bound.join(", "))
        }
    };
    format!("{what}port {}, {place} {}", service.port, who(service))
}

/// The name of a declaration: the one that it has, or the catalog's, or that of who holds it with its port.
pub(super) fn name(service: &SeenService, given: &mut Given) -> String {
    let port = service.port;
    let usable = |name: &&str| !name.trim().is_empty() && name.len() <= 64 && !name.contains(is_invisible);
    let declared = service.declared.as_deref().filter(usable);
    let known = service.service.id.as_deref();
    let base = match (declared, known) {
        (Some(declared), _) => declared.to_owned(),
        (None, Some(known)) if service.remote => format!("{}-remote", slug(known)),
        (None, Some(known)) => slug(known),
        (None, None) => {
            let holder =
                service.holders.iter().chain(service.edges.iter().map(|edge| &*edge.identity)).next();
            let holder = holder.and_then(|holder| holder.name()).map_or_else(|| "port".to_owned(), slug);
            format!("{holder}-{port}")
        }
    };
    given.first([base.as_str(), &format!("{base}-{port}")])
}
