//! The parts of an event that are made from a flow.
//!
//! Belongs here: pure mapping. Does not belong here: which events there are (`publish`).

use std::sync::Arc;

use gdprport_core::event::{Cookie, Finding, FindingId, Flow as FlowObject, FlowEvent, Peer};
use gdprport_core::flow::Flow;
use gdprport_core::model::{PostureState, Proof};
use gdprport_core::policy::DnsNames;
use gdprport_core::verdict::Verdict;
use jiff::Timestamp;

use crate::host::clock::BootClock;

/// The name by which the policy knows the peer of a flow as it is, and not as it is shown.
pub(in crate::app) fn peer_name(flow: &Flow, names: &DnsNames) -> Option<Arc<str>> {
    names.at(flow.peer.ip).first().cloned()
}

/// The `flow` object of an event at `now`. `name`: the peer's, by the policy.
pub(in crate::app) fn flow_object(
    flow: &Flow,
    name: Option<Arc<str>>,
    clock: &BootClock,
    now: Timestamp,
) -> FlowObject {
    let opened = flow.opened_ns.map(|ns| clock.timestamp(ns));
    let duration_ms = flow.opened_ns.zip(opened).map(|(from_ns, from)| match flow.ended_ns {
        Some(to_ns) => to_ns.saturating_sub(from_ns) / 1_000_000,
        None => u64::try_from(now.duration_since(from).as_millis()).unwrap_or(0),
    });
    FlowObject {
        id: flow.id,
        cookie: Cookie(flow.cookie),
        direction: flow.direction,
        local: flow.local,
        peer: Peer { ip: flow.peer.ip, port: flow.peer.port, name },
        nat: flow.nat.clone(),
        opened,
        duration_ms,
        bytes_sent: flow.bytes_sent,
        bytes_received: flow.bytes_received,
        rtt_us: flow.rtt_us,
        retransmits: flow.retransmits,
        outcome: flow.outcome,
        would_deny: flow.would_deny,
    }
}

/// The finding of a flow that ended and whose encryption, which the policy demands, was not seen, or cannot be compared
/// with the demand: unknown is not compliant.
pub(super) fn unproven(event: &FlowEvent) -> Option<Finding> {
    let Verdict::Undecided { .. } = *event.verdict else { return None };
    const UNKNOWN: (FindingId, &str) = (FindingId::PostureUnknown, "how it was encrypted is not known");
    let ((id, what), why) = match event.posture.as_deref() {
        None => (UNKNOWN, "nothing was seen"),
        Some(posture) => {
            let found = match posture.state {
                PostureState::Unknown => UNKNOWN,
                // Upgraded to some TLS: whether to the one demanded was not seen.
                PostureState::StarttlsUpgraded if posture.version.is_none() => UNKNOWN,
                // A server's hello alone may be stored bytes that begin like one.
                _ if posture.proof == Some(Proof::OneSide) => UNKNOWN,
                PostureState::EncryptedOther => (
                    FindingId::PostureNotTls,
                    "it was encrypted by something else than the TLS that is demanded",
                ),
                _ => return None,
            };
            (found, &*posture.evidence)
        }
    };
    let detail = format!("the flow ended and {what}: {why}");
    Some(Finding { id, detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_core::event::samples;
    use gdprport_core::model::{Direction, Endpoint, Outcome, Posture, TlsVersion};
    use gdprport_core::policy::Resolution;

    const SECOND: u64 = 1_000_000_000;

    fn flow() -> Flow {
        let endpoint = |ip: &str, port| Endpoint::new(ip.parse().expect("address"), port);
        let (local, peer) = (endpoint("10.1.2.3", 48_212), endpoint("203.0.113.7", 5432));
        Flow { opened_ns: Some(10 * SECOND), ..Flow::new(1, Direction::Out, local, peer) }
    }

    #[test]
    fn a_flow_has_a_duration_only_where_its_opening_is_known() {
        let clock = BootClock::booted_at(samples::now());
        let at = |flow: &Flow, second| {
            flow_object(flow, None, &clock, clock.timestamp(second * SECOND)).duration_ms
        };
        assert_eq!(at(&flow(), 12), Some(2_000));
        assert_eq!(at(&flow(), 9), Some(0), "the time of a batch may be before that of its last record");
        assert_eq!(at(&Flow { ended_ns: Some(11 * SECOND), ..flow() }, 12), Some(1_000));
        assert_eq!(at(&Flow { opened_ns: None, ..flow() }, 12), None);
    }

    #[test]
    fn a_peer_has_the_name_by_which_the_policy_knows_its_address() {
        let resolved = |ip: &str| Resolution::Resolved(vec![ip.parse().expect("address")]);
        let names = DnsNames::new([
            ("other.example".into(), resolved("203.0.113.8")),
            ("db.example".into(), resolved("203.0.113.7")),
        ]);
        let named = |names: &DnsNames| peer_name(&flow(), names);
        assert_eq!(named(&names).as_deref(), Some("db.example"));
        assert_eq!(named(&DnsNames::default()), None);
    }

    fn found(posture: Option<Posture>, undecided: bool) -> Option<FindingId> {
        let mut event = samples::declared(Outcome::Closed);
        event.posture = posture.map(Into::into);
        if undecided {
            event.verdict = Verdict::Undecided { missing: Vec::new(), nearest: None }.into();
        }
        unproven(&event).map(|finding| finding.id)
    }

    #[test]
    fn a_flow_that_ends_undecided_for_its_encryption_is_a_finding() {
        let of = |state| found(Some(Posture::new(state, "seen")), true);
        assert_eq!(of(PostureState::Unknown), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::StarttlsUpgraded), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::EncryptedOther), Some(FindingId::PostureNotTls));
        let upgraded = Posture::new(PostureState::StarttlsUpgraded, "seen");
        assert_eq!(found(Some(Posture { version: Some(TlsVersion::Tls13), ..upgraded }), true), None);
        assert_eq!(of(PostureState::Tls13), None, "what is undecided is something else");
        let one_side = Posture { proof: Some(Proof::OneSide), ..Posture::new(PostureState::Tls13, "seen") };
        assert_eq!(found(Some(one_side), true), Some(FindingId::PostureUnknown));
        assert_eq!(found(Some(Posture::unknown("seen")), false), None);
        assert_eq!(found(None, true), Some(FindingId::PostureUnknown), "nothing was seen");
    }
}
