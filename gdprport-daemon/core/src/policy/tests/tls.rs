//! What a port demands of the encryption of its flows.

use insta::assert_snapshot;
use rstest::rstest;

use super::super::TlsDemand;
use super::*;
use crate::model::Proof;

/// One port with this demand and one rule that allows a known process of 10.0.0.0/8.
fn demanding(tls: &str) -> String {
    format!(
        "version = 1\n[controller]\nname = \"Example\"\ncontact = \"x@example.org\"\n[[port]]\nname = \"db\"\n\
         port = 5432\nlisten = \"any\"\n{tls}\n[[port.allow]]\nrole = \"app\"\ndirection = \"in\"\n\
         peers = [\"10.0.0.0/8\"]\nprocess = {{ user = \"postgres\" }}\n"
    )
}

fn seen(state: PostureState, version: Option<TlsVersion>, evidence: &str) -> Posture {
    Posture { version, ..Posture::new(state, evidence) }
}

fn evaluate(policy: &ActivePolicy, posture: Option<&Posture>, facts: Facts<'_>) -> Verdict {
    policy.evaluate(&Facts { posture, ..facts }, Timestamp::UNIX_EPOCH)
}

/// The verdict on a flow that the rule allows.
fn of_allowed(tls: &str, posture: Option<&Posture>) -> Verdict {
    evaluate(&policy(&demanding(tls)), posture, accepted(5432, "10.0.2.77", Some(&postgres())))
}

const AT_LEAST_12: &str = "tls = { min = \"1.2\" }";
const AT_LEAST_13: &str = "tls = { min = \"1.3\" }";
const NOT_REQUIRED: &str = "tls = { required = false, why = \"loopback only\" }";

#[rstest]
#[case::tls13(AT_LEAST_13, PostureState::Tls13, Some(TlsVersion::Tls13))]
#[case::newer_than_demanded(AT_LEAST_12, PostureState::Tls13, Some(TlsVersion::Tls13))]
#[case::tls12(AT_LEAST_12, PostureState::Tls12, Some(TlsVersion::Tls12))]
#[case::upgraded(AT_LEAST_13, PostureState::StarttlsUpgraded, Some(TlsVersion::Tls13))]
#[case::not_required(NOT_REQUIRED, PostureState::Plaintext, None)]
#[case::no_demand("", PostureState::Plaintext, None)]
#[case::nothing_to_encrypt(AT_LEAST_13, PostureState::NoData, None)]
fn a_flow_that_meets_the_demand_is_declared(
    #[case] tls: &str,
    #[case] state: PostureState,
    #[case] version: Option<TlsVersion>,
) {
    assert_eq!(line(&of_allowed(tls, Some(&seen(state, version, "seen")))), "declared app");
}

/// A server's hello alone may be a stored file that begins like one.
#[test]
fn a_handshake_of_one_side_alone_is_undecided() {
    let of =
        |proof| Posture { proof: Some(proof), ..seen(PostureState::Tls13, Some(TlsVersion::Tls13), "seen") };
    let verdict = of_allowed(AT_LEAST_12, Some(&of(Proof::OneSide)));
    assert!(
        matches!(&verdict, Verdict::Undecided { missing, .. } if missing[0].contains("the client took part")),
        "{verdict:?}"
    );
    assert_eq!(line(&of_allowed(NOT_REQUIRED, Some(&of(Proof::OneSide)))), "declared app");
    for proof in [Proof::BothSides, Proof::Echo] {
        assert_eq!(line(&of_allowed(AT_LEAST_12, Some(&of(proof)))), "declared app");
    }
}

/// A socket without room for its storage shows no first bytes. Its process saw to that.
#[test]
fn encryption_that_the_process_hid_is_a_violation() {
    let policy = policy(&demanding(AT_LEAST_12).replace("process = { user = \"postgres\" }\n", ""));
    let of = |owner_withheld| {
        let facts = Facts { owner_withheld, ..accepted(5432, "10.0.2.77", None) };
        [None, Some(&Posture::unknown("no payload was captured"))]
            .map(|posture| evaluate(&policy, posture, facts))
    };
    for verdict in of(Some(Withheld::OptionMemory)) {
        assert_eq!(line(&verdict), "violation unattributable nearest app(tls)");
    }
    for verdict in of(Some(Withheld::KernelThread)).into_iter().chain(of(None)) {
        assert!(matches!(verdict, Verdict::Undecided { .. }), "{verdict:?}");
    }
}

#[rstest]
#[case::plaintext(
    AT_LEAST_12,
    PostureState::Plaintext,
    None,
    "startup message without SSLRequest",
    "plaintext: the connection is not encrypted (startup message without SSLRequest), at least TLS 1.2 is demanded"
)]
#[case::a_cipher_suite_that_does_not_encrypt(
    AT_LEAST_12,
    PostureState::Plaintext,
    Some(TlsVersion::Tls12),
    "TLS_RSA_WITH_NULL_SHA, which does not encrypt",
    "plaintext: the connection is not encrypted (TLS_RSA_WITH_NULL_SHA, which does not encrypt), at least TLS 1.2 is \
     demanded"
)]
#[case::older_than_demanded(
    AT_LEAST_13,
    PostureState::Tls12,
    Some(TlsVersion::Tls12),
    "ServerHello",
    "weak-tls: TLS 1.2 was negotiated, at least TLS 1.3 is demanded"
)]
#[case::upgraded_to_an_older_one(
    AT_LEAST_13,
    PostureState::StarttlsUpgraded,
    Some(TlsVersion::Tls12),
    "STARTTLS",
    "weak-tls: TLS 1.2 was negotiated, at least TLS 1.3 is demanded"
)]
#[case::outdated(
    AT_LEAST_12,
    PostureState::WeakTls,
    Some(TlsVersion::Tls10),
    "ServerHello: TLS 1.0",
    "weak-tls: the negotiated TLS is weak (ServerHello: TLS 1.0), at least TLS 1.2 is demanded"
)]
#[case::a_weak_cipher_suite_of_a_new_version(
    AT_LEAST_12,
    PostureState::WeakTls,
    Some(TlsVersion::Tls12),
    "TLS_RSA_WITH_RC4_128_SHA, a weak cipher suite",
    "weak-tls: the negotiated TLS is weak (TLS_RSA_WITH_RC4_128_SHA, a weak cipher suite), at least TLS 1.2 is demanded"
)]
#[case::refused(
    AT_LEAST_12,
    PostureState::StarttlsRefused,
    None,
    "SSLRequest refused by the server",
    "tls-refused: the upgrade to TLS was refused (SSLRequest refused by the server), at least TLS 1.2 is demanded"
)]
#[case::neither_tls_nor_a_request_for_it(
    AT_LEAST_12,
    PostureState::Unrecognised,
    None,
    "the first bytes are neither TLS nor another known protocol",
    "not-tls: the connection is not TLS (the first bytes are neither TLS nor another known protocol), at least TLS 1.2 \
     is demanded"
)]
fn a_flow_below_the_demand_violates_the_rule_that_allows_it(
    #[case] tls: &str,
    #[case] state: PostureState,
    #[case] version: Option<TlsVersion>,
    #[case] evidence: &str,
    #[case] expected: &str,
) {
    let verdict = of_allowed(tls, Some(&seen(state, version, evidence)));
    let reasons = verdict.reasons().iter().map(|reason| format!("{}: {}", reason.id, reason.detail));
    assert_eq!(reasons.collect::<Vec<_>>(), [expected]);
    assert!(line(&verdict).ends_with(" nearest app(tls)"), "{verdict:?}");
}

#[test]
fn unknown_encryption_is_undecided_where_it_is_demanded() {
    let ask = |posture: Option<Posture>| line(&of_allowed(AT_LEAST_13, posture.as_ref()));
    assert_eq!(
        ask(None),
        "undecided the encryption is not known yet, and at least TLS 1.3 is demanded nearest app"
    );
    assert_eq!(
        ask(Some(Posture::unknown("opened before watching"))),
        "undecided the encryption is not known (opened before watching), and at least TLS 1.3 is demanded nearest app"
    );
    assert_eq!(
        ask(Some(seen(PostureState::StarttlsUpgraded, None, "SSLRequest, then ClientHello"))),
        "undecided the version of TLS is not known yet (SSLRequest, then ClientHello), and at least TLS 1.3 is demanded \
         nearest app"
    );
    assert_eq!(
        ask(Some(seen(PostureState::EncryptedOther, None, "SSH"))),
        "undecided the connection is encrypted by something else, which has no TLS version to compare (SSH), \
         and at least TLS 1.3 is demanded nearest app"
    );
    for tls in ["", NOT_REQUIRED] {
        assert_eq!(line(&of_allowed(tls, None)), "declared app", "nothing is demanded");
    }
}

#[test]
fn a_flow_that_no_rule_allows_has_the_reasons_of_both() {
    let policy = policy(&demanding(AT_LEAST_13));
    let facts = accepted(5432, "192.0.2.1", None);
    let plaintext = Posture::new(PostureState::Plaintext, "startup message");
    assert_eq!(
        line(&evaluate(&policy, Some(&plaintext), facts)),
        "violation undeclared-peer,plaintext nearest app(peers,tls)"
    );
    assert_eq!(
        line(&evaluate(&policy, None, facts)),
        "violation undeclared-peer nearest app(peers)",
        "what is not known is no reason"
    );
    let tls13 = seen(PostureState::Tls13, Some(TlsVersion::Tls13), "ServerHello");
    assert_eq!(
        line(&evaluate(&policy, Some(&tls13), facts)),
        "violation undeclared-peer nearest app(peers)",
        "encryption does not make up for it"
    );
}

#[test]
fn plaintext_is_a_violation_for_any_process() {
    let policy = policy(&demanding(AT_LEAST_13));
    let facts = accepted(5432, "10.0.2.77", None);
    let plaintext = Posture::new(PostureState::Plaintext, "startup message");
    assert_eq!(line(&evaluate(&policy, Some(&plaintext), facts)), "violation plaintext nearest app(tls)");
    assert_eq!(
        line(&evaluate(&policy, None, facts)),
        "undecided the process is not known, and the rule asks for user | the encryption is not known yet, \
         and at least TLS 1.3 is demanded nearest app",
        "everything that is missing is named"
    );
}

#[test]
fn what_a_declaration_demands_holds_for_its_own_flows_only() {
    let text = demanding(AT_LEAST_13)
        + "[[port]]\nname = \"crm\"\nport = 5432\nservice = [\"10.7.0.0/16\"]\ntls = { required = false, why = \"x\" }\n\
           [[port.allow]]\nrole = \"sync\"\ndirection = \"out\"\npeers = [\"any\"]\n";
    let policy = policy(&text);
    let plaintext = Posture::new(PostureState::Plaintext, "startup message");
    let out = evaluate(&policy, Some(&plaintext), connected(5432, "10.7.1.1", None));
    assert_eq!(line(&out), "declared sync");
    let of_catalog = evaluate(&policy, Some(&plaintext), accepted(3306, "10.7.1.1", None));
    assert_eq!(line(&of_catalog), "violation undeclared-port nearest -");
    let demands: Vec<_> =
        policy.watched().filter(|info| info.number == 5432).map(|info| info.tls.clone()).collect();
    assert_eq!(demands, [TlsDemand::AtLeast(TlsVersion::Tls13), TlsDemand::NotRequired { why: "x".into() }]);
    assert_eq!(policy.port(3306).map(|info| &info.tls), Some(&TlsDemand::None));
}

#[test]
fn a_demand_may_be_a_table_of_its_own() {
    let policy = policy("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[port.tls]\nmin = \"1.2\"\n");
    assert_eq!(policy.port(5432).map(|info| &info.tls), Some(&TlsDemand::AtLeast(TlsVersion::Tls12)));
}

#[test]
fn a_declared_port_without_a_demand_is_warned_of() {
    let of = |tls: &str| {
        let policy = policy(&demanding(tls));
        let warnings = policy.policy().warnings().iter().map(ToString::to_string);
        warnings.filter(|warning| warning.contains("tls")).collect::<Vec<_>>().join("\n\n")
    };
    assert_snapshot!(of(""), @r#"
    policy.toml:6:8: warning: port `db` has no tls demand, so it may talk in plaintext
     6 | name = "db"
       |        ^^^^
       = help: add `tls = { min = "1.3" }`, or `tls = { required = false, why = … }` to say so
    "#);
    assert_eq!([of(AT_LEAST_12), of(AT_LEAST_13), of(NOT_REQUIRED)], ["", "", ""]);
}

/// All problems of a demand: those that name `tls` or stand on its line.
fn reported(tls: &str) -> String {
    let mut problems = problems(&demanding(tls));
    problems.list.retain(|problem| problem.line == 9 || problem.message.contains("tls"));
    problems.to_string()
}

#[rstest]
#[case::nothing("{}")]
#[case::a_number("{ min = 1.3 }")]
#[case::a_weak_version("{ min = \"1.1\" }")]
#[case::another_spelling("{ min = \"TLS1.3\" }")]
#[case::a_mistyped_key("{ mim = \"1.3\" }")]
#[case::no_table("\"1.3\"")]
#[case::required_at_no_version("{ required = true }")]
#[case::required_twice("{ min = \"1.3\", required = true }")]
#[case::a_contradiction("{ min = \"1.3\", required = false, why = \"x\" }")]
#[case::no_why("{ required = false }")]
#[case::an_empty_why("{ required = false, why = \" \" }")]
#[case::why_of_nothing("{ why = \"x\" }")]
#[case::why_of_a_version("{ min = \"1.3\", why = \"x\" }")]
fn an_empty_or_contradictory_demand_is_one_error(#[case] tls: &str) {
    let reported = reported(&format!("tls = {tls}"));
    assert_eq!(reported.matches("policy.toml:").count(), 1, "{reported}");
    assert!(reported.contains(": error: "), "{reported}");
}

#[test]
fn mistakes_in_a_demand_show_what_would_be_right() {
    assert_snapshot!(reported("tls = { min = \"1.1\" }"), @r#"
    policy.toml:9:15: error: `1.1` is no version of TLS that can be demanded
     9 | tls = { min = "1.1" }
       |               ^^^^^
       = help: write "1.2" or "1.3"
    "#);
    assert_snapshot!(reported("tls = { mim = \"1.3\" }"), @r#"
    policy.toml:9:9: error: `tls` has no key `mim`
     9 | tls = { mim = "1.3" }
       |         ^^^
       = help: did you mean `min`?
    "#);
    assert_snapshot!(reported("tls = { min = \"1.3\", required = false, why = \"x\" }"), @r#"
    policy.toml:9:33: error: `required = false` contradicts `min`
     9 | tls = { min = "1.3", required = false, why = "x" }
       |                                 ^^^^^
       = help: write { min = "1.3" }, { min = "1.2" } or { required = false, why = … }
    "#);
    assert_snapshot!(reported("tls = { required = false }"), @r#"
    policy.toml:9:20: error: `tls` does not say why none is required
     9 | tls = { required = false }
       |                    ^^^^^
       = help: add `why = "…"`
    "#);
    assert_snapshot!(reported("tls = {}"), @r#"
    policy.toml:9:7: error: `tls` demands nothing
     9 | tls = {}
       |       ^^
       = help: write { min = "1.3" }, { min = "1.2" } or { required = false, why = … }
    "#);
}
