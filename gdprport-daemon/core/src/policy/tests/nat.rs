//! Translated connections: by which of the addresses a peer is compared.

use super::*;

const RULES: &str = r#"[[port.allow]]
role = "gateway"
direction = "in"
peers = ["172.17.0.0/16"]
[[port.allow]]
role = "shop"
direction = "in"
peers = ["10.0.2.0/24"]
[[port.allow]]
role = "service"
direction = "out"
peers = ["10.96.0.0/12"]
[[port.allow]]
role = "pods"
direction = "out"
peers = ["10.244.0.0/16"]
"#;

fn verdict(facts: Facts<'_>, nat: Option<&Nat>) -> String {
    line(&policy(&format!("{DB}{RULES}")).evaluate(&Facts { nat, ..facts }, Timestamp::UNIX_EPOCH))
}

#[test]
fn a_masqueraded_client_does_not_pass_as_the_gateway() {
    let facts = || accepted(5432, "172.17.0.1", None);
    assert_eq!(verdict(facts(), None), "declared gateway");
    assert_eq!(verdict(facts(), Some(&translated("10.0.2.7"))), "declared shop");
    let outside = verdict(facts(), Some(&translated("203.0.113.7")));
    assert_eq!(outside, "violation undeclared-peer nearest gateway(peers)");
    let destination = Some(Endpoint::new(ip("192.0.2.10"), 15432));
    let published = Nat::Translated(Box::new(Translation { destination, ..Translation::default() }));
    assert_eq!(verdict(facts(), Some(&published)), "declared gateway", "the client's address was kept");
}

#[test]
fn a_client_that_may_be_masqueraded_is_undecided() {
    for nat in [Nat::Pending, Nat::Unknown] {
        let verdict = verdict(accepted(5432, "172.17.0.1", None), Some(&nat));
        assert!(
            verdict.starts_with("undecided the peer is not known, as the connection may be"),
            "{verdict}"
        );
        let all = "[[port.allow]]\nrole = \"all\"\ndirection = \"in\"\npeers = [\"any\"]\n";
        let anybody = policy(&format!("{DB}{all}"));
        let facts = Facts { nat: Some(&nat), ..accepted(5432, "172.17.0.1", None) };
        assert_eq!(line(&anybody.evaluate(&facts, Timestamp::UNIX_EPOCH)), "declared all");
    }
}

#[test]
fn a_call_is_declared_by_the_service_or_what_is_behind_it() {
    let pod = translated("10.244.3.4");
    assert_eq!(verdict(connected(5432, "10.96.0.7", None), None), "declared service");
    assert_eq!(verdict(connected(5432, "192.0.2.7", None), Some(&pod)), "declared pods");
    assert_eq!(verdict(connected(5432, "10.96.0.7", None), Some(&pod)), "declared service");
    // What it called is enough, whatever is behind it.
    assert_eq!(verdict(connected(5432, "10.96.0.7", None), Some(&Nat::Pending)), "declared service");
    let unknown = verdict(connected(5432, "192.0.2.7", None), Some(&Nat::Pending));
    assert!(unknown.starts_with("undecided "), "{unknown}");
    let elsewhere = translated("203.0.113.7");
    let verdict = policy(&format!("{DB}{RULES}")).evaluate(
        &Facts { nat: Some(&elsewhere), ..connected(5432, "192.0.2.7", None) },
        Timestamp::UNIX_EPOCH,
    );
    let detail = &verdict.reasons()[0].detail;
    assert_eq!(detail, "192.0.2.7, which leads to 203.0.113.7, is not in 10.244.0.0/16 of pods");
}

/// The remote services share a number; which one it is decides whose rules apply.
#[test]
fn a_service_is_found_by_the_address_behind_the_called_one() {
    let text = format!("version = 1\n{}{}", remote("a", "10.1.0.0/16"), remote("b", "10.2.0.0/16"));
    let policy = policy(&text);
    let verdict = |peer: &str, nat: Option<&Nat>| {
        line(&policy.evaluate(&Facts { nat, ..connected(5432, peer, None) }, Timestamp::UNIX_EPOCH))
    };
    let behind = translated("10.2.0.9");
    assert_eq!(verdict("192.0.2.7", Some(&behind)), "declared r-b");
    assert_eq!(verdict("10.1.0.9", Some(&behind)), "declared r-a");
    assert_eq!(verdict("10.2.0.9", Some(&Nat::Pending)), "declared r-b");
    let open = verdict("192.0.2.7", Some(&Nat::Pending));
    assert!(open.starts_with("undecided whether the peer is b, as the connection may be"), "{open}");
}
