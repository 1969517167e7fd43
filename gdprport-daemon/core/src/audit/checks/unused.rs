//! Declared ports without a listener.

use crate::audit::context::{Context, has};
use crate::audit::draft::Draft;
use crate::audit::finding::{Edit, FindingId, Severity};
use crate::audit::wording;
use crate::policy::DeclaredSite;

/// `port-without-listener`: nothing listens now on any number of a port that is declared to be served here, and nothing did in
/// the period, nor was a connection accepted.
///
/// Evidence: how long the port was watched without a loss.
/// Severity: `low`: a declaration of what is not there makes the record of processing wrong, and nobody less safe.
/// Not judged without a ledger, and for ports that were watched too short ([`Context::needed_s`]).
pub(super) fn listeners(context: &mut Context<'_>) {
    const ID: FindingId = FindingId::PortWithoutListener;
    let Some(observed) = context.ledger(&[ID]) else { return };
    let needed = context.needed_s();
    let mut short = Vec::new();
    for port in context.ports() {
        if !matches!(port.site, DeclaredSite::Local(_)) {
            continue;
        }
        let listens = context.listeners.iter().any(|listener| has(port, listener.number));
        let did = observed.listeners.iter().any(|row| has(port, row.local.port));
        let accepted =
            context.edges(port).iter().any(|edge| edge.key.direction == crate::model::Direction::In);
        if listens || did || accepted {
            continue;
        }
        let watched = context.watched_s(&port.name, observed.from);
        if watched < needed {
            short.push(format!("{} ({})", port.name, wording::span(watched)));
            continue;
        }
        let message = format!("{} is declared to be served here, and nothing listens on it", port.name);
        let draft = Draft::new(ID, Severity::Low, Context::subject(port), message)
            .place(&port.place)
            .evidence("watched", format!("{} without a loss", wording::span(watched)))
            .evidence("listeners", "none")
            .proposal("Remove the declaration, or start the service", Edit::Remove, String::new());
        context.add(draft);
    }
    too_short(context, &[ID], &short);
}

/// Says once of what it is not known, as it was watched too short.
pub(super) fn too_short(context: &mut Context<'_>, ids: &[FindingId], short: &[String]) {
    if short.is_empty() {
        return;
    }
    let why = format!(
        "absence counts after {} of watching without a loss, and there is less for {}",
        wording::span(context.needed_s()),
        wording::some(short)
    );
    ids.iter().for_each(|id| context.not_judged(*id, &*why));
}
