//! What the lines look like.

use std::sync::Arc;

use super::*;
use crate::core::event::samples;

fn width(columns: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(columns)
}

fn render(lines: &Lines, events: &[Event]) -> String {
    let mut out = Vec::new();
    for event in events {
        lines.render(event, &mut out);
        out.push(b'\n');
    }
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_wide_terminal_shows_everything() {
    let lines = Lines::new(false, width(200), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn a_terminal_of_120_columns_is_aligned() {
    let lines = Lines::new(false, width(120), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn a_terminal_of_80_columns_is_still_readable() {
    let lines = Lines::new(false, width(80), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn colours_change_nothing_but_colours() {
    let events = samples::events();
    let colored = render(&Lines::new(true, width(120), TimeZone::UTC), &events);
    let plain = render(&Lines::new(false, width(120), TimeZone::UTC), &events);
    assert!(colored.contains("\u{1b}[") && !plain.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}

#[test]
fn a_violation_is_the_only_red_on_the_screen() {
    let red = AnsiColor::Red.on_default().bold().render().to_string();
    let lines = Lines::new(true, width(120), TimeZone::UTC);
    for event in samples::events() {
        let bad = matches!(event.body.verdict(), Some(Verdict::Violation { .. }))
            || matches!(&event.body, Body::Coverage(books) if books.coverage.lost() > 0);
        assert_eq!(render(&lines, std::slice::from_ref(&event)).contains(&red), bad, "{}", event.body.kind());
    }
}

#[test]
fn lines_are_no_wider_than_the_terminal_unless_something_is_wrong() {
    for columns in [80, 100, 120, 200] {
        let lines = Lines::new(false, width(columns), TimeZone::UTC);
        for event in samples::events() {
            let line = render(&lines, std::slice::from_ref(&event));
            let keep =
                !matches!(event.body.verdict(), Some(Verdict::Declared { .. } | Verdict::Undecided { .. }));
            assert!(keep || line.trim_end().chars().count() <= usize::from(columns), "{columns}: {line}");
        }
    }
}

#[test]
fn names_from_outside_are_cut_and_cannot_command_the_terminal() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("asked for a flow.open") };
    let process = Arc::make_mut(flow.process.as_mut().expect("the sample has an owner"));
    process.exe = Some(format!("/opt/\u{1b}[2J\u{202e}{}", "long".repeat(50)).into());
    let line = render(&Lines::new(false, width(120), TimeZone::UTC), &[event]);
    assert!(!line.contains(['\u{1b}', '\u{202e}']) && line.contains('…'), "{line}");
    assert!(line.contains("✓ orders-api"), "the verdict is still there: {line}");
}

#[test]
fn what_is_not_exact_is_marked() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("asked for a flow.open") };
    Arc::make_mut(flow.process.as_mut().expect("the sample has an owner")).attribution =
        Attribution::Listener;
    assert!(render(&Lines::new(false, None, TimeZone::UTC), &[event]).contains("~postgres[4242]"));
}
