//! The outcome of a reload, or of a policy that was applied.

use super::format::{clean, counted, thousands};
use super::tone::Tone;
use crate::control::api::{ExistingFlows, ReloadReply};
use gdprport_core::model::Direction;

/// The outcome of a reload: every problem, or that it is applied.
pub(super) fn reload(reply: &ReloadReply) -> String {
    let mut text = String::new();
    for line in reply.problems.lines().chain(reply.warnings.lines()) {
        text.push_str(&format!("{}\n", clean(line)));
    }
    let (tone, outcome) =
        if reply.applied { (Tone::Good, "applied") } else { (Tone::Bad, "refused; still in force is") };
    text.push_str(&format!("{} {}\n", tone.paint(outcome), clean(&reply.digest)));
    text.push_str(&reply.existing.as_ref().map(existing).unwrap_or_default());
    text
}

/// Connections that are open and that a policy denies, each with what becomes of it.
fn existing(flows: &ExistingFlows) -> String {
    let ExistingFlows { ended, to_end, kept, first } = flows;
    let mut what = Vec::new();
    for (count, becomes) in
        [(ended, "ended"), (to_end, "to be ended when it is confirmed"), (kept, "left open")]
    {
        if *count > 0 {
            what.push(format!("{} {becomes}", thousands(*count)));
        }
    }
    let all = ended + to_end + kept;
    let mut text = format!("open connections that it denies: {}\n", what.join(", "));
    for flow in first {
        let (from, to) = match flow.direction {
            Direction::In => (flow.peer, flow.local),
            Direction::Out => (flow.local, flow.peer),
        };
        let who = flow.exe.as_deref().unwrap_or("a process that is not known");
        let pid = flow.pid.map(|pid| format!("[{pid}]")).unwrap_or_default();
        let port = clean(&flow.port);
        text.push_str(&format!("  {port}  {from} → {to}  {}{pid}  {}\n", clean(who), clean(&flow.becomes)));
    }
    let more = all.saturating_sub(first.len() as u64);
    if more > 0 {
        text.push_str(&format!("  and {}\n", counted(more, "other")));
    }
    text
}

#[cfg(test)]
mod tests {
    use gdprport_core::model::Endpoint;

    use super::*;
    use crate::control::api::ExistingFlow;

    #[test]
    fn open_connections_that_a_policy_denies_are_listed() {
        let end = |last: u8, port: u16| Endpoint::new([10, 0, 9, last].into(), port);
        let flow = |direction, becomes: &str| ExistingFlow {
            port: "customers-db".into(),
            direction,
            local: end(1, 5432),
            peer: end(2, 40_000),
            exe: Some("/usr/bin/orders".to_owned()),
            pid: Some(812),
            becomes: becomes.to_owned(),
        };
        let first = vec![flow(Direction::Out, "ended"), flow(Direction::In, "kept")];
        let existing = Some(ExistingFlows { ended: 2, to_end: 0, kept: 1, first });
        let reply = ReloadReply { existing, ..ReloadReply::new(true, "sha256:1".to_owned(), String::new()) };
        let text = anstream::adapter::strip_str(&reload(&reply)).to_string();
        assert_eq!(
            text,
            "applied sha256:1\n\
             open connections that it denies: 2 ended, 1 left open\n  \
             customers-db  10.0.9.1:5432 → 10.0.9.2:40000  /usr/bin/orders[812]  ended\n  \
             customers-db  10.0.9.2:40000 → 10.0.9.1:5432  /usr/bin/orders[812]  kept\n  \
             and 1 other\n"
        );
    }
}
