//! The native encoding: an event as its types serialize. [`Encoder`](super::Encoder) writes the same bytes faster.

use super::escape::json;
use crate::event::Event;

/// Appends the event as one line of NDJSON (RFC 8259 text, ended by a line feed), schema `gdprport.event/1`.
///
/// Written straight into the buffer, without an intermediate tree. Equal events give equal bytes. No byte of a
/// line but its last is a line feed, and nothing in it steers a terminal ([`json`]).
pub fn native(event: &Event, line: &mut Vec<u8>) {
    json(event, line);
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Kind, samples};
    use crate::text::is_control_or_bidi;

    #[test]
    fn every_kind_reads_back_as_it_was_written() {
        for event in samples::events() {
            let mut line = Vec::new();
            native(&event, &mut line);
            let back: Event = serde_json::from_slice(&line).expect("own output");
            assert_eq!(back, event);
        }
    }

    #[test]
    fn equal_events_give_equal_bytes_and_lines_are_appended() {
        let event = samples::event(Kind::Violation);
        let mut lines = Vec::new();
        native(&event, &mut lines);
        let first = lines.clone();
        native(&event.clone(), &mut lines);
        assert_eq!(lines[..first.len()], lines[first.len()..]);
    }

    #[test]
    fn nothing_from_outside_can_break_out_of_its_line() {
        let mut event = samples::event(Kind::FlowOpen);
        let Body::FlowOpen(flow) = &mut event.body else { panic!("asked for a flow.open") };
        samples::change_process(flow, |process| {
            process.comm = Some("a\nb\r\u{0}\u{1b}[31m\"}\u{9b}2J\u{202e}".into());
        });
        let mut line = Vec::new();
        native(&event, &mut line);
        let text = std::str::from_utf8(&line).expect("UTF-8");
        assert_eq!(
            text.chars().filter(|c| is_control_or_bidi(*c)).count(),
            1,
            "only the line feed at the end"
        );
        assert_eq!(serde_json::from_slice::<Event>(&line).expect("valid JSON"), event);
    }

    #[test]
    fn the_reference_example_keeps_its_names_and_nesting() {
        let mut line = Vec::new();
        native(&samples::event(Kind::Violation), &mut line);
        insta::assert_snapshot!(String::from_utf8(line).expect("JSON is UTF-8"));
    }
}
