//! Connections that were counted together by network: judged as far as it is proven for all of it.

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

const RULES: &str = r#"[[port.allow]]
role = "shop"
direction = "in"
peers = ["10.0.0.0/16"]
[[port.allow]]
role = "office"
direction = "in"
peers = ["192.0.2.128/25"]
process = { exe = "/usr/bin/server" }
[[port.allow]]
role = "named"
direction = "in"
peers = ["db.example"]
"#;

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn judged(policy: &ActivePolicy, network: &str) -> String {
    let network = net(network);
    let peer = network.addr().to_string();
    line(&policy.evaluate(
        &Facts { peer_within: Some(network), ..accepted(5432, &peer, None) },
        Timestamp::UNIX_EPOCH,
    ))
}

#[test]
fn a_network_is_declared_if_a_rule_has_all_of_it() {
    assert_eq!(judged(&policy(&format!("{DB}{RULES}")), "10.0.7.0/24"), "declared shop");
    assert_eq!(judged(&policy(&format!("{DB}{RULES}")), "10.0.0.0/16"), "declared shop");
}

#[test]
fn a_network_of_which_a_rule_has_a_part_is_undecided() {
    for network in ["10.0.0.0/15", "192.0.2.0/24"] {
        let verdict = judged(&policy(&format!("{DB}{RULES}")), network);
        assert!(verdict.starts_with("undecided "), "{network}: {verdict}");
        assert!(verdict.contains("counted together by network"), "{verdict}");
    }
    let named = policy(&format!("{DB}{RULES}")).with_names(resolved(&[("db.example", &["203.0.113.9"])]));
    let verdict = judged(&named, "203.0.113.0/24");
    assert!(verdict.starts_with("undecided "), "{verdict}");
}

#[test]
fn a_network_that_no_rule_touches_is_a_violation() {
    let named = policy(&format!("{DB}{RULES}")).with_names(resolved(&[("db.example", &["203.0.113.9"])]));
    let verdict = judged(&named, "198.51.100.0/24");
    assert!(verdict.starts_with("violation undeclared-peer"), "{verdict}");
    let facts = Facts { peer_within: Some(net("198.51.100.0/24")), ..accepted(5432, "198.51.100.1", None) };
    let verdict = named.evaluate(&facts, Timestamp::UNIX_EPOCH);
    assert!(verdict.reasons()[0].detail.starts_with("all of 198.51.100.0/24 is not in"), "{verdict:?}");
}

/// Whether the network is one service's is not known, unless it alone has the number.
#[test]
fn a_network_in_several_services_of_a_number_is_undecided() {
    let text = format!("version = 1\n{}{}", remote("a", "10.1.0.0/25"), remote("b", "10.1.0.128/25"));
    let policy = policy(&text);
    let verdict = |network: &str| {
        let peer = net(network).addr().to_string();
        let facts = Facts { peer_within: Some(net(network)), ..connected(5432, &peer, None) };
        line(&policy.evaluate(&facts, Timestamp::UNIX_EPOCH))
    };
    assert_eq!(verdict("10.1.0.0/26"), "declared r-a");
    assert!(verdict("10.1.0.0/24").starts_with("undecided "), "{}", verdict("10.1.0.0/24"));
}

proptest! {
    /// A network that is declared is so by the rule of each of its addresses, and of one in violation none is allowed.
    #[test]
    fn what_is_decided_of_a_network_holds_for_each_address(
        prefixes in proptest::collection::vec((0_u8..=255, 24_u8..=32, any::<bool>()), 1..5),
        asked in (0_u8..=255, 24_u8..=30),
        host in proptest::option::of(0_u8..=255),
    ) {
        let of = |last: u8, prefix: u8| {
            IpNet::new(std::net::Ipv4Addr::new(10, 0, 0, last).into(), prefix).expect("a prefix").trunc()
        };
        let rules: String = prefixes.iter().enumerate().map(|(number, (last, prefix, _))| {
            format!("[[port.allow]]\nrole = \"r{number}\"\ndirection = \"in\"\npeers = [\"{}\"]\n", of(*last, *prefix))
        }).collect();
        let text = format!(
            "{DB}{rules}[[port.allow]]\nrole = \"n\"\ndirection = \"in\"\npeers = [\"db.example\"]\n"
        );
        let addresses: Vec<String> = host.iter().map(|last| format!("10.0.0.{last}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let policy = policy(&text).with_names(resolved(&[("db.example", &addresses)]));
        let network = of(asked.0, asked.1);
        let whole = judged(&policy, &network.to_string());
        for address in network.hosts() {
            let one = line(&policy.evaluate(&accepted(5432, &address.to_string(), None), Timestamp::UNIX_EPOCH));
            if whole.starts_with("declared") {
                prop_assert!(one.starts_with("declared"), "{network} {whole}, {address} {one}");
            }
            if whole.starts_with("violation") {
                prop_assert!(one.starts_with("violation"), "{network} {whole}, {address} {one}");
            }
        }
    }
}
