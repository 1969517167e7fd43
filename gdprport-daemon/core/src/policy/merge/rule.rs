//! What one rule means.
//!
//! Belongs here: `[[port.allow]]` from its written form to the model's. Checks against other rules are `builder`'s.

use std::sync::Arc;

use super::intern::Interner;
use super::peers::peers;
use super::void::why_void;
use crate::policy::model::{PeerSets, ProcessKey, ProcessSpec, Rule};
use crate::policy::read::{AccountText, At, OneOrMany, RawProcess, RawRule, Report, Text, quoted};

/// Reads one rule; `None` if it cannot be used, which was reported.
pub(super) fn parse(
    raw: At<RawRule>,
    sets: &PeerSets,
    interner: &mut Interner,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let At { value: raw, loc } = raw;
    let peers = raw.peers.map(|written| peers(&written.value, sets, report));
    let process = match raw.process {
        Some(written) => Some(spec(written, interner, report)?),
        None if report.is_faulty(loc, "process") => None,
        None => {
            let whom = raw.role.as_ref().map_or(loc, |role| role.loc);
            let help = "add `process = { … }` to say which".to_owned();
            report.warning(whom, "the rule has no `process`, so any process may talk", help);
            None
        }
    };
    let role = raw.role?;
    Some(Rule {
        role: interner.text(&role.value),
        loc: role.loc,
        direction: raw.direction?,
        peers: peers?.into_iter().map(|peer| peer.value).collect(),
        process,
        until: raw.until.map(|until| At { value: until.value.0, loc: until.loc }),
    })
}

fn spec(raw: At<RawProcess>, interner: &mut Interner, report: &mut Report<'_>) -> Option<Arc<ProcessSpec>> {
    let At { value: raw, loc } = raw;
    let accounts = |many: Option<At<OneOrMany<AccountText>>>| {
        many.map(|many| many.value.0.into_iter().map(|at| At { value: at.value.0, loc: at.loc }).collect())
    };
    let texts = |many: Option<At<OneOrMany<Text>>>| many.map(|many| many.value.0);
    let keys: [(ProcessKey, Option<Vec<At<Text>>>); 6] = [
        (ProcessKey::Exe, texts(raw.exe)),
        (ProcessKey::User, accounts(raw.user)),
        (ProcessKey::Group, accounts(raw.group)),
        (ProcessKey::Unit, texts(raw.unit)),
        (ProcessKey::Container, texts(raw.container)),
        (ProcessKey::Cgroup, texts(raw.cgroup)),
    ];
    if keys.iter().all(|(_, patterns)| patterns.is_none()) {
        let help = "give `exe`, `user`, `group`, `unit`, `container` or `cgroup`, or remove `process`";
        report.missing(loc, "`process` asks for nothing", help.to_owned());
        return None;
    }
    let mut wanted = ProcessSpec::default();
    let mut usable = true;
    for (key, written) in keys {
        let Some(written) = written else { continue };
        let mut patterns = Vec::with_capacity(written.len());
        for text in &written {
            let rooted = text.value.starts_with(['/', '[', '{']) || text.value.starts_with("**");
            if key.is_path() && !rooted {
                let help =
                    format!("write the whole path, or \"**/{}\"", text.value.trim_start_matches(['*', '/']));
                let message = format!("{} can match no absolute path", quoted(&text.value));
                report.error(text.loc, message, help);
                continue;
            }
            match interner.pattern(key, &text.value) {
                Ok(pattern) => {
                    if let Some((message, help)) = why_void(key, &text.value) {
                        report.warning(text.loc, message, help);
                    }
                    patterns.push(pattern);
                }
                Err(why) => {
                    let help =
                        "`*` stands for anything but `/`, `**` for whole folders; put a plain `[` as `[[]`";
                    let message = format!("{} is no pattern: {why}", quoted(&text.value));
                    report.error(text.loc, message, help.to_owned());
                }
            }
        }
        usable &= !patterns.is_empty();
        wanted.set(key, patterns);
    }
    usable.then(|| interner.spec(wanted))
}
