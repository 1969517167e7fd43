//! Moving about, filters while they are typed, and what is shown when nobody answers.

use gdprport_core::top::{Rank, Row, Tenths};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::input::Input;
use super::*;
use crate::control::api::{StatusReply, samples};

pub(in crate::ui::top) fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-23T13:24:05Z".parse().expect("a time");
    begin + SignedDuration::from_secs(seconds)
}

/// What a daemon answers after so many seconds of the same traffic.
pub(in crate::ui::top) fn answer(seconds: i64) -> Answer {
    let mut status = samples::healthy();
    let port = &mut status.ports[0];
    let many = u64::try_from(seconds).unwrap_or(0);
    port.counters.opened += 12 * many;
    port.counters.bytes_sent = 1_300_000 * many;
    status.uptime_s += many;
    let status = StatusReply { health: status.health(), status };
    let at_ms = 1_000 * many;
    Answer { at: at(seconds), at_ms, status, port: None, groups: samples::groups() }
}

/// A view of a host that was looked at for some seconds.
pub(in crate::ui::top) fn model() -> Model {
    let mut model =
        Model::new("db-1".to_owned(), TimeZone::UTC, gdprport_core::top::Filter::default(), String::new());
    for seconds in 0..=4 {
        model.take(Update::Answer(Box::new(answer(seconds))), at(seconds));
    }
    model
}

pub(in crate::ui::top) fn keys(model: &mut Model, codes: &[KeyCode]) -> Vec<Effect> {
    codes.iter().map(|code| press(model, KeyEvent::new(*code, KeyModifiers::NONE), at(5))).collect()
}

pub(in crate::ui::top) fn typed(model: &mut Model, text: &str) {
    text.chars().for_each(|c| drop(keys(model, &[KeyCode::Char(c)])));
}

fn control(model: &mut Model, c: char) -> Effect {
    press(model, KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), at(5))
}

#[test]
fn violations_are_the_first_rows() {
    let ranks: Vec<Rank> = model().rows().iter().map(Row::rank).collect();
    assert_eq!(ranks[0], Rank::Violation);
    assert!(ranks.is_sorted_by(|a, b| a >= b), "{ranks:?}");
}

#[test]
fn rates_are_known_from_the_second_answer_on() {
    let mut model = Model::new(String::new(), TimeZone::UTC, "".parse().expect("a filter"), String::new());
    model.take(Update::Answer(Box::new(answer(0))), at(0));
    assert_eq!(model.ports()[0].began, None);
    let model = self::model();
    let port = model.ports()[0];
    assert_eq!(port.began.map(Tenths::text).as_deref(), Some("12"));
    assert_eq!(port.bytes.map(Tenths::whole), Some(1_300_000));
}

/// Another daemon counts from zero: that is no rate below nothing, and no burst.
#[test]
fn a_daemon_that_was_restarted_has_no_rate_at_first() {
    let mut model = model();
    let mut again = answer(1);
    again.at_ms = 9_000;
    again.status.status.started += SignedDuration::from_secs(300_000);
    model.take(Update::Answer(Box::new(again)), at(9));
    assert_eq!(model.ports()[0].began, None);
}

#[test]
fn a_selection_follows_its_row_and_enter_opens_it() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Down, KeyCode::Down]);
    let rows = model.rows();
    let selected = rows[2].key();
    assert_eq!(rows[model.selected(&rows)].key(), selected);
    keys(&mut model, &[KeyCode::Char('o'), KeyCode::Char('O')]);
    let rows = model.rows();
    assert_eq!(rows[model.selected(&rows)].key(), selected, "in another order it is still selected");
    keys(&mut model, &[KeyCode::Enter]);
    assert!(matches!(&model.place().view, View::Flow(row) if row.key() == selected));
    assert_eq!(model.wanted().flow.map(|flow| flow.key), Some(selected));
    keys(&mut model, &[KeyCode::Esc]);
    assert!(matches!(model.place().view, View::Overview(Pane::Groups)));
    assert_eq!(model.wanted().flow, None);
}

#[test]
fn a_port_opens_its_groups_and_only_they_are_asked_for() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Tab, KeyCode::Enter]);
    assert!(matches!(&model.place().view, View::Port(name) if &**name == "customers-db"));
    assert_eq!(model.wanted().groups.port.as_deref(), Some("customers-db"));
    keys(&mut model, &[KeyCode::Esc]);
    assert_eq!(model.wanted().groups.port, None);
}

#[test]
fn a_selection_goes_by_pages_and_to_the_ends() {
    let mut model = model();
    model.page = 4;
    let place = |model: &Model| model.selected(&model.rows());
    for (code, to) in [
        (KeyCode::PageDown, 4),
        (KeyCode::End, 8),
        (KeyCode::PageDown, 8),
        (KeyCode::PageUp, 4),
        (KeyCode::Home, 0),
        (KeyCode::Up, 0),
        (KeyCode::Char('j'), 1),
        (KeyCode::Char('G'), 8),
    ] {
        keys(&mut model, &[code]);
        assert_eq!(place(&model), to, "{code:?}");
    }
}

#[test]
fn a_filter_applies_while_it_is_typed_and_a_mistake_does_not() {
    let mut model = model();
    let all = model.rows().len();
    keys(&mut model, &[KeyCode::Char('/')]);
    typed(&mut model, "verdict:violation");
    let violations = model.rows().len();
    assert!(violations > 0 && violations < all);
    typed(&mut model, " prot:5432");
    let typing = model.typing.as_ref().expect("it is typed");
    assert_eq!(typing.error.as_ref().map(|error| error.at), Some(18));
    // Without the colon it was a free word.
    assert_eq!(model.filter_text, "verdict:violation prot", "what was right last still applies");
    keys(&mut model, &[KeyCode::Enter]);
    assert!(model.typing.is_some(), "a mistake is not taken");
    control(&mut model, 'w');
    keys(&mut model, &[KeyCode::Enter]);
    assert!(model.typing.is_none());
    assert_eq!(model.filter_text.trim(), "verdict:violation");
    // A letter is a key again.
    assert_eq!(keys(&mut model, &[KeyCode::Char('q')]), [Effect::Quit]);
}

#[test]
fn escape_takes_the_filter_before_and_then_none() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('/')]);
    typed(&mut model, "psql");
    keys(&mut model, &[KeyCode::Enter, KeyCode::Char('/')]);
    typed(&mut model, " dir:in");
    keys(&mut model, &[KeyCode::Esc]);
    assert_eq!(model.filter_text, "psql");
    keys(&mut model, &[KeyCode::Esc]);
    assert!(model.filter.is_empty());
}

#[test]
fn a_line_is_edited_where_the_cursor_is() {
    let mut line = Input::of("port:5432 psql");
    line.remove_word();
    assert_eq!(line.text(), "port:5432 ");
    line.go(-1);
    line.backspace();
    line.insert('3');
    assert_eq!((line.text().as_str(), line.cursor()), ("port:5433 ", 9));
    line.go(isize::MIN);
    line.delete();
    assert_eq!(line.text(), "ort:5433 ");
    line.go(isize::MAX);
    line.clear();
    line.backspace();
    line.insert('\u{1b}');
    assert_eq!(line.text(), "");
}

#[test]
fn what_is_paused_stands_while_time_goes_on() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('p')]);
    let before = model.picture.as_ref().map(|picture| picture.at);
    model.take(Update::Answer(Box::new(answer(60))), at(60));
    assert_eq!(model.picture.as_ref().map(|picture| picture.at), before);
    keys(&mut model, &[KeyCode::Char('p')]);
    model.take(Update::Answer(Box::new(answer(61))), at(61));
    assert_eq!(model.picture.as_ref().map(|picture| picture.at), Some(at(61)));
}

#[test]
fn what_was_shown_stays_when_nobody_answers() {
    let mut model = model();
    let rows = model.rows().len();
    model.take(Update::Failed("no daemon answers".to_owned()), at(7));
    model.take(Update::Failed("no daemon answers".to_owned()), at(8));
    assert_eq!(model.rows().len(), rows);
    assert_eq!(model.stale(), Some((Some(at(4)), "no daemon answers")));
    assert_eq!(model.failure.as_ref().map(|(since, _)| *since), Some(at(7)));
    model.take(Update::Answer(Box::new(answer(9))), at(9));
    assert_eq!(model.stale(), None);
}

#[test]
fn pages_over_others_close_again() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('?')]);
    assert!(matches!(model.place().view, View::Help));
    keys(&mut model, &[KeyCode::Char('c')]);
    assert!(matches!(model.place().view, View::Coverage));
    keys(&mut model, &[KeyCode::Char('c')]);
    assert_eq!(model.places.len(), 1);
}

#[test]
fn control_keys_end_suspend_and_redraw() {
    let mut model = model();
    for (c, effect) in
        [('c', Effect::Quit), ('z', Effect::Suspend), ('l', Effect::Redraw), ('x', Effect::Nothing)]
    {
        assert_eq!(control(&mut model, c), effect);
    }
    keys(&mut model, &[KeyCode::Char('/')]);
    assert_eq!(control(&mut model, 'c'), Effect::Quit, "also while something is typed");
}

#[test]
fn what_is_saved_is_what_is_shown() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('/')]);
    typed(&mut model, "verdict:undecided");
    model.take(Update::Failed("it stopped".to_owned()), at(9));
    let json = saved(&model, at(10)).expect("something is shown");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["schema"], "gdprport.top/1");
    assert_eq!(json["as_of"], "2026-11-23T13:24:09Z");
    assert_eq!(json["not_connected"], "it stopped");
    assert_eq!(json["filter"], "verdict:undecided");
    let groups = json["groups"].as_array().expect("a list");
    assert_eq!(groups.len(), model.rows().len());
    assert!(groups.iter().all(|group| group["verdict"]["outcome"] == "undecided"), "{groups:?}");
    assert_eq!(json["ports"][0]["connections_per_10s"], 120);
    let empty = Model::new(String::new(), TimeZone::UTC, "".parse().expect("a filter"), String::new());
    assert_eq!(saved(&empty, at(0)), None);
}
