//! The part of the status about connections that are decided in the kernel: what became of them, and each port with a mode.

use std::borrow::Cow;

use super::format::{counted, thousands};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::{Decisions, EndingStatus, EnforcementStatus, PortStatus};

/// How connections are decided; nothing if no port asks for it. `ports`: those with a mode, each with the last number of its range.
pub(super) fn enforcement(
    status: Option<&EnforcementStatus>,
    ports: &[(Cow<'_, PortStatus>, u16)],
    screen: &Screen,
) -> String {
    let Some(status) = status else { return String::new() };
    let EnforcementStatus {
        error,
        writing,
        translates,
        unlisted,
        unpinned,
        sinks,
        arrivals_pass,
        endings,
        decisions,
        arrivals,
        repeated,
        binds,
        binds_pass,
    } = status;
    let remark = if error.is_some() {
        "not in force: nothing is denied"
    } else {
        "in force for connects that are made here, and for connections that arrive"
    };
    let mut text = title("ENFORCEMENT", remark);
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    if let Some(error) = error {
        add("error", Tone::Bad, error);
    }
    if *writing {
        add("writing", Tone::Plain, "tables are being written; until they are, what is in force stays so");
    }
    if *translates {
        let what = "this host translates addresses: a connection that no rule allows is unknown, and passes unless \
                    `on_unknown` is \"deny\"";
        add("unknown", Tone::Warn, what);
    }
    if *unlisted > 0 {
        let what = format!("{} that appeared found no room: unknown", counted(*unlisted, "value"));
        add("no room", Tone::Warn, &what);
    }
    if *unpinned {
        let what =
            "`on_daemon_loss = \"deny\"` needs pins: without them everything passes once the daemon is lost";
        add("no pins", Tone::Bad, what);
    }
    if !sinks.is_empty() {
        let what = format!(
            "the ports of {} are decided: not denied to gdprport-deliver, and violations without a rule",
            sinks.join(", ")
        );
        add("sinks", Tone::Warn, &what);
    }
    if let Some(why) = arrivals_pass {
        add("arriving", Tone::Bad, &format!("not decided, and passes: {why}"));
    }
    add("made here", Tone::Plain, &decided(decisions, "connect"));
    let mut arrived = decided(arrivals, "connection");
    if *repeated > 0 {
        arrived.push_str(&format!(" ({} came again)", counted(*repeated, "SYN")));
    }
    add("arriving", Tone::Plain, &arrived);
    if let Some(why) = binds_pass {
        add("listening", Tone::Bad, &format!("not decided: {why}"));
    }
    if let Some(binds) = binds {
        add("listening", Tone::Plain, &decided(binds, "bind"));
    }
    if let Some((tone, what)) = ended(endings) {
        add("ended", tone, &what);
    }
    for (port, last) in ports {
        let numbers =
            if port.number == *last { port.number.to_string() } else { format!("{}-{last}", port.number) };
        let mode = port.mode;
        let counters = &port.counters;
        let mut counts = format!(
            "{mode} on {numbers}: {} denied, {} would be denied",
            thousands(counters.denied),
            thousands(counters.would_deny)
        );
        if counters.ended > 0 {
            counts.push_str(&format!(", {} ended", thousands(counters.ended)));
        }
        add(&port.name, Tone::Plain, &counts);
    }
    text
}

fn decided(decisions: &Decisions, what: &str) -> String {
    let Decisions { asked, left, allowed, unknown, would_deny, denied, unsettled } = *decisions;
    let mut text = format!(
        "{}: {} allowed, {} unknown and passed, {} would be denied, {} denied",
        counted(asked, what),
        thousands(allowed),
        thousands(unknown),
        thousands(would_deny),
        thousands(denied)
    );
    for (count, what) in [(left, "to peers without a mode"), (unsettled, "passed between two policies")] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", thousands(count)));
        }
    }
    text
}

/// What became of connections that were to be ended; `None`: there were none.
fn ended(endings: &EndingStatus) -> Option<(Tone, String)> {
    let EndingStatus { asked, ended, gone, failed, going_on, error, unable } = endings;
    if let Some(why) = unable {
        return Some((Tone::Bad, format!("nothing can be: {why}")));
    }
    let mut text = format!(
        "{} were to be: {} ended, {} had ended before",
        counted(*asked, "connection"),
        thousands(*ended),
        thousands(*gone)
    );
    if *failed > 0 {
        let why = error.as_deref().unwrap_or("it is not known why");
        text.push_str(&format!(
            ", {} failed, of which {} are open ({why})",
            thousands(*failed),
            thousands(*going_on)
        ));
    }
    (*asked > 0).then_some((if *going_on > 0 { Tone::Bad } else { Tone::Plain }, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_was_decided_and_what_is_not() {
        let screen = Screen { width: 120, now: jiff::Timestamp::UNIX_EPOCH };
        let decisions =
            Decisions { asked: 1_215, allowed: 1_200, unknown: 3, denied: 12, ..Decisions::default() };
        let arrivals = Decisions { asked: 7, allowed: 5, denied: 2, ..Decisions::default() };
        let repeated = 9;
        let status = EnforcementStatus {
            writing: true,
            translates: true,
            decisions,
            arrivals,
            repeated,
            ..EnforcementStatus::default()
        };
        let shown = enforcement(Some(&status), &[], &screen);
        for part in [
            "1,215 connects: 1,200 allowed",
            "12 denied",
            "7 connections: 5 allowed",
            "2 denied (9 SYNs came again)",
            "connections that arrive",
            "translates",
            "tables are being written",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let why = Some("cgroup_skb/ingress is missing: refused".to_owned());
        let lacking = EnforcementStatus { arrivals_pass: why, ..status.clone() };
        let shown = enforcement(Some(&lacking), &[], &screen);
        assert!(shown.contains("not decided, and passes: cgroup_skb/ingress is missing"), "{shown}");
        let defects: Vec<String> = lacking.defects().collect();
        assert!(defects.iter().any(|defect| defect.contains("what arrives is not decided")), "{defects:?}");
        assert!(!shown.contains("to be: ") && !shown.contains("bind"), "{shown}");
        let binds = Some(Decisions { asked: 6, allowed: 1, denied: 5, ..Decisions::default() });
        let why = Some("cgroup/bind6 is missing: refused".to_owned());
        let guarded = EnforcementStatus { binds, binds_pass: why, ..status.clone() };
        let shown = enforcement(Some(&guarded), &[], &screen);
        assert!(shown.contains("6 binds: 1 allowed") && shown.contains("cgroup/bind6 is missing"), "{shown}");
        let defects: Vec<String> = guarded.defects().collect();
        assert!(defects.iter().any(|defect| defect.contains("who listens is not decided")), "{defects:?}");
        let endings =
            EndingStatus { asked: 12, ended: 9, gone: 2, failed: 1, going_on: 1, ..EndingStatus::default() };
        let status = EnforcementStatus { endings, ..status };
        let shown = enforcement(Some(&status), &[], &screen);
        assert!(
            shown.contains("12 connections were to be: 9 ended, 2 had ended before, 1 failed"),
            "{shown}"
        );
        let defects: Vec<_> = status.defects().collect();
        assert!(defects.iter().any(|text| text.contains("1 connection could not be ended")), "{defects:?}");
        let broken = EnforcementStatus { error: Some("too many rules".to_owned()), ..status };
        let shown = enforcement(Some(&broken), &[], &screen);
        assert!(shown.contains("nothing is denied") && shown.contains("too many rules"), "{shown}");
        assert_eq!(enforcement(None, &[], &screen), "");
    }
}
