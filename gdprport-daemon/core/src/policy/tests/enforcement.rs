//! `mode` and `[port.enforce]`: what is read, what is refused, how two policies differ by them.

use insta::assert_snapshot;

use super::super::compile_any_mode;
use super::super::difference::{Difference, Effect, difference};
use super::super::{
    Enforcement, Mode, OnDaemonLoss, OnExisting, OnListener, OnPosture, OnUnknown, Outline, Severity,
};
use super::*;

/// A policy whose only rule allows 10.0.9.9, with these keys of its port.
fn text(keys: &str) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n{keys}\n\
         [[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"10.0.9.9\"]\n"
    )
}

fn read(keys: &str) -> (Policy, Outline) {
    let read = compile_any_mode(&[source("policy.toml", &text(keys))]);
    read.unwrap_or_else(|problems| panic!("{problems}"))
}

fn errors(keys: &str) -> String {
    let mut problems = problems(&text(keys));
    problems.list.retain(|problem| problem.severity == Severity::Error);
    problems.to_string()
}

#[test]
fn every_key_is_taken_with_both_modes() {
    for mode in ["warn", "enforce"] {
        for loss in ["keep", "allow", "deny"] {
            let keys = "on_unknown = \"deny\", existing = \"reset\", posture = \"reset\"";
            let built = format!("mode = \"{mode}\"\nenforce = {{ {keys}, on_daemon_loss = \"{loss}\" }}");
            assert!(compile(&[source("policy.toml", &text(&built))]).is_ok());
        }
    }
}

#[test]
fn ending_for_an_encryption_that_nothing_demands_is_warned_of() {
    for (tls, expected) in [("", true), ("tls = { min = \"1.2\" }\n", false)] {
        let keys = format!("{tls}mode = \"enforce\"\nenforce = {{ posture = \"reset\" }}");
        let policy = compile(&[source("policy.toml", &text(&keys))]).expect("warnings alone");
        let warned = policy.warnings().iter().any(|problem| problem.message.contains("ends nothing"));
        assert_eq!(warned, expected, "{keys}");
    }
}

#[test]
fn a_mode_is_about_both_directions_without_a_warning() {
    for direction in ["in", "out"] {
        let written = text("mode = \"enforce\"")
            .replace("direction = \"out\"", &format!("direction = \"{direction}\""));
        let policy = compile(&[source("policy.toml", &written)]).expect("a policy");
        assert!(policy.warnings().iter().all(|problem| !problem.message.contains("mode")), "{direction}");
    }
}

#[test]
fn mistakes_in_modes_are_named_with_what_is_right() {
    let keys = "mode = \"enforced\"\nenforce = { on_unknown = \"ask\", existing = true, posture = \"keep\", on_lost = 1 }";
    assert_snapshot!(errors(keys), @r#"
    policy.toml:5:8: error: there is no mode `enforced`
     5 | mode = "enforced"
       |        ^^^^^^^^^^
       = help: did you mean `enforce`?

    policy.toml:6:26: error: there is no value for `on_unknown`: `ask`
     6 | enforce = { on_unknown = "ask", existing = true, posture = "keep", on_lost = 1 }
       |                          ^^^^^
       = help: write "allow", "deny"

    policy.toml:6:44: error: expected a text, found `true`
     6 | enforce = { on_unknown = "ask", existing = true, posture = "keep", on_lost = 1 }
       |                                            ^^^^
       = help: write it in quotes

    policy.toml:6:60: error: there is no value for `posture`: `keep`
     6 | xisting = true, posture = "keep", on_lost = 1 }
       |                           ^^^^^^
       = help: write "report", "reset"

    policy.toml:6:68: error: `enforce` has no key `on_lost`
     6 | = true, posture = "keep", on_lost = 1 }
       |                           ^^^^^^^
       = help: the keys here are `on_unknown`, `existing`, `posture`, `listener`, `on_daemon_loss`
    "#);
}

#[test]
fn what_is_not_written_is_the_mildest() {
    let (policy, outline) = read("");
    let mild = Enforcement {
        mode: Mode::Observe,
        on_unknown: OnUnknown::Allow,
        existing: OnExisting::Keep,
        posture: OnPosture::Report,
        listener: OnListener::Allow,
        on_daemon_loss: OnDaemonLoss::Keep,
    };
    assert_eq!(policy.port(5432).expect("declared").enforcement, mild);
    assert_eq!(policy.port(3306).expect("of the catalog").enforcement, mild);
    assert_eq!(outline.ports[0].enforcement, mild);
}

#[test]
fn every_value_is_read_as_it_is_written() {
    let strict = "mode = \"enforce\"\nenforce = { on_unknown = \"deny\", existing = \"reset\", posture = \"reset\", \
                  listener = \"deny\", on_daemon_loss = \"deny\" }";
    let (policy, outline) = read(strict);
    let expected = Enforcement {
        mode: Mode::Enforce,
        on_unknown: OnUnknown::Deny,
        existing: OnExisting::Reset,
        posture: OnPosture::Reset,
        listener: OnListener::Deny,
        on_daemon_loss: OnDaemonLoss::Deny,
    };
    assert_eq!(policy.port(5432).expect("declared").enforcement, expected);
    assert_eq!(outline.ports[0].enforcement, expected);
    let explained = ActivePolicy::new(policy, DnsNames::default())
        .explain(&connected(5432, "10.0.9.9", None), time("2026-01-01T00:00:00Z"));
    assert_eq!(explained.port.expect("declared").mode, Mode::Enforce);
}

#[test]
fn a_table_without_a_mode_that_needs_it_is_warned_of() {
    let (policy, _) = read("[port.enforce]\non_unknown = \"deny\"");
    let warned: Vec<_> = policy.warnings().iter().map(|problem| problem.message.as_str()).collect();
    assert!(warned.iter().any(|text| text.contains("nothing is decided in the kernel")), "{warned:?}");
}

fn between(before: &str, now: &str) -> Vec<String> {
    let line = |one: &Difference| {
        let mark = match one.effect {
            Effect::AllowsMore => "+",
            Effect::AllowsLess => "-",
            Effect::SaysOtherwise => "~",
        };
        format!("{mark} {}", one.text)
    };
    difference(&read(before).1, &read(now).1).iter().map(line).collect()
}

#[test]
fn what_is_let_through_differs_where_the_kernel_denies() {
    let enforce = |more: &str| format!("mode = \"enforce\"\nenforce = {{ {more} }}");
    assert_eq!(between("", "mode = \"enforce\""), ["- mode is \"enforce\", before \"observe\""]);
    assert_eq!(between("mode = \"enforce\"", "mode = \"warn\""), ["+ mode is \"warn\", before \"enforce\""]);
    assert_eq!(between("", "mode = \"warn\""), ["~ mode is \"warn\", before \"observe\""]);
    assert_eq!(
        between(&enforce("on_unknown = \"deny\", posture = \"reset\""), &enforce("existing = \"reset\"")),
        [
            "+ on_unknown is \"allow\", before \"deny\"",
            "+ posture is \"report\", before \"reset\"",
            "- existing is \"reset\", before \"keep\"",
        ]
    );
    assert_eq!(
        between("mode = \"warn\"", "mode = \"warn\"\nenforce = { on_unknown = \"deny\" }"),
        ["~ on_unknown is \"deny\", before \"allow\""]
    );
}

/// A port that decides who listens, with these keys, and rules.
fn deciding(keys: &str, rules: &str) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\nmode = \"enforce\"\nenforce.listener = \"deny\"\n{keys}{rules}"
    )
}

const IN: &str = "[[port.allow]]\nrole = \"server\"\ndirection = \"in\"\npeers = [\"any\"]\n";

#[test]
fn who_listens_is_decided_only_where_somebody_may() {
    let errors = |text: &str| {
        let mut problems = problems(text);
        problems.list.retain(|problem| problem.severity == Severity::Error);
        problems.to_string()
    };
    let out = IN.replace("\"in\"", "\"out\"");
    assert_snapshot!(errors(&deciding("", &out)), @r#"
    policy.toml:6:20: error: `listener = "deny"` lets nobody listen: the port has no rule with `direction = "in"`
     6 | enforce.listener = "deny"
       |                    ^^^^^^
       = help: add a rule with `direction = "in"` and the `process` that serves the port, or remove the key
    "#);
    assert_snapshot!(errors(&deciding("service = [\"10.0.9.9\"]\n", &out)), @r#"
    policy.toml:6:20: error: `listener = "deny"` is about who listens here, and the port is served elsewhere (`service`)
     6 | enforce.listener = "deny"
       |                    ^^^^^^
       = help: remove the key, or declare what is served here as a port of its own
    "#);
    assert_snapshot!(errors(&deciding("", IN).replace("\"deny\"", "\"reset\"")), @r#"
    policy.toml:6:20: error: there is no value for `listener`: `reset`
     6 | enforce.listener = "reset"
       |                    ^^^^^^^
       = help: write "allow", "deny"
    "#);
}

#[test]
fn a_rule_that_lets_everybody_listen_is_warned_of() {
    for (process, expected) in [("", true), ("process = { exe = \"/usr/bin/a\" }\n", false)] {
        let policy =
            compile(&[source("policy.toml", &deciding("", &format!("{IN}{process}")))]).expect("warnings");
        let warned =
            policy.warnings().iter().any(|problem| problem.message.contains("lets every process listen"));
        assert_eq!(warned, expected, "{process}");
    }
}
