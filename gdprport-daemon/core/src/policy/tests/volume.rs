//! How a volume is written, and what an explanation says of it.

use super::super::{KeyFit, VolumeLimit, Window};
use super::*;
use crate::event::samples::volume::moved;
use crate::verdict::{Nearest, Reason, ReasonId};

fn rule(volume: &str) -> String {
    format!(
        "version = 1\n[controller]\nname = \"A\"\ncontact = \"a\"\n[[port]]\nname = \"db\"\nport = 5432\n\
         [[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = [\"any\"]\nvolume = {volume}\n"
    )
}

#[test]
fn a_volume_is_a_window_and_a_size() {
    for (written, per, max) in [
        ("{ per = \"1d\", max = \"50GiB\" }", Window::Day, 50 << 30),
        ("{ max = \"1 B\", per = \"7d\" }", Window::Week, 1),
        ("{ per = \"12h\", max = \"2TiB\" }", Window::HalfDay, 2 << 40),
    ] {
        let policy = policy(&rule(written));
        let port = policy.port(5432).expect("declared").index;
        assert_eq!(policy.policy().volume_limit(port, "r"), Some(VolumeLimit { per, max }), "{written}");
        assert_eq!(policy.policy().volume_limit(port, "another"), None);
        let limit = VolumeLimit { per, max }.written();
        assert!(compile(&[source("policy.toml", &rule(&limit))]).is_ok(), "{limit}");
    }
}

#[test]
fn a_volume_that_is_none_is_refused_with_what_would_be_one() {
    for (written, message, help) in [
        (r#"{ per = "1d", max = "50 GB" }"#, "`50 GB` is no size", "write it as \"50GiB\""),
        (r#"{ per = "1d", max = "1.5GiB" }"#, "`1.5GiB` is no size", "\"512MiB\", \"50GiB\" or \"2TiB\""),
        (r#"{ per = "1d", max = "-5GiB" }"#, "`-5GiB` is no size", "\"512MiB\", \"50GiB\" or \"2TiB\""),
        (r#"{ per = "1d", max = "9999999TiB" }"#, "`9999999TiB` is no size", "\"2TiB\""),
        (r#"{ per = "1d", max = "0GiB" }"#, "`0GiB` is a volume of nothing", "or remove the rule"),
        (r#"{ per = "1d", max = 50 }"#, "found the number `50`", "such as \"50GiB\""),
        (r#"{ per = "1w", max = "5GiB" }"#, "`1w` is no window", "\"7d\" is a week and begins on Monday"),
        (r#"{ per = "1d" }"#, "has no `max`", "add `max = \"50GiB\"`"),
        (r#""50GiB""#, "found the text `50GiB`", "="),
        (r#"{ per = "1d", maximum = "50GiB" }"#, "has no key `maximum`", "`volume` has no"),
    ] {
        let said = problems(&rule(written)).to_string();
        assert!(said.contains(message) && said.contains(help), "{said}");
    }
}

/// What was moved is compared by whoever knows it.
#[test]
fn an_explanation_says_that_the_sum_is_not_known_here() {
    let policy = policy(&rule("{ per = \"1d\", max = \"50GiB\" }"));
    let process = postgres();
    let facts = accepted(5432, "10.0.2.7", Some(&process));
    let explained = policy.explain(&facts, Timestamp::UNIX_EPOCH);
    assert!(matches!(explained.verdict, Verdict::Declared { .. }), "{:?}", explained.verdict);
    let key = |explained: &super::super::Explanation| {
        explained.rules[0].keys.iter().find(|key| &*key.key == "volume").expect("the key").clone()
    };
    assert_eq!(key(&explained).fit, KeyFit::Unknown);
    let past = explained.clone().with_past_volumes(|role| format!("{role} moved 12 GiB"));
    assert_eq!((key(&past).fit, &*key(&past).is), (KeyFit::Unknown, "r moved 12 GiB"));
    assert_eq!(past.verdict, explained.verdict);
    let nearest = Some(Nearest { role: "r".into(), failed: vec!["volume".to_owned()] });
    let reasons = vec![Reason { id: ReasonId::VolumeExceeded, detail: "too much".to_owned() }];
    let beyond = Verdict::Violation { reasons, nearest };
    let known = explained.with_volumes(&beyond, None, |role| (role == "r").then(moved));
    assert_eq!(known.verdict, beyond);
    let key = key(&known);
    assert_eq!((key.fit, &*key.wanted), (KeyFit::Fails, "at most 50.0 GiB per 1d"));
    assert_eq!(key.is, "at least 50.0 GiB since 2026-11-23T08:15:30Z");
}
