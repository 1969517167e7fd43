//! The native encoding: an event as its types serialize. [`Encoder`](super::Encoder) writes the same bytes faster.

use crate::event::Event;

/// Appends the event as one line of NDJSON (RFC 8259 text, ended by a line feed), schema `gdprport.event/1`.
///
/// Written straight into the buffer, without an intermediate tree. Equal events give equal bytes. No byte of a
/// line but its last is a line feed: JSON escapes control characters.
pub fn native(event: &Event, line: &mut Vec<u8>) {
    serde_json::to_writer(&mut *line, event)
        .expect("writing to memory cannot fail and every key is a string");
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Kind, samples};

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
        samples::change_process(flow, |process| process.comm = Some("a\nb\r\u{0}\u{1b}[31m\"}".into()));
        let mut line = Vec::new();
        native(&event, &mut line);
        assert_eq!(line.iter().filter(|&&byte| byte < 0x20).count(), 1, "only the line feed at the end");
        assert_eq!(serde_json::from_slice::<Event>(&line).expect("valid JSON"), event);
    }

    #[test]
    fn the_reference_example_keeps_its_names_and_nesting() {
        let mut line = Vec::new();
        native(&samples::event(Kind::Violation), &mut line);
        insta::assert_snapshot!(String::from_utf8(line).expect("JSON is UTF-8"));
    }
}
