//! The open flows as a table.

use super::container::container;
use super::format::{bytes, duration, process, thousands};
use super::screen::Screen;
use super::table::{Cell, Column, TIE, table_that_says};
use super::tone::Tone;
use crate::control::api::{FlowRow, FlowsReply, VerdictOutcome, VerdictRow};
use gdprport_core::model::{Direction, Endpoint, Nat, PostureState};
use gdprport_core::verdict::Accepted;

/// Screens at least this wide show the peer's port too; it is mostly an ephemeral one.
const WIDE: u16 = 120;

/// Screens at least this wide have a column for units and containers; on others containers stand beside the process.
const WIDER: u16 = 160;

const fn columns(width: u16) -> [Column; 13] {
    [
        Column::text("VERDICT"),
        Column::elastic("PORT", 12),
        Column::text("DIR").spare(1),
        Column::elastic("PEER", 15),
        Column::elastic("PROCESS", 14),
        Column::text("USER").spare(3),
        Column::elastic("UNIT/CONTAINER", if width >= WIDER { 20 } else { 15 }).spare(4),
        Column::elastic("LOCAL", 15).spare(7),
        Column::text("ENCRYPTION").spare(8),
        Column::number("SENT").spare(5),
        Column::number("RECEIVED").spare(6),
        Column::number("AGE").spare(2),
        Column::elastic("WHY", if width >= WIDE { 36 } else { 20 }),
    ]
}

/// The table and how many there are.
pub(super) fn show(reply: &FlowsReply, screen: &Screen) -> String {
    if !reply.watched {
        let text = "this port is not watched: the policy does not declare it and the catalog does not know it; \
                    `gdprport scan` shows what listens, and a `[[port]]` in the policy has it watched";
        return Tone::Warn.paint(text) + "\n";
    }
    let listed = reply.flows.len() as u64;
    if listed == 0 {
        return Tone::Dim.paint("no open flow matches") + "\n";
    }
    let rows: Vec<_> = reply.flows.iter().map(|flow| row(flow, screen)).collect();
    let violations =
        reply.flows.iter().filter(|flow| flow.verdict.outcome == VerdictOutcome::Violation).count();
    let more = if reply.matching > listed {
        format!("{} of {} flows, the oldest; more with --limit", thousands(listed), thousands(reply.matching))
    } else {
        format!("{} {}", thousands(listed), if listed == 1 { "flow" } else { "flows" })
    };
    let accepted = reply.flows.iter().filter(|flow| flow.accepted.is_some()).count();
    let mut remark = format!("{more}, {} in violation", thousands(violations as u64));
    if accepted > 0 {
        remark.push_str(&format!(", {} of them accepted", thousands(accepted as u64)));
    }
    format!(
        "{}\n{}\n",
        table_that_says(&columns(screen.width), &rows, screen.width),
        Tone::Dim.paint(&remark)
    )
}

fn encryption(flow: &FlowRow) -> Cell {
    let state = flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
    let tone = match state {
        PostureState::Tls13 | PostureState::Tls12 | PostureState::StarttlsUpgraded => Tone::Good,
        PostureState::EncryptedOther | PostureState::NoData => Tone::Plain,
        PostureState::WeakTls
        | PostureState::StarttlsRefused
        | PostureState::Plaintext
        | PostureState::Unrecognised => Tone::Warn,
        PostureState::Unknown => Tone::Dim,
    };
    Cell::new(tone, state.as_str())
}

/// The other end as people know it: of an accepted connection that is translated the client itself, and beside it the
/// address that it comes with; of one that was made here the address that was called, and beside it where that leads.
fn peer(flow: &FlowRow, wide: bool) -> String {
    let show = |end: Endpoint| if wide { end.to_string() } else { end.ip.to_string() };
    let behind = flow.flow.nat.as_ref().and_then(Nat::translation).and_then(|nat| nat.peer);
    match (behind, flow.direction) {
        (None, _) => show(flow.peer),
        (Some(client), Direction::In) => format!("{} as {}", show(client), show(flow.peer)),
        (Some(server), Direction::Out) => format!("{} to {}", show(flow.peer), show(server)),
    }
}

fn row(flow: &FlowRow, screen: &Screen) -> Vec<Cell> {
    let owner = flow.process.as_deref();
    let known = |text: Option<&str>| text.map_or_else(|| Cell::new(Tone::Dim, "-"), Cell::plain);
    let unit = owner.and_then(|owner| match &owner.container {
        Some(_) if screen.width < WIDER => Some(String::new()),
        Some(found) => Some(container(found, 80).replace("(name ", &format!("(name{TIE}"))),
        None => owner.unit.as_deref().map(ToOwned::to_owned),
    });
    let program = match owner.and_then(|owner| owner.container.as_ref()) {
        Some(found) if screen.width < WIDER => format!("{} in{TIE}{}", process(owner), container(found, 40)),
        _ => process(owner),
    };
    let user =
        owner.map(|owner| owner.user.as_deref().map_or_else(|| owner.uid.to_string(), ToOwned::to_owned));
    let count = |n: Option<u64>| n.map_or_else(|| Cell::new(Tone::Dim, "-"), |n| Cell::plain(bytes(n)));
    let seconds = screen.now.as_second().saturating_sub(flow.opened.as_second());
    let age = Cell::plain(duration(u64::try_from(seconds).unwrap_or(0)));
    vec![
        Cell::new(tone(flow), flow.verdict.outcome.as_str()),
        Cell::plain(&flow.port.name),
        Cell::plain(flow.direction.as_str()),
        Cell::plain(peer(flow, screen.width >= WIDE)),
        Cell::new(if owner.is_some() { Tone::Plain } else { Tone::Warn }, program),
        known(user.as_deref()),
        known(unit.as_deref()),
        Cell::plain(flow.local.to_string()),
        encryption(flow),
        count(flow.flow.bytes_sent),
        count(flow.flow.bytes_received),
        age,
        Cell::plain(flow.accepted.as_deref().map(accepted).unwrap_or_default() + &why(&flow.verdict)),
    ]
}

/// That the policy accepts a violation, before its reasons.
fn accepted(accepted: &Accepted) -> String {
    format!("accepted until {}: ", accepted.until)
}

const fn tone(flow: &FlowRow) -> Tone {
    match flow.verdict.outcome {
        VerdictOutcome::Declared => Tone::Good,
        VerdictOutcome::Violation if flow.accepted.is_some() => Tone::Warn,
        VerdictOutcome::Violation => Tone::Bad,
        VerdictOutcome::Undecided => Tone::Warn,
    }
}

/// The rule that allows it, or every reason and the nearest rule, or what is missing.
fn why(verdict: &VerdictRow) -> String {
    match (verdict.outcome, &verdict.rule, &verdict.nearest) {
        (VerdictOutcome::Declared, rule, _) => rule.as_deref().unwrap_or_default().to_owned(),
        (VerdictOutcome::Undecided, ..) => verdict.missing.join("; "),
        (VerdictOutcome::Violation, _, nearest) => {
            let reasons =
                verdict.reasons.iter().map(|reason| reason.id.as_str()).collect::<Vec<_>>().join(", ");
            nearest.as_ref().map_or(reasons.clone(), |nearest| {
                format!("{reasons}; nearest {} fails by {}", nearest.role, nearest.failed.join(", "))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::samples;
    use gdprport_core::model::Translation;

    fn shown(width: u16) -> String {
        let reply = FlowsReply { watched: true, matching: 9, privacy: None, flows: samples::flows() };
        let screen = Screen { width, now: "2026-11-23T13:24:05Z".parse().expect("a timestamp") };
        anstream::adapter::strip_str(&show(&reply, &screen)).to_string()
    }

    #[test]
    fn flows_on_a_narrow_screen() {
        insta::assert_snapshot!(shown(80));
    }

    #[test]
    fn flows_on_a_wide_screen() {
        insta::assert_snapshot!(shown(160));
    }

    #[test]
    fn flows_on_a_screen_of_120_columns() {
        insta::assert_snapshot!(shown(120));
    }

    #[test]
    fn no_table_is_wider_than_its_screen() {
        for width in 80..200 {
            let text = shown(width);
            let wide = text.lines().find(|line| line.chars().count() > usize::from(width));
            assert_eq!(wide, None, "{width}: {text}");
        }
    }

    #[test]
    fn a_translated_peer_is_shown_with_both_its_addresses() {
        let mut flow = samples::flows().remove(0);
        let ip = "203.0.113.7".parse().expect("an address");
        let translation = Translation { peer: Some(Endpoint::new(ip, 1)), ..Translation::default() };
        flow.flow.nat = Some(Nat::Translated(Box::new(translation)));
        for (direction, wide, expected) in [
            (Direction::In, false, format!("203.0.113.7 as {}", flow.peer.ip)),
            (Direction::Out, true, format!("{} to 203.0.113.7:1", flow.peer)),
        ] {
            flow.direction = direction;
            assert_eq!(peer(&flow, wide), expected);
        }
    }

    #[test]
    fn an_accepted_violation_is_shown_as_one_and_accepted() {
        let mut flows = samples::flows();
        flows.retain(|flow| flow.verdict.outcome == VerdictOutcome::Violation);
        flows.truncate(1);
        flows[0].accepted = Some(gdprport_core::event::samples::exceptions::accepted());
        let screen = Screen { width: 200, now: "2026-11-23T13:24:05Z".parse().expect("a timestamp") };
        let text = show(&FlowsReply { watched: true, matching: 1, privacy: None, flows }, &screen);
        let text = anstream::adapter::strip_str(&text).to_string();
        for part in ["violation", "accepted until 2027-01-31: ", "1 in violation, 1 of them accepted"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn an_empty_list_is_explained() {
        let screen = Screen { width: 80, now: jiff::Timestamp::UNIX_EPOCH };
        let shown = |watched| {
            let text = show(&FlowsReply { watched, matching: 0, privacy: None, flows: Vec::new() }, &screen);
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(shown(true), "no open flow matches\n");
        assert!(shown(false).starts_with("this port is not watched: "), "{}", shown(false));
    }
}
