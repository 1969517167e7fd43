//! Following the events: all of them, or those of flows.

use std::num::NonZeroU16;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::format::clean;
use super::super::lines::Lines;
use super::super::{Exit, Out};
use crate::control::client::Client;
use gdprport_core::event::Event;

/// Which events to print.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Only those of the port with this name or number.
    pub(super) port: Option<String>,
    /// Only violations.
    pub(super) violations: bool,
    /// Only those about flows.
    pub(super) flows: bool,
}

/// What the choice needs of an event.
#[derive(Debug, Deserialize)]
struct Head {
    kind: String,
    port: Option<Port>,
    verdict: Option<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Port {
    name: String,
    number: u16,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    outcome: String,
}

impl Wanted {
    fn takes(&self, line: &str) -> bool {
        if !self.flows && !self.violations && self.port.is_none() {
            return true;
        }
        // What cannot be judged is shown rather than hidden.
        let Ok(head) = serde_json::from_str::<Head>(line) else { return true };
        if head.kind == "stream.lost" {
            return true;
        }
        let of_flow = head.kind.starts_with("flow.") || head.kind == "violation";
        let violation = head.verdict.is_some_and(|verdict| verdict.outcome == "violation");
        let port = self.port.as_deref().is_none_or(|wanted| {
            head.port.is_some_and(|port| port.name == wanted || wanted.parse() == Ok(port.number))
        });
        (!self.flows || of_flow) && (!self.violations || violation) && port
    }
}

/// Prints events until interrupted, as lines for people on a terminal, else as JSON; the daemon's end is its
/// own exit code.
pub(super) async fn follow(
    client: &Client,
    wanted: &Wanted,
    json: bool,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let mut events = client.events().await?;
    let lines = (out.terminal && !json).then(|| {
        // The stream takes colours out again where they are not wanted.
        Lines::new(true, NonZeroU16::new(out.screen().width), TimeZone::system())
    });
    while let Some(line) = events.next().await? {
        if !wanted.takes(&line) {
            continue;
        }
        let event =
            lines.as_ref().and_then(|lines| Some((lines, serde_json::from_str::<Event>(&line).ok()?)));
        match event {
            Some((lines, event)) => {
                let mut text = Vec::new();
                lines.render(&event, &mut text);
                text.push(b'\n');
                out.text(&String::from_utf8_lossy(&text))?;
            }
            None if out.terminal => out.json(clean(&line).as_bytes())?,
            None => out.json(line.as_bytes())?,
        }
    }
    eprintln!("gdprport: the daemon has stopped");
    Ok(Exit::Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_takes_what_it_names_and_always_a_gap() {
        let wanted = Wanted { port: Some("5432".to_owned()), violations: true, flows: true };
        let event = |kind: &str, number: u16, outcome: &str| {
            format!(
                r#"{{"kind":"{kind}","port":{{"name":"db","number":{number}}},"verdict":{{"outcome":"{outcome}"}}}}"#
            )
        };
        assert!(wanted.takes(&event("flow.open", 5432, "violation")));
        assert!(!wanted.takes(&event("flow.open", 5433, "violation")));
        assert!(!wanted.takes(&event("flow.open", 5432, "declared")));
        assert!(!wanted.takes(&event("listener.open", 5432, "violation")));
        assert!(wanted.takes(r#"{"schema":"gdprport.stream/1","kind":"stream.lost","lost":3}"#));
        assert!(!wanted.takes(r#"{"kind":"coverage"}"#));
    }
}
