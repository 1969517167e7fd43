//! Peers in third countries.

use std::sync::Arc;

use super::world::*;
use crate::audit::{CountriesFile, FindingId};
use crate::countries::Countries;
use crate::model::Direction;

const FILE: &str = "198.51.100.0/24,US\n198.51.100.128/25,DE\n203.0.113.0/24,CH\n10.0.0.0/8,US\n";

fn world(transfers: &str) -> World {
    let mut world = World::with("transfers = []", transfers);
    world.countries = CountriesFile::Read(Arc::new(Countries::parse(FILE.as_bytes()).expect("no mistakes")));
    world
}

fn talks(world: &mut World, peer: &str, direction: Direction) {
    let mut edge = orders(peer);
    edge.key.direction = direction;
    (edge.counts.bytes_sent, edge.counts.bytes_received) = (5 << 20, 300);
    world.ledger().edges.push(edge);
}

fn candidates(world: &World) -> Vec<String> {
    let found = world.audit().findings;
    let ours = found.into_iter().filter(|finding| finding.id == FindingId::ThirdCountryCandidate);
    ours.map(|finding| finding.message).collect()
}

#[test]
fn a_third_country_that_no_transfer_names_is_a_candidate() {
    for (transfers, says) in [
        ("transfers = []", "the record says that there are no transfers"),
        ("transfers = [\"CH: adequacy\"]", "the record names no transfer there"),
        ("transfers = [\"USA and others\"]", "the record names no transfer there"),
    ] {
        let mut world = world(transfers);
        talks(&mut world, "198.51.100.7/32", Direction::Out);
        talks(&mut world, "198.51.100.8/32", Direction::Out);
        let message = format!(
            "customers-db has connections made to US, a third country by the file of countries; {says}"
        );
        assert_eq!(candidates(&world), [message]);
        let found = world.audit().findings.into_iter().find(|it| it.id == FindingId::ThirdCountryCandidate);
        let found = found.expect("found");
        assert_eq!(found.severity.as_str(), "medium");
        assert_eq!(evidence(&found, "addresses"), "198.51.100.7, 198.51.100.8");
        assert_eq!(evidence(&found, "sent"), "10.0 MiB");
        assert_eq!(found.subject.detail.as_deref(), Some("out US"));
    }
}

#[test]
fn a_declared_transfer_and_the_eea_are_no_candidates() {
    let mut world = world("transfers = [\"United States (US): standard contractual clauses\"]");
    talks(&mut world, "198.51.100.7/32", Direction::In);
    talks(&mut world, "198.51.100.129/32", Direction::In);
    talks(&mut world, "10.0.2.7/32", Direction::In);
    talks(&mut world, "127.0.0.1/32", Direction::In);
    assert!(candidates(&world).is_empty());
    let judged = |world: &World| {
        world.audit().not_judged.iter().all(|it| !it.ids.contains(&FindingId::ThirdCountryCandidate))
    };
    assert!(judged(&world));
    world.countries = CountriesFile::NotAsked;
    talks(&mut world, "203.0.113.1/32", Direction::In);
    assert!(candidates(&world).is_empty() && judged(&world), "nobody asked");
}

#[test]
fn what_has_no_known_country_is_not_judged_and_said() {
    let why = |world: &World| -> Vec<String> {
        let all = world.audit().not_judged;
        let ours = all.into_iter().filter(|it| it.ids.contains(&FindingId::ThirdCountryCandidate));
        ours.map(|it| it.why).collect()
    };
    let mut unknown = world("transfers = []");
    talks(&mut unknown, "192.0.2.1/32", Direction::In);
    talks(&mut unknown, "198.51.100.0/24", Direction::In);
    talks(&mut unknown, "100::1:2:3:4/128", Direction::In);
    assert!(candidates(&unknown).is_empty());
    assert_eq!(
        why(&unknown),
        [
            "pseudonyms have no country: 1 address of customers-db",
            "the file of countries does not say where 2 addresses of customers-db"
        ]
    );
    let mut unusable = world("transfers = []");
    unusable.countries = CountriesFile::Unusable("it is missing".into());
    assert_eq!(why(&unusable), ["the countries of addresses are not known: it is missing"]);
    unusable.observed = None;
    unusable.countries = CountriesFile::Read(Arc::default());
    assert_eq!(why(&unusable).len(), 1, "without a ledger");
}
