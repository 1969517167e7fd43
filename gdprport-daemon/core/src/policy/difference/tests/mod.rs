//! Promises of differences between policies, as tests.

mod generated;
mod said;

use super::{Difference, Effect, difference};
use crate::policy::{Outline, Source, outline};

#[track_caller]
fn policy(text: &str) -> Outline {
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
    outline(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}")).0
}

/// What differs, a line each.
fn between(before: &str, now: &str) -> Vec<String> {
    difference(&policy(before), &policy(now)).iter().map(line).collect()
}

fn line(one: &Difference) -> String {
    let mark = match one.effect {
        Effect::AllowsMore => "+",
        Effect::AllowsLess => "-",
        Effect::SaysOtherwise => "~",
    };
    let place = [&one.port, &one.rule].into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    format!("{mark} {}: {}", place.join("/"), one.text)
}
