//! That the topics are short, look right, and say what the code says.

use std::collections::BTreeSet;

use gdprport_core::delivery::TransportKind;
use gdprport_core::encode::Encoding;
use gdprport_core::event::Kind;
use gdprport_core::model::{Attribution, PostureState};
use gdprport_core::policy::{Source, compile};
use gdprport_core::verdict::ReasonId;

use super::*;
use crate::control::api::HealthState;
use crate::ui::exit::Exit;

/// About what a terminal shows at once: somebody scrolls a little, once.
const MOST_LINES: usize = 40;

fn topic(name: &str) -> &'static Topic {
    TOPICS.iter().find(|topic| topic.name == name).expect("there is such a topic")
}

fn shown(topic: &Topic, width: u16) -> String {
    anstream::adapter::strip_str(&page(topic, width, None)).to_string()
}

/// The first cells of all tables of a page.
fn terms(name: &str) -> BTreeSet<String> {
    let rows = topic(name).text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    rows.flat_map(|(terms, _)| terms.split(", ")).map(|term| term.replace('`', "")).collect()
}

/// Words of a page in backticks.
fn quoted(name: &str) -> BTreeSet<&'static str> {
    topic(name).text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_topic_is_about_a_screen_and_fits_it() {
    for topic in TOPICS {
        assert!(topic.text.starts_with(&format!("# {}: ", topic.name)), "{}", topic.name);
        // Commands and titles are never broken, and have up to 73 columns.
        for width in [73, 80, 200] {
            let text = shown(&topic, width);
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width.min(80))), "{text}");
        }
        let text = shown(&topic, 80);
        assert!(text.lines().count() <= MOST_LINES, "{}: {} lines", topic.name, text.lines().count());
        assert!(!text.contains("](") && !text.contains("```") && !text.contains("|--"), "{text}");
    }
}

#[test]
fn the_list_of_topics_has_each_with_what_it_is_about() {
    let text = anstream::adapter::strip_str(&contents(Some(DOCS))).to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for topic in TOPICS {
        let line = text.lines().find(|line| line.trim_start().starts_with(topic.name));
        assert!(line.is_some_and(|line| line.ends_with(topic.summary())), "{text}");
    }
}

#[test]
fn a_page_looks_like_this_on_a_terminal() {
    insta::assert_snapshot!(shown(topic("attribution"), 80));
    insta::assert_snapshot!(shown(topic("first-steps"), 80));
}

#[test]
fn the_lists_of_the_topics_are_those_of_the_code() {
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let postures = [
        PostureState::Tls13,
        PostureState::Tls12,
        PostureState::WeakTls,
        PostureState::StarttlsUpgraded,
        PostureState::StarttlsRefused,
        PostureState::Plaintext,
        PostureState::EncryptedOther,
        PostureState::Unrecognised,
        PostureState::NoData,
        PostureState::Unknown,
    ];
    let attributions =
        [Attribution::Unknown, Attribution::Snapshot, Attribution::Listener, Attribution::Exact];
    let health = [HealthState::Healthy, HealthState::Degraded, HealthState::Losing];
    let lists: [(&str, Vec<String>); 5] = [
        (
            "verdicts",
            ReasonId::ALL
                .iter()
                .map(|id| id.as_str().to_owned())
                .chain(names(&["declared", "undecided", "violation"]))
                .collect(),
        ),
        ("posture", postures.iter().map(|state| state.as_str().to_owned()).collect()),
        ("attribution", attributions.iter().map(|known| known.as_str().to_owned()).collect()),
        ("coverage", health.iter().map(|state| state.as_str().to_owned()).collect()),
        ("events", Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()),
    ];
    for (name, of_the_code) in lists {
        let of_the_page = terms(name);
        let missing: Vec<_> = of_the_code.iter().filter(|term| !of_the_page.contains(*term)).collect();
        assert!(missing.is_empty(), "{name} does not have {missing:?}");
        // What is a word of the code is one that it still has.
        let known = |term: &&String| !term.contains([' ', '-', '.']) || of_the_code.contains(term);
        let gone: Vec<_> = of_the_page.iter().filter(|term| !known(term)).collect();
        assert!(gone.is_empty() || name == "coverage", "{name} has {gone:?}");
    }
    let sinks = quoted("sinks");
    let types = TransportKind::ALL.iter().map(|kind| kind.as_str());
    let encodings = Encoding::ALL.iter().map(|encoding| encoding.as_str());
    assert!(types.chain(encodings).all(|name| sinks.contains(name)), "{sinks:?}");
    let codes =
        [Exit::Fine, Exit::Failed, Exit::Invalid, Exit::Unreachable].map(|exit| (exit as u8).to_string());
    let exits = terms("exit-codes");
    assert!(codes.iter().all(|code| exits.contains(code)), "{exits:?}");
}

#[test]
fn where_a_package_put_the_pages_each_is_named_with_its_path() {
    for topic in TOPICS {
        let text = anstream::adapter::strip_str(&page(&topic, 80, Some(DOCS))).to_string();
        assert_eq!(text.matches("docs/").count(), text.matches(&format!("{DOCS}/")).count(), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().count() <= MOST_LINES, "{text}");
    }
    assert!(contents(Some(DOCS)).contains(DOCS) && !contents(None).contains(DOCS));
}

#[test]
fn the_policy_that_the_topic_shows_is_valid() {
    let text = topic("policy").text;
    let policy =
        text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let source = Source { name: "docs/help/policy.md".to_owned(), text: policy.to_owned() };
    compile(&[source]).expect("it is valid");
}

#[test]
fn what_the_topics_point_to_is_there() {
    for topic in TOPICS {
        for target in topic.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or(target);
            let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/help").join(file);
            assert!(place.is_file(), "{}: {target}", topic.name);
        }
    }
}
