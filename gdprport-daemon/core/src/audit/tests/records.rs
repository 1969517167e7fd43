//! Records of processing.

use super::world::*;
use crate::audit::{Edit, FindingId};

#[test]
fn a_port_without_a_record_is_found() {
    let begin = GOOD.find("[port.record]").expect("a record");
    let end = GOOD.find("[[port.allow]]").expect("a rule");
    let world = World::with(&GOOD[begin..end], "");
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::RecordIncomplete, "medium"));
    assert_eq!(found.place.map(|place| place.line), Some(7));
    assert_eq!(found.proposal.and_then(|proposal| proposal.edit), Some(Edit::Insert));
}

#[test]
fn missing_keys_are_named_and_never_invented() {
    let world = World::with("purpose = \"order fulfilment\"\n", "");
    let found = world.one();
    assert_eq!((found.severity.as_str(), evidence(&found, "missing")), ("low", "purpose"));
    assert_eq!(found.place.map(|place| place.line), Some(13));
    let toml = found.proposal.and_then(|proposal| proposal.toml).expect("a table");
    assert!(toml.contains("# purpose = …") && toml.contains("retention = \"6 years\""), "{toml}");
}

#[test]
fn a_policy_names_its_controller() {
    let world = World::with("contact = \"privacy@example.org\"\n", "");
    assert_eq!(world.found(), ["low record-incomplete"]);
    let world = World::with("[controller]\nname = \"Example GmbH\"\ncontact = \"privacy@example.org\"\n", "");
    assert_eq!(world.found(), ["medium record-incomplete"]);
}
