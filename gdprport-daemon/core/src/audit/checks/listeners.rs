//! What listens and should not, or not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::audit::context::{Context, has};
use crate::audit::draft::Draft;
use crate::audit::finding::{Edit, FindingId, Severity, Subject};
use crate::audit::listening::Listener;
use crate::audit::{propose, wording};
use crate::catalog;
use crate::inventory::{Exposure, Recognised};
use crate::policy::{DeclaredPeer, DeclaredPort, DeclaredSite};

/// `undeclared-listener`, `shadow-service`, `exposed-listener`.
///
/// Not judged without an inventory and a ledger. What the inventory could not read is said once. By the ledger alone only
/// watched ports are known, so that `shadow-service` is not judged; its first bytes are only known to a scan that watched.
pub(super) fn check(context: &mut Context<'_>) {
    const IDS: [FindingId; 2] = [FindingId::UndeclaredListener, FindingId::ExposedListener];
    match context.inventory {
        None => {
            let why = Arc::clone(&context.settings.no_inventory);
            context.not_judged(FindingId::ShadowService, &*why);
            if context.observed.is_none() {
                IDS.iter().for_each(|id| context.not_judged(*id, &*why));
                return;
            }
        }
        Some(inventory) => {
            for unread in &inventory.unread {
                let why =
                    format!("{} that could not be looked at: {}; {}", unread.what, unread.count, unread.why);
                IDS.iter().chain(&[FindingId::ShadowService]).for_each(|id| context.not_judged(*id, &*why));
            }
        }
    }
    let listeners = std::mem::take(&mut context.listeners);
    let mut undeclared: BTreeMap<u16, Vec<&Listener>> = BTreeMap::new();
    let mut shadows: BTreeMap<(u16, Option<&str>), Vec<&Listener>> = BTreeMap::new();
    for listener in &listeners {
        if let Some(port) = context.served(listener.number) {
            exposed(context, port, listener, &listeners);
        } else if is_known(context, listener.number) {
            undeclared.entry(listener.number).or_default().push(listener);
        } else if listener.service.by.iter().any(|by| *by != Recognised::Port) {
            shadows.entry((listener.number, listener.holder.exe.as_deref())).or_default().push(listener);
        }
    }
    for (number, of) in undeclared {
        undeclared_listener(context, number, &of);
    }
    for ((number, _), of) in shadows {
        shadow_service(context, number, &of);
    }
    context.listeners = listeners;
}

/// Whether a listener on it is undeclared by its number alone: the catalog knows it, or it is declared to be elsewhere.
fn is_known(context: &Context<'_>, number: u16) -> bool {
    catalog::by_port(number).is_some() || context.ports().iter().any(|port| has(port, number))
}

/// `undeclared-listener`: a port of the catalog, or one that is declared to be served elsewhere, listens here now, and no
/// declaration says that it is served here. One finding for each number, whoever holds its sockets.
///
/// Evidence: addresses, holders, how the service was recognised.
/// Severity: `medium`, as of the violation of the same name: what is declared nowhere is in no record of processing either;
/// `low` if it is bound to loopback only, where other hosts do not reach it.
fn undeclared_listener(context: &mut Context<'_>, number: u16, of: &[&Listener]) {
    let by_port = catalog::by_port(number);
    let elsewhere = context.ports().iter().find(|port| has(port, number));
    let name: Arc<str> = by_port.map_or_else(
        || elsewhere.map_or_else(|| number.to_string().into(), |port| Arc::clone(&port.name)),
        |service| service.id.into(),
    );
    let subject = Subject { port: Some(Arc::clone(&name)), number: Some(number), ..Subject::default() };
    let service = by_port.map_or("a service", |service| service.name);
    let exposure = widest(of);
    let severity = if exposure == Exposure::Loopback { Severity::Low } else { Severity::Medium };
    let what = match elsewhere {
        Some(port) => format!("which {} declares to be served elsewhere only", port.name),
        None => format!("the port of {service}, and nobody declared it"),
    };
    let message = format!("{} listens on {}, {what}", holders(of), places(of));
    let draft = Draft::new(FindingId::UndeclaredListener, severity, subject, message);
    let draft = seen(draft, of, exposure).place(&context.nowhere());
    let draft = declare(context, draft, number, &name, by_port.map(|service| service.id), of);
    context.add(draft);
}

/// `shadow-service`: a listener that is no port of the catalog and of no declaration, and that is known to be a service of the
/// catalog: by an executable that is this service and nothing else, or by its first bytes, which only a scan that watched has.
/// An executable that serves much else (a virtual machine, an interpreter) says nothing. So does a port number.
///
/// Unencrypted HTTP known by its bytes is found only if others than this host can reach it, as `low`: it is no service of the
/// catalog, and most of it carries no personal data.
///
/// Severity: `medium`: no port is watched that nobody names, so that none of its flows is seen; `low` on loopback.
fn shadow_service(context: &mut Context<'_>, number: u16, of: &[&Listener]) {
    let Some(first) = of.first() else { return };
    let exposure = widest(of);
    let service = &first.service;
    let severity = match (&service.id, exposure) {
        (None, Exposure::Loopback) => return,
        (None, _) if !plain_http(first) => return,
        (None, _) | (Some(_), Exposure::Loopback) => Severity::Low,
        (Some(_), _) => Severity::Medium,
    };
    let name = service.name.as_deref().or(service.id.as_deref()).unwrap_or("HTTP");
    let subject = Subject {
        port: service.id.clone().or_else(|| Some("http".into())),
        number: Some(number),
        process: first.holder.exe.clone(),
        ..Subject::default()
    };
    let message = format!(
        "{} listens on {} and is {name}, on a port that nobody declared and the catalog does not know: its flows are not watched",
        holders(of),
        places(of)
    );
    let draft = Draft::new(FindingId::ShadowService, severity, subject, message);
    let draft = seen(draft, of, exposure).place(&context.nowhere());
    let id = service.id.clone();
    let name: Arc<str> = id.clone().unwrap_or_else(|| "http".into());
    let draft = declare(context, draft, number, &name, id.as_deref(), of);
    context.add(draft);
}

fn plain_http(listener: &Listener) -> bool {
    let plain = |(posture, n): &(crate::ledger::PostureKey, u64)| {
        *n > 0 && posture.state == crate::model::PostureState::Plaintext
    };
    let is_http = listener.service.name.as_deref() == Some("HTTP");
    is_http && listener.service.by.contains(&Recognised::Bytes) && listener.postures.iter().any(plain)
}

/// `exposed-listener`: a listener on a port that is declared to be served here, bound where its `listen` does not allow it; or,
/// without a `listen`, in the host's network to every address or to one that is routed publicly. Only what listens now: what
/// did is in events. `listen = ["any"]` is a decision, and nothing is found.
///
/// Severity: `high` against `listen`, as of the violation of the same name; `medium` without one, as nobody said that it is wrong.
fn exposed(context: &mut Context<'_>, port: &DeclaredPort, listener: &Listener, all: &[Listener]) {
    let DeclaredSite::Local(listen) = &port.site else { return };
    let at = wording::bound(listener.ip, listener.number);
    let wide = listener.of_host && listener.exposure >= Exposure::Public;
    let who = wording::who(&listener.holder);
    let (severity, message) = match listen {
        Some(_) if port.site.allows_listener(listener.ip) => return,
        Some(listen) => {
            let allowed = wording::some(listen.iter().map(ToString::to_string));
            (
                Severity::High,
                format!("{who} listens on {at}, and {} may be bound to {allowed} only", port.name),
            )
        }
        None if wide => {
            let whom = if listener.exposure == Exposure::Every {
                "every address of the host"
            } else {
                "a public address"
            };
            (
                Severity::Medium,
                format!(
                    "{who} listens on {at}, {whom}, and {} does not say where it may be bound",
                    port.name
                ),
            )
        }
        None => return,
    };
    let subject = Subject {
        number: Some(listener.number),
        address: Some(listener.ip.to_string().into()),
        ..Context::subject(port)
    };
    let known = |other: &&Draft<'_>| {
        other.finding.id == FindingId::ExposedListener && other.finding.subject == subject
    };
    if context.found().iter().find(known).is_some() {
        return;
    }
    let mut bound = listen.clone().unwrap_or_default();
    let of_port = all.iter().filter(|other| has(port, other.number));
    for other in of_port.filter(|other| listen.is_none() || other.ip == listener.ip) {
        bound.push(declared(other));
    }
    bound.sort();
    bound.dedup();
    if bound.contains(&DeclaredPeer::Any) {
        bound = vec![DeclaredPeer::Any];
    }
    let site = DeclaredSite::Local(Some(bound));
    let draft = Draft::new(FindingId::ExposedListener, severity, subject, message);
    let draft = seen(draft, &[listener], listener.exposure).place(&port.place);
    let what =
        "Bind the service to the addresses that need it; if it is meant to be reached there, declare it";
    context.add(propose::replace_port(draft, port, &DeclaredPort { site, ..port.clone() }, what));
}

fn widest(of: &[&Listener]) -> Exposure {
    of.iter().map(|listener| listener.exposure).max().unwrap_or(Exposure::Loopback)
}

fn holders(of: &[&Listener]) -> String {
    let names: BTreeSet<String> = of.iter().map(|listener| wording::who(&listener.holder)).collect();
    wording::some(names)
}

fn places(of: &[&Listener]) -> String {
    let places: BTreeSet<String> =
        of.iter().map(|listener| wording::bound(listener.ip, listener.number)).collect();
    wording::some(places)
}

/// The evidence that all three have.
fn seen<'a>(draft: Draft<'a>, of: &[&Listener], exposure: Exposure) -> Draft<'a> {
    let reach = match exposure {
        Exposure::Loopback => "this host only",
        Exposure::Private => "private networks",
        Exposure::Public => "a publicly routed address",
        Exposure::Every => "every address of the host",
    };
    let by: BTreeSet<&str> = of
        .iter()
        .flat_map(|listener| &listener.service.by)
        .map(|by| match by {
            Recognised::Executable => "executable",
            Recognised::Port => "port",
            Recognised::Bytes => wording::FIRST_BYTES,
        })
        .collect();
    let executables: BTreeSet<&str> =
        of.iter().filter_map(|listener| listener.holder.exe.as_deref()).collect();
    let last = of.iter().filter_map(|listener| listener.seen).max();
    let draft = draft
        .evidence(wording::BOUND_TO, places(of))
        .evidence(wording::REACHED_BY, reach)
        .evidence(wording::EXECUTABLE, wording::some(executables))
        .evidence(wording::KNOWN_BY, by.into_iter().collect::<Vec<_>>().join(", "))
        .evidence(
            "known from",
            last.map_or_else(
                || "the host, looked at now".to_owned(),
                |last| format!("the ledger, open at {}", wording::moment(last)),
            ),
        );
    draft.identities(of.iter().map(|listener| Arc::clone(&listener.holder)))
}

/// Where it is bound, as a policy says it.
fn declared(listener: &Listener) -> DeclaredPeer {
    if listener.ip.is_unspecified() {
        DeclaredPeer::Any
    } else if listener.ip.is_loopback() {
        DeclaredPeer::Loopback
    } else {
        DeclaredPeer::Net(listener.ip.into())
    }
}

/// Proposes a declaration, as it is bound now.
fn declare<'a>(
    context: &Context<'a>,
    draft: Draft<'a>,
    number: u16,
    name: &str,
    protocol: Option<&str>,
    of: &[&Listener],
) -> Draft<'a> {
    if context.policy.is_none() {
        return draft.advice("Stop it, or declare it: `gdprport init` writes a policy to begin with");
    }
    let taken = |name: &str| context.ports().iter().any(|port| *port.name == *name);
    let mut unique = name.to_owned();
    let mut suffix = u32::from(number);
    while taken(&unique) {
        unique = format!("{name}-{suffix}");
        suffix += 1;
    }
    let mut listen: Vec<DeclaredPeer> = of.iter().map(|listener| declared(listener)).collect();
    listen.sort();
    listen.dedup();
    if listen.contains(&DeclaredPeer::Any) {
        listen = vec![DeclaredPeer::Any];
    }
    let protocol = protocol.map_or_else(String::new, |id| format!("protocol = {}\n", propose::text(id)));
    let toml = format!(
        "[[port]]\nname = {}\nport = {number}\nlisten = {}\n{protocol}# then tls, [port.record] and [[port.allow]]\n",
        propose::text(&unique),
        propose::peers(&listen),
    );
    draft.proposal("Stop it, or declare it and narrow `listen` to who needs it", Edit::Append, toml)
}
