//! The daemon's status: one line of health, then the facts behind it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::coverage::coverage;
use super::doctor::hooks;
use super::format::{bytes, counted, counts, duration, moment, shares};
use super::ledger::ledger;
use super::screen::Screen;
use super::spool::spool;
use super::status_enforcement::enforcement;
use super::status_evidence::evidence;
use super::status_policy::policy;
use super::table::{Cell, Column, fact, table, tied_items, title, wrap};
use super::tone::Tone;
use super::volumes::volumes;
use crate::control::api::{Health, HealthState, Pins, PolicySource, PortStatus, SinkStatus, StatusReply};
use gdprport_core::counters::ContainerCounters;
use gdprport_core::privacy::{Applied, AppliedPeers, AppliedUsers};

const fn ports_columns(source: &PolicySource) -> [Column; 12] {
    let against = match source {
        PolicySource::Files(_) => "VIOLATIONS",
        PolicySource::Catalog => "UNDECLARED",
    };
    [
        Column::elastic("PORT", 12),
        Column::number("NUMBER"),
        Column::text("PROTOCOL").spare(5),
        Column::number("OPEN"),
        Column::number("OPENED"),
        Column::number("CLOSED").spare(6),
        Column::number("FAILED").spare(4),
        Column::number("DECLARED").spare(1),
        Column::number("UNDECIDED").spare(2),
        Column::number(against),
        Column::elastic("ENCRYPTION", 14).spare(3),
        Column::elastic("WHY", 22),
    ]
}

const SINKS: [Column; 6] = [
    Column::elastic("SINK", 36),
    Column::number("RECEIVED").spare(1),
    Column::number("DELIVERED"),
    Column::number("QUEUED").spare(2),
    Column::number("LOST"),
    Column::elastic("LAST ERROR", 15),
];

/// The complete status.
pub(super) fn show(reply: &StatusReply, screen: &Screen) -> String {
    let status = &reply.status;
    let mut text = health(&reply.health, screen);
    let about = format!(
        "gdprport {}, pid {}, up {}, kernel {}, {} resident",
        status.version,
        status.pid,
        duration(status.uptime_s),
        status.kernel.release,
        bytes(status.memory.rss_kib.saturating_mul(1_024)),
    );
    for line in wrap(&about, usize::from(screen.width).saturating_sub(2)) {
        text.push_str(&format!("  {}\n", Tone::Dim.paint(&line)));
    }
    text.push_str(&policy(&status.policy, screen));
    text.push_str(&status.privacy.as_ref().map(privacy).unwrap_or_default());
    text.push_str(&hooks(&status.hooks, screen));
    text.push_str(&status.pins.as_ref().map(|pins| show_pins(pins, screen)).unwrap_or_default());
    text.push_str(&ports(&status.ports, &status.policy.source, screen));
    let decided = fold(status.ports.iter().filter(|port| !port.mode.is_observe()));
    text.push_str(&enforcement(status.enforcement.as_ref(), &decided, screen));
    text.push_str(&volumes(&status.volumes, screen));
    text.push_str(&containers(&status.containers, screen));
    text.push_str(&coverage(status, screen));
    text.push_str(&ledger(&status.ledger, screen));
    text.push_str(&evidence(status.evidence.as_ref(), screen));
    text.push_str(&sinks(&status.sinks, screen));
    text.push_str(&spool(&status.sinks, screen));
    text
}

fn health(health: &Health, screen: &Screen) -> String {
    let tone = match health.state {
        HealthState::Healthy => Tone::Good,
        HealthState::Degraded => Tone::Warn,
        HealthState::Losing => Tone::Bad,
    };
    let state = health.state.as_str();
    let line = match health.reasons.as_slice() {
        [] => state.to_owned(),
        reasons => format!("{state}: {}", reasons.join(", ")),
    };
    let mut text = String::new();
    for (i, line) in wrap(&line, usize::from(screen.width).saturating_sub(2)).iter().enumerate() {
        text.push_str(&format!("{}\n", tone.paint(&format!("{} {line}", if i == 0 { "●" } else { " " }))));
    }
    text
}

/// What stands in flows and events instead of true values.
fn privacy(applied: &Applied) -> String {
    let peers = applied.peers.map(|peers| match peers {
        AppliedPeers::Hmac => "pseudonyms of peers".to_owned(),
        AppliedPeers::Truncated => "truncated addresses of peers".to_owned(),
    });
    let users = applied.users.map(|AppliedUsers::Hmac| "pseudonyms of users".to_owned());
    let key = applied.key.as_ref().map(|key| format!("key {key}"));
    let bits =
        applied.ipv4_bits.zip(applied.ipv6_bits).map(|(ipv4, ipv6)| format!("/{ipv4} and /{ipv6} kept"));
    title("PRIVACY", &[peers, users, key, bits].into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn show_pins(pins: &Pins, screen: &Screen) -> String {
    let mut text =
        title("PINS", &format!("{} stay when the daemon ends", counted(pins.hooks.into(), "hook")));
    text.push_str(&fact("directory", Tone::Plain, &pins.directory, screen.width));
    let noted = pins.noted.map(moment).unwrap_or_default();
    let (tone, before) = match (pins.adopted, &pins.refused) {
        (Some(true), _) => (Tone::Good, format!("taken over from a daemon that was last there {noted}")),
        (Some(false), why) => {
            let why = why.as_deref().unwrap_or("no reason is known");
            (Tone::Warn, format!("not taken over, a gap from {noted}: {why}"))
        }
        (None, _) => (Tone::Plain, "nothing was there".to_owned()),
    };
    text.push_str(&fact("before", tone, &before, screen.width));
    text
}

fn ports(ports: &[PortStatus], source: &PolicySource, screen: &Screen) -> String {
    let declared = ports.iter().filter(|port| port.declared).count();
    let quiet = ports.iter().filter(|port| is_quiet(port)).count();
    let remark = match (declared, ports.len() - declared) {
        (0, 0) => "none is watched".to_owned(),
        (declared, 0) => format!("{declared} watched, all declared"),
        (declared, catalog) => {
            let hidden = if quiet == 0 { String::new() } else { format!(" ({quiet} unused and not shown)") };
            format!("{declared} declared, {catalog} of the catalog{hidden}")
        }
    };
    let mut text = title("PORTS", &format!("TCP only; {remark}"));
    if ports.len() == quiet {
        return text;
    }
    let shown = fold(ports.iter().filter(|port| !is_quiet(port)));
    let rows: Vec<_> = shown
        .iter()
        .map(|(port, last)| {
            let accepted = (port.counters.accepted > 0).then_some(("accepted", port.counters.accepted));
            let reasons = port.counters.violations.iter().map(|(reason, n)| (reason.as_str(), *n));
            let reasons = counts(reasons.chain(accepted));
            let (first, last) = (port.number, *last);
            vec![
                Cell::new(if port.declared { Tone::Plain } else { Tone::Warn }, &port.name),
                Cell::plain(if first == last { first.to_string() } else { format!("{first}-{last}") }),
                Cell::plain(port.protocol.as_deref().unwrap_or("-")),
                Cell::count(Tone::Plain, port.open),
                Cell::count(Tone::Plain, port.counters.opened),
                Cell::count(Tone::Plain, port.counters.closed),
                Cell::count(Tone::Plain, port.counters.failed),
                Cell::count(Tone::Good, port.counters.declared_flows),
                Cell::count(Tone::Warn, port.counters.undecided),
                Cell::count(Tone::Bad, port.counters.violations_total),
                Cell::plain(tied_items(&shares(
                    port.counters.posture.iter().map(|(state, n)| (state.as_str(), *n)),
                ))),
                Cell::plain(tied_items(&reasons)),
            ]
        })
        .collect();
    text.push_str(&indent(&table(&ports_columns(source), &rows, screen.width.saturating_sub(2))));
    text
}

/// The ports, those of one declaration that follow each other as one, with the last number of each. A number that two
/// declarations share parts neither of their ranges.
pub(super) fn fold<'a>(ports: impl Iterator<Item = &'a PortStatus>) -> Vec<(Cow<'a, PortStatus>, u16)> {
    let mut folded: Vec<(Cow<'a, PortStatus>, u16)> = Vec::new();
    let mut latest: HashMap<&str, usize> = HashMap::new();
    for port in ports {
        let before = latest.get(&*port.name).map(|place| &mut folded[*place]);
        match before {
            Some((sum, last)) if port.declared && last.checked_add(1) == Some(port.number) => {
                let sum = sum.to_mut();
                sum.open += port.open;
                sum.counters.add(&port.counters);
                // A range may have the catalog's protocol on one of its numbers.
                if sum.protocol != port.protocol {
                    sum.protocol = None;
                }
                *last = port.number;
            }
            _ => {
                latest.insert(&port.name, folded.len());
                folded.push((Cow::Borrowed(port), port.number));
            }
        }
    }
    folded
}

/// A port of the catalog on which nothing ever happened: there are dozens, and showing them helps nobody.
pub(super) fn is_quiet(port: &PortStatus) -> bool {
    !port.declared
        && port.open + port.counters.opened + port.counters.failed + port.counters.violations_total == 0
}

/// How many containers have names. Nothing on a host on which none was seen.
fn containers(containers: &ContainerCounters, screen: &Screen) -> String {
    let ContainerCounters { looked_up, known, unknown, dropped, stuck, renamed } = *containers;
    if looked_up == 0 {
        return String::new();
    }
    let mut text = title("CONTAINERS", &format!("{known} of {looked_up} have names"));
    for (name, tone, count, what) in [
        ("unknown", Tone::Plain, unknown, "named by no state of a runtime; see `gdprport doctor`"),
        ("dropped", Tone::Bad, dropped, "not looked up: too many waited"),
        ("stuck", Tone::Bad, stuck, "places that do not answer"),
        ("renamed", Tone::Warn, renamed, "whose names have changed since they were first read"),
    ] {
        if count > 0 {
            text.push_str(&fact(name, tone, &format!("{count} {what}"), screen.width));
        }
    }
    text
}

fn sinks(sinks: &[SinkStatus], screen: &Screen) -> String {
    let failing = sinks.iter().filter(|sink| sink.last_error.is_some()).count();
    let remark = match (sinks.len(), failing) {
        (0, _) => "none: events are counted and go nowhere".to_owned(),
        (all, 0) => format!("{all} in use"),
        (all, failing) => format!("{all} in use, {failing} failing"),
    };
    let mut text = title("SINKS", &remark);
    if sinks.is_empty() {
        return text;
    }
    let rows: Vec<_> = sinks
        .iter()
        .map(|sink| {
            let of = &sink.counts;
            vec![
                Cell::plain(&of.name),
                Cell::count(Tone::Plain, of.received),
                Cell::count(Tone::Plain, of.delivered),
                Cell::count(Tone::Plain, of.queued),
                Cell::count(Tone::Bad, of.dropped.values().sum()),
                sink.last_error.as_ref().map_or_else(|| Cell::plain(""), |error| Cell::new(Tone::Bad, error)),
            ]
        })
        .collect();
    text.push_str(&indent(&table(&SINKS, &rows, screen.width.saturating_sub(2))));
    text
}

fn indent(table: &str) -> String {
    table.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::Status;
    use crate::control::api::samples;

    fn shown(status: Status, width: u16) -> String {
        let reply = StatusReply { health: status.health(), status };
        let screen = Screen { width, now: jiff::Timestamp::UNIX_EPOCH };
        let text = anstream::adapter::strip_str(&show(&reply, &screen)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        text
    }

    #[test]
    fn status_with_failures_on_a_narrow_screen() {
        insta::assert_snapshot!(shown(samples::status(), 80));
    }

    #[test]
    fn status_with_failures_on_a_wide_screen() {
        insta::assert_snapshot!(shown(samples::status(), 160));
    }

    #[test]
    fn status_without_failures_leads_with_one_word() {
        let text = shown(samples::healthy(), 120);
        assert_eq!(text.lines().next(), Some("● healthy"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn status_without_a_policy_or_sinks_explains_itself() {
        let mut status = samples::healthy();
        status.policy.source = PolicySource::Catalog;
        status.ports.retain(|port| !port.declared);
        status.sinks.clear();
        insta::assert_snapshot!(shown(status, 120));
    }

    #[test]
    fn a_host_without_watched_ports_is_shown_as_such() {
        let mut status = samples::healthy();
        status.ports.clear();
        assert!(shown(status, 120).contains("\nPORTS  TCP only; none is watched\n"));
    }

    #[test]
    fn a_declared_range_is_one_row_with_its_sums() {
        let mut status = samples::healthy();
        let port = status.ports.remove(0);
        let numbered = |name: &str, number| {
            let mut port = PortStatus { name: name.into(), number, protocol: None, ..port.clone() };
            (port.open, port.counters.opened) = (1, 10);
            port
        };
        status.ports = (9_000..10_000).map(|number| numbered("range", number)).collect();
        // Another declaration shares one of the numbers; a gap begins another row.
        status.ports.insert(501, numbered("shared", 9_500));
        status.ports.extend([numbered("range", 10_001), numbered("range", 10_002)]);
        let text = shown(status, 120);
        let rows: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("  range ") || line.starts_with("  shared "))
            .collect();
        let [first, shared, last] = rows[..] else { panic!("{text}") };
        let cells = |row: &str| row.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(cells(first)[1..5], ["9000-9999", "-", "1,000", "10,000"]);
        assert_eq!(cells(shared)[1..5], ["9500", "-", "1", "10"]);
        assert_eq!(cells(last)[1..5], ["10001-10002", "-", "2", "20"]);
    }

    #[test]
    fn a_loss_a_moment_ago_is_losing_events() {
        let mut status = samples::healthy();
        status.coverage.kernel.dropped = [("ring-full".into(), 12)].into();
        assert!(shown(status, 120).starts_with("● losing events: 12 lost in the kernel (ring-full 12)\n"));
    }
}
