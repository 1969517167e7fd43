//! Peers in countries to which no transfer is declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::audit::context::Context;
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::settings::CountriesFile;
use crate::audit::wording;
use crate::countries::{Countries, Country};
use crate::ledger::Edge;
use crate::model::Direction;
use crate::policy::DeclaredPort;
use crate::privacy::is_pseudonym;
use crate::records::Zone;

const ID: FindingId = FindingId::ThirdCountryCandidate;

/// `third-country-candidate`: data were moved between a declared port and public addresses that the controller's own file puts
/// outside of the EEA, and no entry of the record's `transfers` names that country by its code (`US`). One finding for each port,
/// direction and country.
///
/// It is a candidate: where an address is says nothing certain of where data go, nor of a decision by which they may.
///
/// Evidence: connections, bytes each way, addresses, programs, when last, what the record says. Severity: `medium`.
///
/// Without a file nobody asked, and nothing is said. Not judged where the file cannot be used, without a ledger, and of addresses
/// that are not in the file, are pseudonyms, or were rolled up to networks in several countries. Private addresses have no country.
pub(super) fn check(context: &mut Context<'_>) {
    let countries = match &context.settings.countries {
        CountriesFile::NotAsked => return,
        CountriesFile::Unusable(why) => {
            let why = format!("the countries of addresses are not known: {why}");
            return context.not_judged(ID, why);
        }
        CountriesFile::Read(countries) => Arc::clone(countries),
    };
    if context.ledger(&[ID]).is_none() {
        return;
    }
    for port in context.ports() {
        of_port(context, port, &countries);
    }
}

fn of_port(context: &mut Context<'_>, port: &DeclaredPort, countries: &Countries) {
    let mut found: BTreeMap<(Country, Direction), Vec<&Edge>> = BTreeMap::new();
    let (mut unknown, mut pseudonyms) = (BTreeSet::new(), BTreeSet::new());
    let moved = |edge: &&Edge| edge.counts.bytes_sent > 0 || edge.counts.bytes_received > 0;
    for edge in context.edges(port).into_iter().filter(moved) {
        let peer = edge.key.peer;
        match (Zone::of(&peer), countries.of(&peer)) {
            (Zone::Host | Zone::Private, _) => {}
            (Zone::Unknown, _) if is_pseudonym(peer) => {
                pseudonyms.insert(peer);
            }
            (Zone::Unknown, _) | (Zone::Public, None) => {
                unknown.insert(peer);
            }
            (Zone::Public, Some(country)) if country.is_in_eea() => {}
            (Zone::Public, Some(country)) => {
                found.entry((country, edge.key.direction)).or_default().push(edge);
            }
        }
    }
    for (peers, why) in [
        (unknown.len(), "the file of countries does not say where"),
        (pseudonyms.len(), "pseudonyms have no country:"),
    ] {
        if peers > 0 {
            context.not_judged(
                ID,
                format!("{why} {} of {}", wording::counted(peers as u64, "address"), port.name),
            );
        }
    }
    let transfers = port.record.as_ref().and_then(|record| record.transfers.as_deref());
    for ((country, direction), edges) in found {
        let names = |entry: &Arc<str>| {
            entry.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == country.as_str())
        };
        if transfers.is_some_and(|entries| entries.iter().any(names)) {
            continue;
        }
        let says = match transfers {
            None => "the record does not say whether there are transfers",
            Some([]) => "the record says that there are no transfers",
            Some(_) => "the record names no transfer there",
        };
        let draft = draft(port, country, direction, &edges, says);
        context.add(draft);
    }
}

fn draft<'a>(
    port: &DeclaredPort,
    country: Country,
    direction: Direction,
    edges: &[&Edge],
    says: &str,
) -> Draft<'a> {
    let peers: BTreeSet<_> = edges.iter().map(|edge| edge.key.peer).collect();
    let identities: BTreeSet<_> = edges.iter().map(|edge| Arc::clone(&edge.key.identity)).collect();
    let (mut sent, mut received) = (0_u64, 0_u64);
    for edge in edges {
        sent = sent.saturating_add(edge.counts.bytes_sent);
        received = received.saturating_add(edge.counts.bytes_received);
    }
    let made = match direction {
        Direction::In => "accepted from",
        Direction::Out => "made to",
    };
    let message = format!(
        "{} has connections {made} {country}, a third country by the file of countries; {says}",
        port.name
    );
    let subject = Subject { detail: Some(format!("{direction} {country}").into()), ..Context::subject(port) };
    let last = edges.iter().map(|edge| edge.last).max();
    let mut draft = Draft::new(ID, Severity::Medium, subject, message)
        .place(port.record_place.as_ref().unwrap_or(&port.place))
        .evidence("connections", wording::thousands(Connections::of(edges.iter().copied())))
        .evidence("sent", wording::bytes(sent))
        .evidence("received", wording::bytes(received))
        .evidence("addresses", wording::some(peers.iter().map(wording::net)))
        .evidence("programs", wording::some(identities.iter().map(|identity| wording::who(identity))))
        .evidence("last seen", last.map(wording::moment).unwrap_or_default())
        .advice(format!(
            "Find out what is there. If data are transferred, declare it with its safeguards, such as transfers = [\"{country}: …\"]; if the address is not there, mend the file"
        ));
    draft.peers = peers.into_iter().collect();
    draft.identities(identities)
}
