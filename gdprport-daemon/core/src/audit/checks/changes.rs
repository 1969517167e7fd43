//! Changes of the policy, and flows whose process is not known.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audit::context::Context;
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::wording;
use crate::ledger::{Edge, Observed};
use crate::model::Attribution;

/// Changes of the policy that are listed one by one, the latest: a policy that a program writes may change every minute.
const CHANGES_MAX: usize = 20;

/// Flows, and their share in percent, from which unattributed ones are more than a moment of a busy host.
const MANY: u64 = 10;
const MANY_PERCENT: u64 = 10;

/// `policy-changed` and `unattributed-flows`. Not judged without a ledger.
pub(super) fn check(context: &mut Context<'_>) {
    let ids = [FindingId::PolicyChanged, FindingId::UnattributedFlows];
    let Some(observed) = context.ledger(&ids) else { return };
    changed(context, observed);
    unattributed(context, observed);
}

/// `policy-changed`: another policy was applied in the period. A restart, and a reload of the same policy, is none.
///
/// Evidence: both digests, and when. Severity: `info`: to change a policy is no fault, but an auditor asks when it was.
fn changed(context: &mut Context<'_>, observed: &Observed) {
    let pairs = observed.policies.windows(2).filter(|pair| pair[0].digest != pair[1].digest);
    let changes: Vec<_> = pairs.collect();
    for pair in changes.iter().rev().take(CHANGES_MAX) {
        let [before, after] = pair else { continue };
        let name = |digest: &Option<Arc<str>>| digest.as_deref().unwrap_or("the catalog").to_owned();
        let at = wording::moment(after.from);
        let subject =
            Subject { detail: Some(format!("{} {at}", name(&after.digest)).into()), ..Subject::default() };
        let message = format!("The policy was changed at {at}");
        let draft = Draft::new(FindingId::PolicyChanged, Severity::Info, subject, message)
            .evidence("before", name(&before.digest))
            .evidence("after", name(&after.digest));
        context.add(draft);
    }
}

/// `unattributed-flows`: flows and failed connects of a port of which it is not known whose they are.
///
/// Evidence: how many of how many, with whom. Severity: `medium` from ten flows and a tenth of all on; else `low` from one in a
/// hundred on, else `info`: a process that was gone before the daemon began cannot be found any more.
fn unattributed(context: &mut Context<'_>, observed: &Observed) {
    let mut ports: BTreeMap<(bool, Arc<str>), Vec<&Edge>> = BTreeMap::new();
    for edge in &observed.edges {
        let port = &edge.key.port;
        ports.entry((port.declared, Arc::clone(&port.name))).or_default().push(edge);
    }
    for ((declared, name), edges) in ports {
        let port = context.ports().iter().find(|port| declared && port.name == name);
        let unknown: Vec<&Edge> = edges
            .iter()
            .copied()
            .filter(|edge| edge.key.identity.attribution == Attribution::Unknown)
            .collect();
        let of = Connections::of(unknown.iter().copied());
        let all = Connections::of(edges.iter().copied()).max(1);
        if of == 0 || declared && port.is_none() {
            continue;
        }
        let percent = u64::try_from(u128::from(of) * 100 / u128::from(all)).unwrap_or(100);
        let severity = match (of, percent) {
            (MANY.., MANY_PERCENT..) => Severity::Medium,
            (_, 1..) => Severity::Low,
            _ => Severity::Info,
        };
        let subject = port.map_or_else(
            || Subject { port: Some(Arc::clone(&name)), ..Subject::default() },
            Context::subject,
        );
        let share = if percent == 0 { "less than 1%".to_owned() } else { format!("{percent}%") };
        let message = format!(
            "It is not known whose {} of {name} were, {share} of all",
            wording::counted(of, "connection")
        );
        let by_peer = |edge: &Edge| format!("{} {}", edge.key.direction, wording::net(&edge.key.peer));
        let peers = Connections::by(unknown.iter().copied(), by_peer);
        let last = unknown.iter().map(|edge| edge.last).max();
        let mut draft = Draft::new(FindingId::UnattributedFlows, severity, subject, message)
            .evidence("connections", format!("{} of {}", wording::thousands(of), wording::thousands(all)))
            .evidence("peers", wording::ranked(&peers))
            .evidence("last seen", last.map(wording::moment).unwrap_or_default())
            .advice("Look at `gdprport doctor` for what the kernel does not show, and start the daemon before the service");
        if let Some(port) = port {
            draft = draft.place(&port.place);
        }
        draft.peers = unknown.iter().map(|edge| edge.key.peer).collect();
        context.add(draft);
    }
}
