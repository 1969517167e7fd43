//! Rows in words: who, with whom, how encrypted, and why it is judged so.

use gdprport_core::model::{Attribution, PostureState, Process};
use gdprport_core::top::{FlowGroup, Rank, Row};
use gdprport_core::verdict::Verdict;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::super::container::container;
use super::super::super::format::{duration, list, program};

/// Which process it is: its program, and its container or unit. Of one that is not known, why.
pub(super) fn who(group: &FlowGroup) -> String {
    let Some(process) = group.process.as_deref() else {
        let why = group.unattributed.as_deref().unwrap_or("nothing is known of its owner");
        return format!("unattributed: {why}");
    };
    let sure = match process.attribution {
        Attribution::Exact => String::new(),
        other => format!(" ({other})"),
    };
    let within = within(process, 40).map(|within| format!(" in {within}")).unwrap_or_default();
    format!("{}{sure}{within}", program(process))
}

/// The container or the unit of a process.
pub(super) fn within(process: &Process, room: usize) -> Option<String> {
    let found = process.container.as_ref().map(|found| container(found, room));
    found.or_else(|| process.unit.as_deref().map(str::to_owned))
}

/// The other end: its address, and its name if there is room.
pub(super) fn peer(group: &FlowGroup, room: usize) -> String {
    let ip = group.peer.ip.to_string();
    match &group.peer.name {
        Some(name) if ip.len() + name.len() + 3 <= room => format!("{ip} ({name})"),
        _ => ip,
    }
}

/// Why it is judged so, in words.
pub(super) fn why(group: &FlowGroup) -> String {
    match &*group.verdict {
        Verdict::Declared { rule } => format!("by the rule {rule}"),
        Verdict::Undecided { missing, .. } => list(missing),
        Verdict::Violation { reasons, .. } => {
            let words = reasons.iter().map(|reason| reason.detail.as_str()).collect::<Vec<_>>().join("; ");
            match &group.accepted {
                Some(accepted) => format!("accepted until {}: {words}", accepted.until),
                None => words,
            }
        }
    }
}

/// The verdict in one word, with the number of its flows where they have several.
pub(super) fn verdict(row: &Row) -> &'static str {
    row.rank().as_str()
}

/// The worst first.
const ENCRYPTION: [PostureState; 10] = [
    PostureState::Plaintext,
    PostureState::StarttlsRefused,
    PostureState::Unrecognised,
    PostureState::WeakTls,
    PostureState::Unknown,
    PostureState::EncryptedOther,
    PostureState::NoData,
    PostureState::StarttlsUpgraded,
    PostureState::Tls12,
    PostureState::Tls13,
];

/// How it is encrypted: the worst, and how many other ways there are.
pub(super) fn encryption(group: &FlowGroup) -> String {
    let worst = ENCRYPTION.into_iter().find(|state| group.posture.contains_key(state));
    let word = worst.map_or("unknown", PostureState::as_str);
    match group.posture.len() {
        0 | 1 => word.to_owned(),
        kinds => format!("{word} +{}", kinds - 1),
    }
}

/// For how long the oldest is open.
pub(super) fn age(group: &FlowGroup, now: Timestamp) -> String {
    let Some(oldest) = group.oldest else { return "older".to_owned() };
    if group.flows == 0 {
        return "gone".to_owned();
    }
    duration(u64::try_from(now.as_second().saturating_sub(oldest.as_second())).unwrap_or(0))
}

/// A time of day, in this time zone.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%H:%M:%S").to_string()
}

/// A day and a time of day.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Whether a row has a second line: everything but what is simply declared.
pub(super) fn has_reason(row: &Row) -> bool {
    row.rank() > Rank::Declared
}
