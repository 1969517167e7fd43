//! What the lines look like.

use super::*;
use gdprport_core::event::samples;
use gdprport_core::model::Naming;

pub(super) fn width(columns: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(columns)
}

pub(super) fn render(lines: &LineRenderer, events: &[Event]) -> String {
    let mut out = Vec::new();
    for event in events {
        lines.render(event, &mut out);
        out.push(b'\n');
    }
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_wide_terminal_shows_everything() {
    let lines = LineRenderer::new(false, width(200), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn a_terminal_of_120_columns_is_aligned() {
    let lines = LineRenderer::new(false, width(120), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn a_terminal_of_80_columns_is_still_readable() {
    let lines = LineRenderer::new(false, width(80), TimeZone::UTC);
    insta::assert_snapshot!(render(&lines, &samples::events()));
}

#[test]
fn colours_change_nothing_but_colours() {
    let events = samples::events();
    let colored = render(&LineRenderer::new(true, width(120), TimeZone::UTC), &events);
    let plain = render(&LineRenderer::new(false, width(120), TimeZone::UTC), &events);
    assert!(colored.contains("\u{1b}[") && !plain.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}

#[test]
fn a_violation_is_the_only_red_on_the_screen() {
    let red = Tone::Bad.style().render().to_string();
    let lines = LineRenderer::new(true, width(120), TimeZone::UTC);
    for event in samples::events() {
        let violates = matches!(event.body.verdict(), Some(Verdict::Violation { .. }));
        let bad = violates && event.body.accepted().is_none()
            || matches!(&event.body, Body::Coverage(event) if event.coverage.lost() > 0);
        assert_eq!(render(&lines, std::slice::from_ref(&event)).contains(&red), bad, "{}", event.body.kind());
    }
}

#[test]
fn lines_fit_the_terminal_unless_something_is_wrong() {
    for columns in [80, 100, 120, 200] {
        let lines = LineRenderer::new(false, width(columns), TimeZone::UTC);
        for event in samples::events() {
            let line = render(&lines, std::slice::from_ref(&event));
            let violates = matches!(event.body.verdict(), Some(Verdict::Violation { .. }));
            let wrong = matches!(event.body.kind(), Kind::Violation | Kind::Finding)
                || event.body.kind() == Kind::FlowSummary && violates;
            let keep = event.body.verdict().is_none() || wrong;
            assert!(keep || line.trim_end().chars().count() <= usize::from(columns), "{columns}: {line}");
        }
    }
}

#[test]
fn names_from_outside_are_cut_and_harmless() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("expected a flow.open") };
    let exe = format!("/opt/\u{1b}[2J\u{202e}{}", "long".repeat(50));
    samples::change_process(flow, |process| process.exe = Some(exe.into()));
    let line = render(&LineRenderer::new(false, width(120), TimeZone::UTC), &[event]);
    assert!(!line.contains(['\u{1b}', '\u{202e}']) && line.contains('…'), "{line}");
    assert!(line.contains("✓ orders-api"), "the verdict is still there: {line}");
}

/// Names that a runtime would refuse, in a state that somebody else wrote.
#[test]
fn names_of_containers_are_cut_and_harmless() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("expected a flow.open") };
    let mut container = samples::containers::compose();
    let Naming::Known(names) = &mut container.naming else { panic!("the sample is named") };
    let names = std::sync::Arc::make_mut(names);
    names.name = Some(format!("\u{1b}[2J\u{202e}\u{200b}漢{}", "long".repeat(60)).into());
    samples::change_process(flow, |process| process.container = Some(container));
    for columns in [80, 120, 200] {
        let line =
            render(&LineRenderer::new(false, width(columns), TimeZone::UTC), std::slice::from_ref(&event));
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\u{200b}', '漢']) && line.contains('…'), "{line}");
        assert!(line.contains("✓ orders-api"), "the verdict is still there: {line}");
    }
}

#[test]
fn a_long_name_is_cut_and_its_number_is_not() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("expected a flow.open") };
    samples::change_process(flow, |process| {
        process.exe = Some("/usr/bin/redis-check-rdb".into());
        process.comm = Some("redis-server".into());
    });
    let shown = |columns| {
        render(&LineRenderer::new(false, width(columns), TimeZone::UTC), std::slice::from_ref(&event))
    };
    assert!(shown(80).contains(" redis-serv…[4242]… 10.0.2.7"), "{}", shown(80));
    assert!(shown(200).contains(" redis-server (redis-check-rdb)[4242] post"), "{}", shown(200));
}

#[test]
fn a_reason_is_printed_once_by_violation_or_summary() {
    let lines = LineRenderer::new(false, width(200), TimeZone::UTC);
    for event in samples::events() {
        let line = render(&lines, std::slice::from_ref(&event));
        let reason =
            ["undeclared-peer", "exposed-listener", "volume-exceeded"].iter().any(|id| line.contains(id));
        let counted = event.body.kind() == Kind::FlowSummary
            && matches!(event.body.verdict(), Some(Verdict::Violation { .. }));
        assert_eq!(reason, counted || event.body.kind() == Kind::Violation, "{line}");
    }
}

#[test]
fn without_a_policy_nothing_is_called_a_violation() {
    let mut event = samples::event(Kind::FlowFail);
    let Body::FlowFail(flow) = &mut event.body else { panic!("expected a flow.fail") };
    flow.policy = None;
    let line = render(&LineRenderer::new(false, None, TimeZone::UTC), &[event]);
    assert!(line.ends_with("  refused ✗ undeclared\n"), "{line}");
    let mut event = samples::event(Kind::PolicyApplied);
    let Body::PolicyApplied(applied) = &mut event.body else { panic!("expected a policy.applied") };
    applied.policy.files.clear();
    let line = render(&LineRenderer::new(false, None, TimeZone::UTC), &[event]);
    assert!(line.ends_with("§ policy     built-in catalog\n"), "{line}");
}

#[test]
fn what_is_not_exact_is_marked() {
    let mut event = samples::event(Kind::FlowOpen);
    let Body::FlowOpen(flow) = &mut event.body else { panic!("expected a flow.open") };
    samples::change_process(flow, |process| process.attribution = Attribution::Listener);
    assert!(render(&LineRenderer::new(false, None, TimeZone::UTC), &[event]).contains("~postgres[4242]"));
}
