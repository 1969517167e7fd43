//! What one rule means.
//!
//! Belongs here: `[[port.allow]]` from its written form to the model's. Checks against other rules are `model`'s.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::pattern::{Interner, Key, ProcessSpec};
use super::peers::Peer;
use super::problem::{At, Loc, Report, quoted};
use super::raw::{RawProcess, RawRule};
use super::read::{OneOrMany, Text};
use crate::model::Direction;

/// One rule.
pub(super) struct Rule {
    pub role: Arc<str>,
    pub loc: Loc,
    pub direction: At<Direction>,
    /// Not empty; sets are known.
    pub peers: Vec<Peer>,
    /// `None`: any process.
    pub process: Option<Arc<ProcessSpec>>,
    /// The last moment at which it is valid.
    pub until: Option<Timestamp>,
}

/// Reads one rule; `None` if it cannot be used, which was reported.
pub(super) fn parse(
    raw: At<RawRule>,
    sets: &HashMap<String, Vec<Peer>>,
    interner: &mut Interner,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let At { value: raw, loc } = raw;
    let peers = raw.peers.map(|written| peers(&written.value, sets, report));
    let process = match raw.process {
        Some(written) => Some(spec(written, interner, report)?),
        None if report.is_amiss(loc, "process") => None,
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
        until: raw.until.map(|until| until.value.0),
    })
}

/// Reads peers; those that mean nothing are reported and left out.
pub(super) fn peers(
    written: &OneOrMany<Text>,
    sets: &HashMap<String, Vec<Peer>>,
    report: &mut Report<'_>,
) -> Vec<At<Peer>> {
    let mut peers = Vec::with_capacity(written.0.len());
    for text in &written.0 {
        let Some(peer) = peer(text, report) else { continue };
        if let Peer::Set(name) = &peer
            && !sets.contains_key(&**name)
        {
            let help = report.did_you_mean(name, sets.keys().map(String::as_str)).unwrap_or_else(|| {
                "name it in `[peers]`; for a host name without a dot, add one at its end".to_owned()
            });
            // `[peers]` may stand on a line that could not be read.
            report.missing(text.loc, format!("no peers are named {}", quoted(name)), help);
            continue;
        }
        peers.push(At { value: peer, loc: text.loc });
    }
    peers
}

/// Reads one peer.
pub(super) fn peer(text: &At<Text>, report: &mut Report<'_>) -> Option<Peer> {
    match Peer::parse(&text.value) {
        Ok(Peer::Net(net)) if net.addr().is_unspecified() && net.prefix_len() == net.max_prefix_len() => {
            let help = "write \"any\" for every peer".to_owned();
            report.error(text.loc, format!("{} is the address of nobody", quoted(&text.value)), help);
            None
        }
        Ok(peer) => Some(peer),
        Err((message, help)) => {
            report.error(text.loc, message, help);
            None
        }
    }
}

fn spec(raw: At<RawProcess>, interner: &mut Interner, report: &mut Report<'_>) -> Option<Arc<ProcessSpec>> {
    let At { value: raw, loc } = raw;
    let accounts = |many: Option<At<OneOrMany<super::values::Account>>>| {
        many.map(|many| many.value.0.into_iter().map(|at| At { value: at.value.0, loc: at.loc }).collect())
    };
    let texts = |many: Option<At<OneOrMany<Text>>>| many.map(|many| many.value.0);
    let keys: [(Key, Option<Vec<At<Text>>>); 6] = [
        (Key::Exe, texts(raw.exe)),
        (Key::User, accounts(raw.user)),
        (Key::Group, accounts(raw.group)),
        (Key::Unit, texts(raw.unit)),
        (Key::Container, texts(raw.container)),
        (Key::Cgroup, texts(raw.cgroup)),
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
                let help = format!("write the whole path, or \"**/{}\"", text.value.trim_start_matches('*'));
                let message = format!("{} can match no absolute path", quoted(&text.value));
                report.error(text.loc, message, help);
                continue;
            }
            match interner.pattern(key, &text.value) {
                Ok(pattern) => patterns.push(pattern),
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
