//! Ledgers at random, with names that somebody chose to break the file.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::generated::{address, text, who};
use super::merged::{has_all_lines, merged};
use super::proposals::{at, learn};
use super::*;
use crate::ledger::{Counts, Edge, EdgeKey, PortKey, VerdictKey};
use crate::model::PostureState::{NoData, Plaintext, Tls12, Tls13, Unknown};
use crate::verdict::ReasonId;

fn verdicts() -> impl Strategy<Value = VerdictKey> {
    let of = |reasons: Vec<ReasonId>| VerdictKey::Violation { reasons, nearest: None };
    prop_oneof![
        3 => Just(VerdictKey::Declared { rule: "orders".into() }),
        1 => Just(of(vec![ReasonId::UndeclaredPeer])),
        1 => Just(of(vec![ReasonId::Plaintext])),
        1 => Just(of(vec![ReasonId::UndeclaredPort])),
        1 => Just(VerdictKey::Undecided { nearest: None }),
    ]
}

fn known() -> impl Strategy<Value = Identity> {
    (who(), select(vec![Attribution::Exact, Attribution::Exact, Attribution::Exact, Attribution::Snapshot]))
        .prop_map(|(identity, attribution)| match identity.attribution {
            Attribution::Unknown => identity,
            _ => Identity { attribution, ..identity },
        })
}

fn rows() -> impl Strategy<Value = Vec<Edge>> {
    let net = (address(), prop_oneof![8 => Just(128_u8), 1 => 0_u8..128]).prop_map(|(ip, length)| {
        let net = IpNet::from(ip);
        IpNet::new(ip, length.min(net.max_prefix_len())).map_or(net, |net| net.trunc())
    });
    let net = net.boxed();
    let port = prop_oneof![4 => select(vec![5432_u16, 6379]), 1 => 1_u16..].boxed();
    let counts = (0_u64..9, 0_u64..3);
    let row = move |who: Identity| {
        (
            port.clone(),
            select(vec![Direction::In, Direction::Out]),
            net.clone(),
            verdicts(),
            select(vec![Tls13, Tls12, Plaintext, NoData, Unknown]),
            counts.clone(),
            any::<bool>(),
        )
            .prop_map(move |(number, direction, peer, verdict, state, (opened, failed), policy)| {
                let key = EdgeKey {
                    port: Arc::new(PortKey { name: "p".into(), number, declared: true }),
                    direction,
                    identity: Arc::new(who.clone()),
                    peer,
                    verdict: Arc::new(verdict),
                    posture: Arc::new(PostureKey {
                        state,
                        version: None,
                        cipher: None,
                        certificate_until: None,
                    }),
                    policy: policy.then(|| "sha256:1dc4".into()),
                };
                let flows = opened + failed;
                let counts = Counts {
                    flows,
                    moved: 0,
                    opened,
                    closed: opened,
                    failed,
                    bytes_sent: 1,
                    bytes_received: 1,
                };
                let (first, last) = (at("2026-11-02T08:00:00Z"), at("2026-11-28T09:00:00Z"));
                Edge { day: "2026-11-28".parse().expect("a day"), key, counts, first, last }
            })
            .boxed()
    };
    let few = vec(known(), 1..5).prop_flat_map(move |people| {
        let rows = people.into_iter().map(|who| vec(row(who), 1..6)).collect::<Vec<_>>();
        rows.prop_map(|rows| rows.into_iter().flatten().collect::<Vec<_>>())
    });
    // One process with very many peers.
    let many = (vec(address(), 60..140), who()).prop_map(|(peers, who)| {
        let rows = peers.into_iter().map(|peer| {
            super::proposals::row(Direction::In, &peer.to_string(), who.clone(), super::proposals::declared())
        });
        rows.collect()
    });
    prop_oneof![5 => few, 1 => many]
}

/// The rules of a file without comments, which are all that counts.
fn is_quiet(once: &str, twice: &Proposal) -> Result<(), TestCaseError> {
    prop_assert_eq!(&twice.text, once);
    prop_assert_eq!((twice.rules, twice.commented, twice.beside, twice.grouped), (0, 0, 0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What is learned is a policy, allows no violation, and is proposed nothing by the same ledger.
    #[test]
    fn what_is_learned_is_whole_and_enough(edges in rows(), include in any::<bool>()) {
        let proposal = learn(&edges, include);
        active(&proposal.text);
        prop_assert_eq!(&learn(&edges, include).text, &proposal.text, "the same bytes");
        is_quiet(&proposal.text, &merged(&edges, &proposal.text, include))?;
    }

    /// What is merged into a policy leaves its lines as they are, and is a policy that is proposed nothing more.
    #[test]
    fn what_is_merged_is_whole_and_enough(edges in rows(), more in rows(), include in any::<bool>()) {
        let mine = learn(&edges, false).text;
        let all: Vec<Edge> = edges.into_iter().chain(more).collect();
        let once = merged(&all, &mine, include);
        active(&once.text);
        prop_assert!(has_all_lines(&once.text, &mine), "{}\n----\n{}", mine, once.text);
        is_quiet(&once.text, &merged(&all, &once.text, include))?;
    }

    /// A name that somebody chose is asked for as it is.
    #[test]
    fn names_come_back_as_they_were(unit in text(), exe in text(), user in text()) {
        let identity = super::proposals::exact(&unit, &format!("/{exe}"), &user);
        let edge = super::proposals::row(Direction::In, "10.0.2.11", identity.clone(), super::proposals::declared());
        let proposal = learn(&[edge], false);
        let allowed = super::proposals::allows(&proposal.text, Direction::In, "10.0.2.11", &identity);
        prop_assert_eq!(allowed, proposal.rules == 1, "{}", proposal.text);
        let other = Identity { exe: Some("/usr/bin/other".into()), unit: Some("other.service".into()), ..identity };
        prop_assert!(!super::proposals::allows(&proposal.text, Direction::In, "10.0.2.11", &other));
    }
}
