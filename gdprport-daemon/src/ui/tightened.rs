//! What is known of ports that a policy begins to enforce: how many connections the kernel would have denied so far.

use std::net::IpAddr;

use gdprport_core::policy::{Mode, Policy};

use super::format::{counted, moment, thousands};
use super::table::wrap;
use super::tone::Tone;
use crate::control::api::{PortStatus, Status};

/// Lines about ports that the policy enforces and that are not enforced yet; empty if there are none.
pub(super) fn tightened(policy: &Policy, status: &Status, width: usize) -> String {
    let mut text = String::new();
    for port in policy.watched().filter(|port| port.enforcement.mode == Mode::Enforce) {
        let now = status.ports.iter().find(|now| now.number == port.number);
        let Some((tone, known)) = known(now, status) else { continue };
        let line = format!("{} ({}) is to be enforced: {known}", port.name, port.number);
        wrap(&line, width).iter().for_each(|line| text += &(tone.paint(line) + "\n"));
    }
    let unknown = status
        .enforcement
        .as_ref()
        .map_or(0, |enforcement| enforcement.decisions.unknown + enforcement.arrivals.unknown);
    if !text.is_empty() && unknown > 0 {
        let line = format!(
            "of {} the kernel could not know in time whether a rule allows them: they pass, unless `on_unknown` is \"deny\"",
            counted(unknown, "connection")
        );
        wrap(&line, width).iter().for_each(|line| text += &(Tone::Warn.paint(line) + "\n"));
    }
    text
}

/// A warning to whoever is here by SSH and would not be let in again.
pub(super) fn cannot_return(from: IpAddr, port: u16, width: usize) -> String {
    let line = format!(
        "You are here by SSH from {from} to port {port}, and no rule of this policy lets that in: this connection stays open, but you can open \
         no other. Add a rule with direction = \"in\", or do not close it before you have confirmed"
    );
    wrap(&line, width).iter().map(|line| Tone::Bad.paint(line) + "\n").collect()
}

/// What the kernel has said of a port until now; `None`: it is enforced already.
fn known(now: Option<&PortStatus>, status: &Status) -> Option<(Tone, String)> {
    let since = moment(status.coverage.since);
    Some(match now.map(|now| (now.mode, &now.counters)) {
        Some((Mode::Enforce, _)) => return None,
        Some((Mode::Warn, counters)) if counters.would_deny > 0 => {
            let denied = thousands(counters.would_deny);
            (Tone::Bad, format!("{denied} of its connections would have been denied since {since}"))
        }
        Some((Mode::Warn, counters)) => {
            let seen = counted(counters.opened + counters.failed, "connection");
            (Tone::Good, format!("none of {seen} would have been denied since {since}"))
        }
        _ => (
            Tone::Warn,
            "the kernel has not tried it yet, so only the past above says what would be denied; `mode = \"warn\"` tries it"
                .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use gdprport_core::policy::{Source, compile};

    use super::*;
    use crate::control::api::samples;

    fn policy(mode: &str, port: &PortStatus) -> Policy {
        let text = format!(
            "version = 1\n[[port]]\nname = \"{}\"\nport = {}\nmode = \"{mode}\"\n[[port.allow]]\nrole = \"r\"\n\
             direction = \"out\"\npeers = [\"any\"]\n",
            port.name, port.number
        );
        compile(&[Source { name: "policy.toml".to_owned(), text }]).expect("a policy")
    }

    fn said(before: Mode, would_deny: u64, mode: &str) -> String {
        let mut status = samples::healthy();
        let port = &mut status.ports[0];
        (port.mode, port.counters.would_deny) = (before, would_deny);
        let policy = policy(mode, &status.ports[0]);
        tightened(&policy, &status, 200)
    }

    #[test]
    fn what_begins_to_be_enforced_is_said_with_what_is_known() {
        assert!(
            said(Mode::Warn, 1_234, "enforce")
                .contains("1,234 of its connections would have been denied since")
        );
        assert!(said(Mode::Warn, 0, "enforce").contains("none of "));
        assert!(said(Mode::Observe, 0, "enforce").contains("the kernel has not tried it yet"));
        for (before, mode) in [(Mode::Enforce, "enforce"), (Mode::Observe, "warn"), (Mode::Warn, "observe")] {
            assert_eq!(said(before, 3, mode), "", "{before} {mode}");
        }
    }
}
