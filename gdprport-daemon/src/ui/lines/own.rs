//! Lines about the daemon itself: its start, its books, its policy. Lines about the traffic are `lines`'.

use super::super::format::counted;
use super::paint::{Piece, list};
use super::{BAD, BOLD, GOOD, PLAIN, UNSURE};
use gdprport_core::event::{Bound, CoverageEvent, DaemonStart, PolicyEvent};

pub(super) fn coverage(event: &CoverageEvent) -> Vec<Piece> {
    let books = &event.coverage;
    let of = event.port.as_ref().map_or("all ports", |port| &port.name);
    let mut pieces = vec![
        (BOLD, of.to_owned()),
        (
            PLAIN,
            format!(
                " · {} received, {} delivered, {} suppressed, ",
                books.received, books.delivered, books.suppressed
            ),
        ),
    ];
    // A gap that was counted is among what was lost.
    let uncounted = books.gaps.iter().filter_map(|gap| match gap.bound? {
        Bound::AtLeast => Some(format!("not all seen since {} ({})", clock(gap.from), gap.reason)),
        Bound::AtMost => Some(format!("at most {} {}", gap.lost, gap.reason)),
    });
    let uncounted: Vec<String> = uncounted.collect();
    if !uncounted.is_empty() {
        pieces.push((UNSURE, format!("{}, ", list(uncounted))));
    }
    if books.lost() == 0 {
        pieces.push((GOOD, "none lost".to_owned()));
        return pieces;
    }
    let kernel = books.kernel.iter().flat_map(|kernel| &kernel.dropped).map(|(why, n)| format!("{n} {why}"));
    let own = books.dropped.iter().map(|(why, n)| format!("{n} {why}"));
    let evicted = [(books.evicted, "flow-table-full"), (books.evicted_listeners, "listener-table-full")];
    let evicted = evicted.into_iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}"));
    let sinks = books
        .sinks
        .iter()
        .flat_map(|sink| sink.dropped.iter().map(move |(why, n)| format!("{n} {why} ({})", sink.name)));
    pieces.push((BAD, format!("{} LOST", books.lost())));
    pieces.push((PLAIN, format!(": {}", list(kernel.chain(own).chain(evicted).chain(sinks)))));
    pieces
}

pub(super) fn policy(event: &PolicyEvent) -> Vec<Piece> {
    let policy = &event.policy;
    if policy.files.is_empty() {
        return vec![(UNSURE, "built-in catalog".to_owned())];
    }
    let (ports, rules) = (counted(policy.ports.into(), "port"), counted(policy.rules.into(), "rule"));
    let mut pieces = vec![(PLAIN, format!("{ports}, {rules} from {}", list(&policy.files)))];
    if !policy.warnings.is_empty() {
        let warnings = counted(policy.warnings.len() as u64, "warning");
        pieces.push((UNSURE, format!(" · {warnings}: see `gdprport policy check`")));
    }
    pieces
}

pub(super) fn start(event: &DaemonStart) -> Vec<Piece> {
    let daemon = &event.daemon;
    let missing: Vec<&str> =
        daemon.hooks.iter().filter(|hook| !hook.attached).map(|hook| &*hook.name).collect();
    let in_use = daemon.hooks.len() - missing.len();
    let mut pieces = vec![(
        PLAIN,
        format!("watching with {in_use} of {} hooks on Linux {}", daemon.hooks.len(), daemon.kernel),
    )];
    if daemon.previous.as_ref().is_some_and(|previous| previous.adopted) {
        pieces.push((PLAIN, " · where the daemon before ended".to_owned()));
    }
    if !missing.is_empty() {
        pieces.push((UNSURE, format!(" · without {}", list(missing))));
    }
    if event.policy.is_none() {
        pieces.push((UNSURE, " · no policy: the catalog applies".to_owned()));
    }
    pieces
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}
