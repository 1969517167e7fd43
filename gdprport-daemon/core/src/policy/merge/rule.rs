//! What one rule means.
//!
//! Belongs here: `[[port.allow]]` from its written form to the model's. Checks against other rules are `builder`'s.

use std::sync::Arc;

use super::intern::{Interner, Unreadable};
use super::peers::peers;
use super::void::why_void;
use crate::policy::model::{Pattern, PeerSets, ProcessKey, ProcessSpec, Rule};
use crate::policy::read::{AccountText, RawProcess, RawRule};
use crate::policy::volume::VolumeLimit;
use crate::written::{At, OneOrMany, Report, Text, quoted};

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
        table: loc,
        top_level: raw.port.is_some(),
        line: report.line(loc),
        direction: raw.direction?,
        peers: peers?.into_iter().map(|peer| peer.value).collect(),
        process,
        until: raw.until.map(|until| At { value: until.value.0, loc: until.loc }),
        volume: raw.volume.and_then(|volume| {
            let (per, max) = (volume.value.per?.value, volume.value.max?.value.0);
            Some(VolumeLimit { per, max })
        }),
    })
}

/// What is asked of a process; `None` if it cannot be used, which was reported.
pub(super) fn spec(
    raw: At<RawProcess>,
    interner: &mut Interner,
    report: &mut Report<'_>,
) -> Option<Arc<ProcessSpec>> {
    let At { value: raw, loc } = raw;
    let accounts = |many: Option<At<OneOrMany<AccountText>>>| {
        many.map(|many| many.value.0.into_iter().map(|at| At { value: at.value.0, loc: at.loc }).collect())
    };
    let texts = |many: Option<At<OneOrMany<Text>>>| many.map(|many| many.value.0);
    let stated_by = raw.stated_by.as_ref().map(|many| many.loc);
    let keys: [(ProcessKey, Option<Vec<At<Text>>>); ProcessKey::COUNT - 1] = [
        (ProcessKey::Exe, texts(raw.exe)),
        (ProcessKey::User, accounts(raw.user)),
        (ProcessKey::Group, accounts(raw.group)),
        (ProcessKey::Unit, texts(raw.unit)),
        (ProcessKey::Container, texts(raw.container)),
        (ProcessKey::Image, texts(raw.image)),
        (ProcessKey::Pod, texts(raw.pod)),
        (ProcessKey::Namespace, texts(raw.namespace)),
        (ProcessKey::Workload, texts(raw.workload)),
        (ProcessKey::StatedBy, accounts(raw.stated_by)),
        (ProcessKey::Cgroup, texts(raw.cgroup)),
    ];
    let given = |key: &ProcessKey| keys.iter().any(|(other, patterns)| other == key && patterns.is_some());
    if raw.label.is_none() && !ProcessKey::ALL.iter().any(given) {
        // A mistyped key was meant to be there.
        if !ProcessKey::ALL.into_iter().any(|key| report.is_faulty(loc, key.as_str())) {
            let help =
                format!("give one of {}, or remove `process`", listed(|key| key != ProcessKey::StatedBy));
            report.missing(loc, "`process` asks for nothing", help);
        }
        return None;
    }
    let in_container = |key: ProcessKey| key.is_container() && key != ProcessKey::StatedBy;
    let asks = raw.label.is_some() || ProcessKey::ALL.iter().any(|key| in_container(*key) && given(key));
    if let (Some(loc), false) = (stated_by, asks) {
        let help = format!("add {}, or remove it", listed(in_container));
        report.error(
            loc,
            "`stated_by` says whose word about a container counts, and nothing is asked of one",
            help,
        );
        return None;
    }
    let mut wanted = ProcessSpec::default();
    let mut usable = true;
    for (key, written) in keys {
        let Some(written) = written else { continue };
        let patterns = patterns(key, &written, interner, report);
        usable &= !patterns.is_empty();
        wanted.set(key, patterns);
    }
    if let Some(written) = raw.label {
        let mut labels = Vec::with_capacity(written.value.0.len());
        for (key, values) in written.value.0 {
            let patterns = patterns(ProcessKey::Label, &values.0, interner, report);
            usable &= !patterns.is_empty();
            labels.push((interner.text(&key.value), patterns));
        }
        usable &= !labels.is_empty();
        wanted.set_labels(labels);
    }
    usable.then(|| interner.spec(wanted))
}

/// The keys as a sentence names them.
fn listed(which: impl Fn(ProcessKey) -> bool) -> String {
    let keys: Vec<String> = ProcessKey::ALL
        .into_iter()
        .filter(|key| which(*key))
        .map(|key| format!("`{}`", key.as_str()))
        .collect();
    match keys.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => keys.concat(),
    }
}

/// The patterns of one key; what is none was reported.
fn patterns(
    key: ProcessKey,
    written: &[At<Text>],
    interner: &mut Interner,
    report: &mut Report<'_>,
) -> Vec<Pattern> {
    let mut patterns = Vec::with_capacity(written.len());
    for text in written {
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
            Err(Unreadable::Pattern(why)) => {
                let help = match key {
                    ProcessKey::Image => {
                        "registry, path and tag are a pattern each: close `{…}` and `[…]` within one"
                    }
                    _ => "`*` stands for anything but `/`, `**` for whole folders; put a plain `[` as `[[]`",
                };
                let message = format!("{} is no pattern: {why}", quoted(&text.value));
                report.error(text.loc, message, help.to_owned());
            }
            Err(Unreadable::Digest(written)) => {
                let help =
                    "a digest is compared exactly: write `sha256:` and all its 64 digits, without wildcards";
                let message = format!("{} is no digest", quoted(&written));
                report.error(text.loc, message, help.to_owned());
            }
        }
    }
    patterns
}
