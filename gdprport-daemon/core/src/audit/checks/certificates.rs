//! Certificates that end soon.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Span, Timestamp};

use super::rules::SOON_DAYS;
use crate::audit::context::Context;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::wording;
use crate::ledger::Edge;
use crate::model::{Direction, TlsVersion};

const ID: FindingId = FindingId::CertificateExpiring;

/// One server: whether its port is declared, the port's name and number, the direction, and which one it is.
type Server = (bool, Arc<str>, u16, Direction, String);

/// `certificate-expiring`: the certificate that a server showed last ends within 30 days, or had ended. Servers of this host are
/// told apart by their program, others by their address.
///
/// TLS shows certificates up to 1.2 only: where all that was seen is TLS 1.3, it is not judged. Neither is it without a ledger.
///
/// Evidence: until when, and when it was shown last. Severity: `high` once it has ended, as clients that go on do not check it
/// (Art. 32(1)(a) GDPR); else `medium`.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(observed) = context.ledger(&[ID]) else { return };
    let mut shown: BTreeMap<Server, (&Edge, Timestamp)> = BTreeMap::new();
    for edge in &observed.edges {
        let Some(until) = edge.key.posture.certificate_until else { continue };
        let last = shown.entry(server(edge)).or_insert((edge, until));
        if last.0.last < edge.last {
            *last = (edge, until);
        }
    }
    let is_hidden = |edge: &Edge| edge.key.posture.version == Some(TlsVersion::Tls13);
    if shown.is_empty() && observed.edges.iter().any(is_hidden) {
        context.not_judged(ID, "no certificate was seen: TLS 1.3, which was used, does not show them");
    }
    let soon = context.now.saturating_add(Span::new().hours(24 * SOON_DAYS)).unwrap_or(context.now);
    for ((declared, name, number, direction, who), (edge, until)) in shown {
        let port = context.ports().iter().find(|port| declared && port.name == name);
        // A port that the policy no longer has is no fault of this policy.
        if until > soon || declared && port.is_none() {
            continue;
        }
        let left = until.as_second() - context.now.as_second();
        let (severity, ends) = if left <= 0 {
            (Severity::High, format!("ended at {}", wording::moment(until)))
        } else {
            (Severity::Medium, format!("ends in {}", wording::span(left)))
        };
        let subject = match port {
            Some(port) => Context::subject(port),
            None => Subject { port: Some(Arc::clone(&name)), number: Some(number), ..Subject::default() },
        };
        let detail = Some(format!("{direction} until {}", wording::day(until)).into());
        let which = Some(Arc::from(who.as_str()));
        let subject = match direction {
            Direction::In => Subject { process: which, detail, ..subject },
            Direction::Out => Subject { address: which, detail, ..subject },
        };
        let message = format!("The certificate that {who} showed for {name} {ends}");
        let mut draft = Draft::new(ID, severity, subject, message)
            .place(&port.map_or_else(|| context.nowhere(), |port| port.place.clone()))
            .evidence("valid until", wording::moment(until))
            .evidence("shown last", wording::moment(edge.last))
            .advice("Renew the certificate, and have the service use it");
        draft.peers = vec![edge.key.peer];
        context.add(draft.identities([Arc::clone(&edge.key.identity)]));
    }
}

fn server(edge: &Edge) -> Server {
    let key = &edge.key;
    let who = match key.direction {
        Direction::In => wording::who(&key.identity),
        Direction::Out => wording::net(&key.peer),
    };
    (key.port.declared, Arc::clone(&key.port.name), key.port.number, key.direction, who)
}
