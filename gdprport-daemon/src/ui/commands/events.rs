//! Following the events: all of them, or those of flows.

use std::num::NonZeroU16;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::exit::Exit;
use super::super::format::clean;
use super::super::lines::LineRenderer;
use super::super::screen::Output;
use crate::control::client::ControlClient;
use gdprport_core::encode::Encoding;
use gdprport_core::event::Event;

/// Which events to print.
#[derive(Debug, Default)]
pub(super) struct EventFilter {
    /// Only those of the port with this name or number.
    pub(super) port: Option<String>,
    /// Only violations.
    pub(super) violations: bool,
    /// Only those about flows.
    pub(super) flows: bool,
}

/// What the filter needs of an event.
#[derive(Debug, Deserialize)]
struct EventHead {
    kind: String,
    port: Option<EventPort>,
    verdict: Option<EventVerdict>,
}

#[derive(Debug, Deserialize)]
struct EventPort {
    name: String,
    number: u16,
}

#[derive(Debug, Deserialize)]
struct EventVerdict {
    outcome: String,
}

impl EventFilter {
    fn matches(&self, line: &str) -> bool {
        if !self.flows && !self.violations && self.port.is_none() {
            return true;
        }
        // What cannot be read is shown rather than hidden.
        let Ok(head) = serde_json::from_str::<EventHead>(line) else { return true };
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

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As lines for people on a terminal, else as they come.
    Fitting,
    /// As they come, JSON.
    Json,
    /// As a receiver with this encoding gets them.
    Records(Encoding),
}

impl Format {
    /// What was asked for on the command line.
    pub(super) fn of(encoding: Option<Encoding>, json: bool) -> Self {
        match encoding {
            Some(encoding) => Self::Records(encoding),
            None if json => Self::Json,
            None => Self::Fitting,
        }
    }
}

/// A line of the stream that is no event: what a slow client missed.
#[derive(Debug, Deserialize)]
struct StreamLine {
    lost: u64,
}

/// Prints events until interrupted; the daemon's end is its own exit code.
pub(super) async fn follow(
    client: &ControlClient,
    filter: &EventFilter,
    format: Format,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let mut events = client.events().await?;
    let lines = (out.terminal && format == Format::Fitting).then(|| {
        // The stream removes colours again where there should be none.
        LineRenderer::new(true, NonZeroU16::new(out.screen().width), TimeZone::system())
    });
    while let Some(line) = events.next().await? {
        if !filter.matches(&line) {
            continue;
        }
        if let Format::Records(encoding) = format {
            match record(encoding, &line) {
                Ok(record) => out.json(&record)?,
                Err(why) => eprintln!("gdprport: {why}"),
            }
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

/// A line of the stream as a record; or what takes its place on standard error, since only events have records.
fn record(encoding: Encoding, line: &str) -> Result<Vec<u8>, String> {
    if let Ok(StreamLine { lost }) = serde_json::from_str(line) {
        return Err(format!("this terminal was too slow: {lost} events are missing here"));
    }
    let event: Event = serde_json::from_str(line).map_err(|error| {
        format!(
            "an event was left out that this version cannot read, so that it is not the daemon's: {error}"
        )
    })?;
    let mut record = Vec::new();
    encoding.write(&event, &mut record);
    Ok(record)
}

#[cfg(test)]
mod tests {
    use gdprport_core::event::{Kind, samples};

    use super::*;

    #[test]
    fn a_filter_matches_what_it_names_and_every_gap() {
        let filter = EventFilter { port: Some("5432".to_owned()), violations: true, flows: true };
        let event = |kind: &str, number: u16, outcome: &str| {
            format!(
                r#"{{"kind":"{kind}","port":{{"name":"db","number":{number}}},"verdict":{{"outcome":"{outcome}"}}}}"#
            )
        };
        assert!(filter.matches(&event("flow.open", 5432, "violation")));
        assert!(!filter.matches(&event("flow.open", 5433, "violation")));
        assert!(!filter.matches(&event("flow.open", 5432, "declared")));
        assert!(!filter.matches(&event("listener.open", 5432, "violation")));
        assert!(filter.matches(r#"{"schema":"gdprport.stream/1","kind":"stream.lost","lost":3}"#));
        assert!(!filter.matches(r#"{"kind":"coverage"}"#));
    }

    #[test]
    fn what_has_no_record_is_said_and_not_printed() {
        let native = serde_json::to_string(&samples::event(Kind::Violation)).expect("plain data");
        let cef = record(Encoding::Cef, &native).expect("a record");
        assert!(cef.starts_with(b"CEF:0|gdprport|gdprport|0.1.0|violation/undeclared-peer|"));
        assert_eq!(record(Encoding::Native, &native).expect("a record"), native.as_bytes());
        let lost = r#"{"schema":"gdprport.stream/1","kind":"stream.lost","lost":3}"#;
        assert!(record(Encoding::Ecs, lost).expect_err("no event").contains("3 events"));
        assert!(record(Encoding::Ecs, r#"{"kind":"later"}"#).expect_err("no event").contains("cannot read"));
    }
}
