//! How flows are encrypted, and what a policy demands of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audit::context::{Context, has, protocol};
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::listening::only_loopback;
use crate::audit::{exceptions, propose, wording};
use crate::catalog::TlsStart;
use crate::ledger::Edge;
use crate::model::{Direction, PostureState, TlsVersion};
use crate::policy::{DeclaredPeer, DeclaredPort, DeclaredSite, TlsDemand};

/// What flows are put together by: whether the port is declared, its name, of an undeclared one its number, the direction, and
/// whether they were weakly encrypted instead of not at all.
type Group = (bool, Arc<str>, u16, Direction, bool);

/// `tls-not-demanded`, `plaintext-seen`, `weak-tls-seen`, `special-category-unprotected`.
///
/// Without a ledger the two that were seen are not judged; the others are, as far as the policy itself shows them. A posture
/// that is not known is neither found nor taken for encrypted.
pub(super) fn check(context: &mut Context<'_>) {
    let observed = context.ledger(&[FindingId::PlaintextSeen, FindingId::WeakTlsSeen]);
    for port in context.ports() {
        demand(context, port);
    }
    let Some(observed) = observed else { return };
    let mut groups: BTreeMap<Group, Vec<&Edge>> = BTreeMap::new();
    for edge in &observed.edges {
        let key = &edge.key;
        let port = declaration(context, edge);
        let weak = match &*key.posture {
            posture if is_plain(posture.state) => false,
            posture if posture.state == PostureState::WeakTls => true,
            posture if is_older(posture.version, port.map(|port| &port.tls)) => true,
            _ => continue,
        };
        let number = if key.port.declared { 0 } else { key.port.number };
        let group = (key.port.declared, Arc::clone(&key.port.name), number, key.direction, weak);
        groups.entry(group).or_default().push(edge);
    }
    for ((declared, name, number, direction, weak), edges) in groups {
        let port = context.ports().iter().find(|port| declared && port.name == name);
        // A port that the policy no longer has is no fault of this policy.
        if declared && port.is_none() {
            continue;
        }
        let subject = match port {
            Some(port) => Context::subject(port),
            None => Subject { port: Some(name), number: Some(number), ..Subject::default() },
        };
        seen(context, port, &subject, direction, weak, &edges);
    }
}

const fn is_plain(state: PostureState) -> bool {
    matches!(state, PostureState::Plaintext | PostureState::StarttlsRefused)
}

fn is_known(edge: &Edge) -> bool {
    edge.key.posture.state != PostureState::Unknown
}

fn is_older(version: Option<TlsVersion>, demand: Option<&TlsDemand>) -> bool {
    matches!((version, demand), (Some(version), Some(TlsDemand::AtLeast(least))) if version < *least)
}

fn declaration<'a>(context: &Context<'a>, edge: &Edge) -> Option<&'a DeclaredPort> {
    context.ports().iter().find(|port| edge.key.port.declared && port.name == edge.key.port.name)
}

/// Special categories of data (Art. 9 GDPR) by the port's own record.
fn is_special(port: &DeclaredPort) -> bool {
    port.record.as_ref().and_then(|record| record.special_category) == Some(true)
}

/// `tls-not-demanded`: a declared port whose protocol can do TLS has no key `tls`. `tls = { required = false, why = … }` is a
/// decision, and nothing is found. Of a protocol that is not known nothing is known here.
///
/// Severity: `medium` (Art. 32(1)(a) GDPR); `low` if the service is bound to loopback only, by `listen` or as it listens.
///
/// With special categories of data it is `special-category-unprotected` instead, `high` (Art. 9, 32 GDPR), also where the
/// protocol is not known or has no TLS.
fn demand(context: &mut Context<'_>, port: &DeclaredPort) {
    if port.tls != TlsDemand::None {
        return;
    }
    let can = protocol(port).is_some_and(|protocol| protocol.tls != TlsStart::None);
    let special = is_special(port);
    if !can && !special {
        return;
    }
    let declared_loopback = matches!(&port.site, DeclaredSite::Local(Some(listen))
        if listen.iter().all(|peer| matches!(peer, DeclaredPeer::Loopback)));
    let listeners = context.listeners.iter().filter(|listener| has(port, listener.number));
    let loopback = matches!(port.site, DeclaredSite::Local(_))
        && (declared_loopback || only_loopback(listeners, context.observed, &port.name));
    let (id, severity, message) = if special {
        let message = format!("{} carries special categories of data and demands no encryption", port.name);
        (FindingId::SpecialCategoryUnprotected, Severity::High, message)
    } else {
        let severity = if loopback { Severity::Low } else { Severity::Medium };
        (
            FindingId::TlsNotDemanded,
            severity,
            format!("{} demands no encryption and does not say why", port.name),
        )
    };
    let edges = context.edges(port);
    // A flow whose encryption is not known yet stands in a row of its own until it is.
    let known = edges.iter().copied().filter(|edge| edge.counts.closed > 0 || is_known(edge));
    let states = Connections::by(known, |edge| edge.key.posture.state.as_str().to_owned());
    let newest_only = !states.is_empty() && states.keys().all(|state| state == PostureState::Tls13.as_str());
    let detail = special.then(|| "tls".into());
    let subject = Subject { detail, ..Context::subject(port) };
    let protocol = protocol(port).map_or("not known", |protocol| protocol.name);
    let draft = Draft::new(id, severity, subject, message)
        .place(&port.place)
        .evidence("protocol", protocol)
        .evidence(wording::BOUND_TO, if loopback { "loopback only" } else { "" })
        .evidence("encryption", wording::ranked(&states));
    if !can {
        context.add(draft.advice("Demand TLS with `tls = { min = \"1.3\" }`, or carry the connection in a tunnel and state it as `why`"));
        return;
    }
    let (tls, what) = if loopback && !special {
        (
            TlsDemand::NotRequired { why: "loopback only".into() },
            "Say why no encryption is demanded, or demand it",
        )
    } else if newest_only {
        (TlsDemand::AtLeast(TlsVersion::Tls13), "Demand what is used already")
    } else {
        (TlsDemand::AtLeast(TlsVersion::Tls12), "Demand TLS, once the service and its clients use it")
    };
    context.add(propose::replace_port(draft, port, &DeclaredPort { tls, ..port.clone() }, what));
}

/// `plaintext-seen`: flows were not encrypted, or the server refused to. `weak-tls-seen`: they were by SSL 2 to TLS 1.1, a broken
/// cipher suite, or an older TLS than the port demands. One finding for each port and direction.
///
/// Nothing is found where the port states that it needs no encryption (`tls = { required = false, why = … }`), unless its data
/// are special categories and other hosts were at the other end.
///
/// Evidence: how many flows, whose, with whom, when last.
/// Severity: plaintext `high` (Art. 32(1)(a) GDPR), weak `medium`; of an undeclared port one less, as the catalog only suspects
/// personal data there; `low` where all peers are this host's own loopback.
/// With special categories of data both are `special-category-unprotected`, `high`, unless all peers are loopback.
fn seen<'a>(
    context: &mut Context<'a>,
    port: Option<&DeclaredPort>,
    subject: &Subject,
    direction: Direction,
    weak: bool,
    edges: &[&'a Edge],
) {
    let special = port.is_some_and(is_special);
    let waived = port.is_some_and(|port| matches!(port.tls, TlsDemand::NotRequired { .. }));
    if waived && !special {
        return;
    }
    let plain_id = if weak { FindingId::WeakTlsSeen } else { FindingId::PlaintextSeen };
    let asked = if special { FindingId::SpecialCategoryUnprotected } else { plain_id };
    let parts = exceptions::part(context.policy, asked, edges, context.now);
    for (exception, edges) in parts {
        let loopback = edges.iter().all(|edge| edge.key.peer.addr().is_loopback());
        if waived && loopback {
            continue;
        }
        let id = if special && !loopback { FindingId::SpecialCategoryUnprotected } else { plain_id };
        let severity = match (id, loopback, port.is_some()) {
            (FindingId::SpecialCategoryUnprotected, ..) => Severity::High,
            (_, true, _) => Severity::Low,
            (FindingId::PlaintextSeen, false, true) => Severity::High,
            (FindingId::PlaintextSeen, false, false) | (_, false, true) => Severity::Medium,
            (_, false, false) => Severity::Low,
        };
        let flows = Connections::of(edges.iter().copied());
        // All went on to other rows: how they were encrypted stands there.
        if flows == 0 {
            continue;
        }
        let how = if weak { "weakly encrypted" } else { "not encrypted" };
        let name = subject.port.as_deref().unwrap_or_default();
        let (verb, data) = (
            if flows == 1 { "was" } else { "were" },
            if special { ", with special categories of data" } else { "" },
        );
        let way = match direction {
            Direction::In => "accepted",
            Direction::Out => "made",
        };
        let before = if port.is_none() && is_declared_now(context, subject, direction) {
            ", before the port was declared"
        } else {
            ""
        };
        let message = format!(
            "{} of {name} that this host {way} {verb} {how}{data}{before}",
            wording::counted(flows, "connection")
        );
        let kind = if weak { "weak" } else { "plaintext" };
        let mut detail =
            if special && !loopback { format!("{kind} {direction}") } else { direction.to_string() };
        if exception.is_some() {
            detail.push_str(", within an exception");
        }
        let subject = Subject { detail: Some(detail.into()), ..subject.clone() };
        let mut draft = facts(Draft::new(id, severity, subject, message), &edges);
        draft = draft.place(&port.map_or_else(|| context.nowhere(), |port| port.place.clone()));
        draft = draft.advice(remedy(port, direction));
        draft.exception = exception;
        context.add(draft);
    }
}

/// Whether the policy has a declaration for what no declaration was there for when it was seen.
fn is_declared_now(context: &Context<'_>, subject: &Subject, direction: Direction) -> bool {
    let there = |port: &DeclaredPort| match direction {
        Direction::In => matches!(port.site, DeclaredSite::Local(_)),
        // The service of a local port is called from this host too.
        Direction::Out => true,
    };
    let number = subject.number;
    context.ports().iter().any(|port| there(port) && number.is_some_and(|number| has(port, number)))
}

fn remedy(port: Option<&DeclaredPort>, direction: Direction) -> &'static str {
    match (port.and_then(protocol).map(|protocol| protocol.tls), direction) {
        (Some(TlsStart::None), _) => "The protocol has no TLS: carry it in a tunnel, or bind it to loopback",
        (_, Direction::In) => {
            "Have the server take only TLS 1.2 or newer, and demand it with `tls = { min = … }`"
        }
        (_, Direction::Out) => {
            "Have the client insist on TLS 1.2 or newer, and demand it with `tls = { min = … }`"
        }
    }
}

/// Whose flows, with whom, how encrypted, when last.
fn facts<'a>(mut draft: Draft<'a>, edges: &[&Edge]) -> Draft<'a> {
    let by = |name: fn(&Edge) -> String| Connections::by(edges.iter().copied(), name);
    let peers = by(|edge| wording::net(&edge.key.peer));
    let programs = by(|edge| wording::who(&edge.key.identity));
    let how = by(|edge| {
        let posture = &edge.key.posture;
        let mut name =
            posture.version.map_or_else(|| posture.state.as_str().to_owned(), |version| version.to_string());
        if let Some(cipher) = &posture.cipher {
            name.push(' ');
            name.push_str(cipher);
        }
        name
    });
    let last = edges.iter().map(|edge| edge.last).max();
    draft.peers = edges.iter().map(|edge| edge.key.peer).collect();
    draft
        .evidence("peers", wording::ranked(&peers))
        .evidence("programs", wording::ranked(&programs))
        .evidence("encryption", wording::ranked(&how))
        .evidence("last seen", last.map(wording::moment).unwrap_or_default())
        .identities(edges.iter().map(|edge| Arc::clone(&edge.key.identity)))
}
