//! Which open flows the policy asks to be ended: what `existing` and `posture` reset, and what goes on whatever they say.

use rstest::rstest;

use super::super::Existing;
use super::*;

const NOW: &str = "2026-12-01T00:00:00Z";

/// A service elsewhere that the orders application may call over TLS.
fn text(mode: &str, enforce: &str) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\ntls = {{ min = \"1.2\" }}\nmode = \"{mode}\"\n\
         enforce = {{ {enforce} }}\n[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"10.0.9.9\"]\n\
         process = {{ exe = \"/usr/bin/orders\" }}\n\
         [[port.allow]]\nrole = \"served\"\ndirection = \"in\"\npeers = [\"10.0.9.9\"]\n\
         [[port.allow]]\nrole = \"past\"\ndirection = \"out\"\npeers = [\"10.0.9.8\"]\nuntil = 2026-11-01\n"
    )
}

fn exception(finding: &str) -> String {
    format!(
        "[[exception]]\nfinding = \"{finding}\"\nport = \"db\"\nwhy = \"it moves\"\naccepted_by = \"dpo\"\nuntil = 2027-01-31\n"
    )
}

fn posture(state: PostureState) -> Posture {
    Posture { version: Some(TlsVersion::Tls13), ..Posture::new(state, "seen") }
}

/// What becomes of a flow if it was open before, and whether its encryption ends it.
fn asked(text: &str, facts: &Facts<'_>) -> (Option<Existing>, bool) {
    let active = policy(text);
    let verdict = active.evaluate(facts, time(NOW));
    let port = active.port(5432).expect("declared");
    let existing = active.existing(facts, port, &verdict, time(NOW));
    (existing, active.ends_for_posture(facts, port, &verdict, time(NOW)))
}

const BOTH: &str = "existing = \"reset\", posture = \"reset\"";

/// A flow out to this peer, of this program, encrypted so.
fn of(text: &str, peer: &str, exe: Option<&str>, state: Option<PostureState>) -> (Option<Existing>, bool) {
    let process = exe.map(|exe| Process { exe: Some(exe.into()), ..postgres() });
    let posture = state.map(posture);
    asked(text, &Facts { posture: posture.as_ref(), ..connected(5432, peer, process.as_ref()) })
}

const ENDED: Option<Existing> = Some(Existing::Ended);
const KEPT: Option<Existing> = Some(Existing::Kept);

#[rstest]
#[case::declared("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::Tls13), (None, false))]
#[case::another_peer("10.0.9.7", Some("/usr/bin/orders"), Some(PostureState::Tls13), (ENDED, false))]
#[case::another_process("10.0.9.9", Some("/usr/bin/other"), Some(PostureState::Tls13), (ENDED, false))]
#[case::a_rule_that_has_ended("10.0.9.8", None, Some(PostureState::Tls13), (ENDED, false))]
#[case::plaintext("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::Plaintext), (ENDED, true))]
#[case::weak("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::WeakTls), (ENDED, true))]
#[case::refused("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::StarttlsRefused), (ENDED, true))]
#[case::not_tls("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::Unrecognised), (ENDED, true))]
#[case::nobody_knows_who("10.0.9.9", None, Some(PostureState::Tls13), (None, false))]
#[case::nobody_knows_how("10.0.9.9", Some("/usr/bin/orders"), None, (None, false))]
#[case::never_to_be_known("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::Unknown), (None, false))]
#[case::encrypted_otherwise("10.0.9.9", Some("/usr/bin/orders"), Some(PostureState::EncryptedOther), (None, false))]
fn only_what_is_proven_to_be_denied_is_ended(
    #[case] peer: &str,
    #[case] exe: Option<&str>,
    #[case] state: Option<PostureState>,
    #[case] expected: (Option<Existing>, bool),
) {
    for unknown in ["", ", on_unknown = \"deny\""] {
        let text = text("enforce", &format!("{BOTH}{unknown}"));
        assert_eq!(of(&text, peer, exe, state), expected, "{unknown}");
    }
}

#[rstest]
#[case::both("enforce", BOTH, (ENDED, false), (ENDED, true))]
#[case::existing("enforce", "existing = \"reset\"", (ENDED, false), (None, false))]
#[case::posture("enforce", "posture = \"reset\"", (KEPT, false), (KEPT, true))]
#[case::neither("enforce", "", (KEPT, false), (None, false))]
#[case::a_trial("warn", BOTH, (KEPT, false), (KEPT, false))]
#[case::only_observed("observe", BOTH, (None, false), (None, false))]
fn nothing_is_ended_that_the_policy_does_not_ask_for(
    #[case] mode: &str,
    #[case] enforce: &str,
    #[case] stranger: (Option<Existing>, bool),
    #[case] plain: (Option<Existing>, bool),
) {
    let text = text(mode, enforce);
    let orders = Some("/usr/bin/orders");
    assert_eq!(of(&text, "10.0.9.7", orders, Some(PostureState::Tls13)), stranger);
    assert_eq!(of(&text, "10.0.9.9", orders, Some(PostureState::Plaintext)), plain);
}

/// Every reason that it would be ended for has to be.
#[test]
fn what_an_exception_accepts_goes_on() {
    let plain = Some(PostureState::Plaintext);
    let of = |accepted: &[&str], peer: &str| {
        let exceptions: String = accepted.iter().map(|finding| exception(finding)).collect();
        of(&(text("enforce", BOTH) + &exceptions), peer, Some("/usr/bin/orders"), plain)
    };
    assert_eq!(of(&["plaintext"], "10.0.9.9"), (None, false));
    assert_eq!(of(&["undeclared-peer"], "10.0.9.9"), (ENDED, true));
    assert_eq!(of(&["plaintext"], "10.0.9.7"), (ENDED, false), "it is an undeclared peer all the same");
    assert_eq!(of(&["plaintext", "undeclared-peer"], "10.0.9.7"), (None, false));
}

#[test]
fn what_is_accepted_here_is_ended_too() {
    let text = text("enforce", BOTH);
    let of = |peer: &str, state| {
        let posture = posture(state);
        asked(&text, &Facts { posture: Some(&posture), ..accepted(5432, peer, None) })
    };
    assert_eq!(of("10.0.9.9", PostureState::Tls13), (None, false));
    assert_eq!(of("10.0.9.7", PostureState::Tls13), (ENDED, false));
    assert_eq!(of("10.0.9.9", PostureState::Plaintext), (ENDED, true));
}
