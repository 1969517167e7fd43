//! Screens.

use gdprport_core::ledger::{CoverageHours, GapRow, HourlyLedger, PortKey, VolumeHour};
use gdprport_core::model::Direction;
use gdprport_core::policy::{ActivePolicy, DnsNames, Facts, Source, compile};
use gdprport_core::top::{FlowGroup, GroupId};
use jiff::SignedDuration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyCode;
use ratatui::style::{Color, Modifier};

use super::super::model::tests::{answer, at, keys, model, typed};
use super::super::model::{FlowAnswer, History, Model, Update, View};
use super::*;
use crate::control::api::{ExplainReply, ExplainedFlow, FlowRow, samples};

const POLICY: &str = "version = 1
[[port]]
name = \"customers-db\"
port = 5432
[[port.allow]]
role = \"nightly-backup\"
direction = \"out\"
peers = [\"10.0.9.0/28\"]
process = { unit = \"backup.service\" }
[[port.allow]]
role = \"orders-api\"
direction = \"in\"
peers = [\"10.0.2.0/24\"]
";

fn drawn(model: &mut Model, width: u16, height: u16, colour: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a backend that cannot fail");
    terminal.draw(|frame| screen(frame, model, Palette::new(colour), at(5))).expect("it is drawn");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = *buffer.area();
    let line = |y: u16| {
        let symbols: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        symbols.trim_end().to_owned()
    };
    (0..area.height).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn shown(model: &mut Model, width: u16, height: u16) -> String {
    text(&drawn(model, width, height, true))
}

/// A day of the ledger.
fn day(gaps: bool) -> HourlyLedger {
    let port = std::sync::Arc::new(PortKey { name: "customers-db".into(), number: 5_432, declared: true });
    let hours = (0..20_i64).map(|back| at(0) - SignedDuration::from_hours(back));
    let volume = |(n, hour)| VolumeHour {
        hour,
        port: port.clone(),
        direction: Direction::In,
        rule: None,
        flows: [40_000_u64, 41_200, 39_000, 12_000, 900, 0, 0, 4_000][n % 8],
        bytes_sent: 0,
        bytes_received: 0,
    };
    let covered = CoverageHours {
        hour: at(0) - SignedDuration::from_hours(19),
        hours: 20,
        port: port.clone(),
        watched_s: 3_600,
        seen: 0,
        lost: 0,
    };
    let gap =
        GapRow { from: at(-7_200), to: at(-7_198), lost: 12, bound: None, reason: "kernel:ring-full".into() };
    HourlyLedger {
        from: at(-86_400),
        to: at(0),
        volume: hours.enumerate().map(volume).collect(),
        coverage: vec![covered],
        gaps: if gaps { vec![gap] } else { Vec::new() },
    }
}

fn explained(row: &FlowRow) -> ExplainReply {
    let source = Source { name: "policy.toml".to_owned(), text: POLICY.to_owned() };
    let policy = compile(&[source]).expect("a policy");
    let active = ActivePolicy::new(policy, DnsNames::default());
    let facts = Facts {
        direction: row.direction,
        local: row.local,
        peer: row.peer,
        nat: None,
        process: row.process.as_deref(),
        owner_withheld: None,
        posture: row.posture.as_deref(),
        peer_missing: None,
        peer_within: None,
    };
    let explanation = active.explain(&facts, at(0));
    let flow = row.clone();
    ExplainReply { policy: String::new(), flows: vec![ExplainedFlow { flow, explanation }] }
}

/// The worst row is opened, and all about it has come.
fn opened() -> Model {
    let mut model = model();
    model.take(Update::Day(Ok(Box::new(day(false)))), at(5));
    keys(&mut model, &[KeyCode::Enter]);
    let View::Flow(row) = model.place().view.clone() else { panic!("a row is open") };
    let of = samples::flows().into_iter().find(|flow| flow.peer.ip == row.group.peer.ip).expect("its flow");
    let key = row.key();
    model.take(
        Update::Flow(Box::new(FlowAnswer {
            key: key.clone(),
            members: vec![of.clone(), of.clone()],
            explained: explained(&of),
        })),
        at(5),
    );
    let counts = |flows, sent| gdprport_core::ledger::Counts {
        flows,
        bytes_sent: sent,
        ..gdprport_core::ledger::Counts::default()
    };
    let history = History {
        since: at(-14 * 86_400),
        days: vec![
            ("2026-11-23".parse().expect("a day"), counts(41, 91_204)),
            ("2026-11-22".parse().expect("a day"), counts(1_204, 41_300_112)),
        ],
        first: Some(at(-86_400)),
        cut: false,
    };
    model.take(Update::History(Box::new(key), Ok(Box::new(history))), at(5));
    model
}

#[test]
fn the_first_screen_at_80_by_24() {
    let mut model = model();
    model.take(Update::Day(Ok(Box::new(day(false)))), at(5));
    insta::assert_snapshot!(shown(&mut model, 80, 24));
}

#[test]
fn the_first_screen_at_140_by_40() {
    let mut model = model();
    model.take(Update::Day(Ok(Box::new(day(true)))), at(5));
    insta::assert_snapshot!(shown(&mut model, 140, 40));
}

#[test]
fn one_port_at_80_by_24() {
    let mut model = model();
    model.take(Update::Day(Err("the ledger /x: there is none".to_owned())), at(5));
    keys(&mut model, &[KeyCode::Tab, KeyCode::Enter, KeyCode::Down]);
    insta::assert_snapshot!(shown(&mut model, 80, 24));
}

#[test]
fn one_flow_at_80_by_24() {
    insta::assert_snapshot!(shown(&mut opened(), 80, 24));
}

#[test]
fn one_flow_at_140_by_40() {
    insta::assert_snapshot!(shown(&mut opened(), 140, 40));
}

#[test]
fn coverage_with_losses_at_80_by_24() {
    let mut model = model();
    let mut bad = answer(5);
    let status = samples::status();
    bad.status = crate::control::api::StatusReply { health: status.health(), status };
    model.take(Update::Answer(Box::new(bad)), at(5));
    model.take(Update::Day(Ok(Box::new(day(true)))), at(5));
    keys(&mut model, &[KeyCode::Char('c')]);
    insta::assert_snapshot!(shown(&mut model, 80, 24));
}

#[test]
fn help_fits_a_screen_of_80_by_40() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('?')]);
    insta::assert_snapshot!(shown(&mut model, 80, 40));
}

#[test]
fn a_screen_of_old_data_says_so_and_why() {
    let mut model = model();
    let why = "no daemon answers on /run/gdprport/control.sock: start it with `systemctl start gdprport` or `sudo gdprport \
               daemon run`, or name its socket with --socket";
    model.take(Update::Failed(why.to_owned()), at(5));
    let text = shown(&mut model, 80, 24);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("✗ not connected"), "{text}");
    assert!(lines[2].starts_with("as of 13:24:09, not connected: no daemon answers"), "{text}");
    assert!(text.contains("--socket") && text.contains("✗ violation"), "{text}");
}

#[test]
fn a_mistake_in_a_filter_is_said_above_it() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('/')]);
    typed(&mut model, "prot:5432");
    let text = shown(&mut model, 80, 24);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "✗ `prot:` is no key; did you mean `port:`?");
    assert_eq!(lines[23], "filter: prot:5432");
}

#[test]
fn what_is_paused_says_since_when() {
    let mut model = model();
    keys(&mut model, &[KeyCode::Char('p')]);
    assert!(shown(&mut model, 80, 24).contains("‖ paused: as of 13:24:09; p goes on"));
}

/// 50,000 flows in more groups than are listed.
fn crowd() -> Model {
    let mut model = model();
    let mut many = answer(5);
    let groups = &mut many.groups.groups;
    let pool: FlowGroup = groups.rows.iter().find(|row| row.flows == 204).expect("a pool").clone();
    for n in 0..991_u32 {
        let mut group = pool.clone();
        group.id = GroupId::new(u64::from(n) + 100);
        group.peer.ip = std::net::Ipv4Addr::from(0x0a00_0000 + n).into();
        groups.rows.push(group);
    }
    (groups.flows, groups.groups, groups.beyond.declared) = (50_217, 12_300, 4_108);
    many.status.status.ports[0].open = 50_000;
    model.take(Update::Answer(Box::new(many)), at(5));
    model
}

#[test]
fn a_crowd_at_80_by_24() {
    insta::assert_snapshot!(shown(&mut crowd(), 80, 24));
}

#[test]
fn no_size_of_a_terminal_breaks_anything() {
    for (width, height) in [(1, 1), (59, 24), (60, 12), (61, 13), (79, 24), (100, 30), (119, 50), (250, 60)] {
        for mut model in [model(), opened(), crowd()] {
            for code in ['x', 'c', '?', '/'] {
                keys(&mut model, &[KeyCode::Char(code)]);
                drawn(&mut model, width, height, true);
            }
        }
    }
}

/// Names of processes and peers are of whoever chose them.
#[test]
fn nothing_on_the_screen_steers_the_terminal() {
    for mut model in [model(), opened()] {
        let buffer = drawn(&mut model, 140, 40, true);
        let steers = |symbol: &str| symbol.chars().any(gdprport_core::text::is_invisible);
        assert!(buffer.content().iter().all(|cell| !steers(cell.symbol())), "{}", text(&buffer));
    }
}

#[test]
fn there_is_no_background_and_few_colours() {
    for mut model in [model(), opened(), crowd()] {
        let buffer = drawn(&mut model, 140, 40, true);
        for cell in buffer.content() {
            assert_eq!(cell.bg, Color::Reset);
            assert!(
                matches!(cell.fg, Color::Reset | Color::Red | Color::Yellow | Color::Cyan),
                "{:?}",
                cell.fg
            );
        }
    }
}

#[test]
fn without_colours_every_signal_is_still_there() {
    let (mut one, mut other) = (model(), model());
    let (with, without) = (drawn(&mut one, 80, 24, true), drawn(&mut other, 80, 24, false));
    assert_eq!(text(&with), text(&without));
    assert!(without.content().iter().all(|cell| cell.fg == Color::Reset));
    assert!(without.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
}

#[test]
fn what_is_selected_is_one_bar() {
    for mut model in [model(), crowd()] {
        let buffer = drawn(&mut model, 140, 40, true);
        let bar = buffer.content().iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED));
        let cells = bar.inspect(|cell| {
            assert_eq!((cell.fg, cell.modifier), (Color::Reset, Modifier::REVERSED), "{}", text(&buffer));
        });
        assert_eq!(cells.count(), 140);
    }
}

/// Over a slow line only what has changed is sent.
#[test]
fn a_second_in_which_nothing_happens_changes_the_clock_only() {
    let mut model = model();
    let before = drawn(&mut model, 80, 24, true);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a backend that cannot fail");
    terminal.draw(|frame| screen(frame, &mut model, Palette::new(true), at(6))).expect("it is drawn");
    let changed = before.diff(terminal.backend().buffer()).len();
    assert!(changed <= 2, "{changed} cells");
}
