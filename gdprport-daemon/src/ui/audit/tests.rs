//! What an audit looks like.

use super::*;
use crate::report::samples;

fn shown(audit: &Audit, width: u16) -> String {
    let screen = Screen { width, now: audit.at };
    let text = anstream::adapter::strip_str(&show(audit, &screen)).to_string();
    // Lines of a proposal are there to be copied, and stay as they are.
    let copied = |line: &str| line.starts_with("        ");
    assert!(
        text.lines().filter(|line| !copied(line)).all(|line| line.chars().count() <= usize::from(width)),
        "{text}"
    );
    text
}

#[test]
fn an_audit_on_a_narrow_screen() {
    insta::assert_snapshot!(shown(&samples::audit(), 80));
}

#[test]
fn an_audit_on_a_screen_of_120_columns() {
    insta::assert_snapshot!(shown(&samples::audit(), 120));
}

#[test]
fn an_audit_is_no_wider_than_people_read() {
    assert_eq!(shown(&samples::audit(), 200), shown(&samples::audit(), 120));
}

#[test]
fn an_audit_without_anything_says_so_first() {
    let text = shown(&samples::nothing(), 80);
    assert!(text.starts_with("● nothing found\n"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn names_of_attackers_steer_no_terminal() {
    for width in [60, 80, 200] {
        let text = shown(&samples::hostile(), width);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}
