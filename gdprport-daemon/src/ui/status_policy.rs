//! The policy in `daemon status`: where it is from, whether it is on trial, and what was wrong with the last one.

use super::format::{counted, duration, moment};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::{PolicySource, PolicyStatus};

/// Screens at least this wide show the complete digest of the policy.
const FULL_DIGEST: u16 = 100;

pub(super) fn policy(policy: &PolicyStatus, screen: &Screen) -> String {
    let mut text = title("POLICY", &format!("in force for {}", duration(policy.age_s)));
    let digest = match policy.digest.get(..23) {
        Some(begin) if screen.width < FULL_DIGEST => format!("{begin}…"),
        _ => policy.digest.clone(),
    };
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    match &policy.source {
        PolicySource::Files(files) => add("files", Tone::Plain, &files.join(", ")),
        PolicySource::Catalog => {
            add("files", Tone::Warn, "no policy: built-in catalog, observing; every flow is undeclared");
            add("next", Tone::Note, "`sudo gdprport init --output policy.toml`; `gdprport help first-steps`");
        }
    }
    add("declares", Tone::Plain, &declares(policy));
    add("digest", Tone::Plain, &digest);
    if let Some(trial) = &policy.trial {
        let line = format!(
            "{} is on trial for {} more; then the policy before comes back, unless `gdprport policy confirm` keeps it",
            trial.file,
            duration(trial.left_s)
        );
        add("trial", Tone::Warn, &line);
    }
    if let Some(reload) = &policy.last_reload {
        if reload.ok {
            add("reload", Tone::Plain, &format!("applied {}", moment(reload.at)));
        } else {
            let refused = format!("refused {}; the policy before it stays in force", moment(reload.at));
            add("reload", Tone::Bad, &refused);
            let first = reload.problems.lines().next().unwrap_or_default();
            match reload.problem_count {
                0 | 1 => add("", Tone::Plain, first),
                n => add("", Tone::Plain, &format!("{}, the first: {first}", counted(n, "problem"))),
            }
            add("", Tone::Plain, "see `gdprport policy check`");
        }
    }
    for name in &policy.unresolved {
        let unresolved = format!("{} ({}): undecided without it: {}", name.name, name.error, name.undecided);
        add("unresolved", Tone::Warn, &unresolved);
    }
    text
}

fn declares(policy: &PolicyStatus) -> String {
    let mut text =
        format!("{}, {}", counted(policy.ports.into(), "port"), counted(policy.rules.into(), "rule"));
    if policy.exceptions > 0 {
        text.push_str(&format!(", {}", counted(policy.exceptions.into(), "exception")));
    }
    text
}
