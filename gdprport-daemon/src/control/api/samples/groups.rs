//! The same flows, with others like them, as groups.

use std::collections::BTreeMap;

use gdprport_core::model::PostureState;
use gdprport_core::shared::Shared;
use gdprport_core::top::{FlowGroup, FlowGroups, GroupId, GroupPeer, Rank, Standings};
use gdprport_core::verdict::Verdict;

use super::super::{FlowRow, GroupsReply, VerdictOutcome};
use super::at;
use super::flows;

fn verdict(row: &FlowRow) -> Verdict {
    let of = row.verdict.clone();
    match of.outcome {
        VerdictOutcome::Declared => Verdict::Declared { rule: of.rule.unwrap_or_default() },
        VerdictOutcome::Violation => Verdict::Violation { reasons: of.reasons, nearest: of.nearest },
        VerdictOutcome::Undecided => Verdict::Undecided { missing: of.missing, nearest: of.nearest },
    }
}

fn group((index, row): (usize, FlowRow)) -> FlowGroup {
    let flows = [204, 3, 1, 2, 1, 1, 1, 1, 1][index % 9];
    let verdict = verdict(&row);
    let mut standings = Standings::default();
    (0..flows).for_each(|_| standings.count(Rank::of(&verdict, false)));
    let state = row.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
    let unknown = row.process.is_none();
    FlowGroup {
        id: GroupId::new(index as u64 + 1),
        port: row.port,
        direction: row.direction,
        peer: GroupPeer { ip: row.peer.ip, name: (index == 1).then(|| "db.example.net".into()) },
        process: row.process,
        unattributed: unknown
            .then(|| "it was found open, and no process that can be seen holds its socket".into()),
        flows,
        standings,
        posture: BTreeMap::from([(state, flows)]),
        bytes_sent: row.flow.bytes_sent.unwrap_or(0),
        bytes_received: row.flow.bytes_received.unwrap_or(0),
        uncounted: if row.flow.bytes_sent.is_none() { flows } else { 0 },
        oldest: (!unknown).then(|| at("2026-11-23T13:19:59.9Z")),
        sample: row.flow.cookie,
        verdict: Shared::new(verdict),
        accepted: None,
    }
}

pub(crate) fn groups() -> GroupsReply {
    let mut rows: Vec<FlowGroup> = flows().into_iter().enumerate().map(group).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.rank()));
    let groups = FlowGroups {
        flows: rows.iter().map(|row| row.flows).sum(),
        groups: rows.len() as u64,
        beyond: Standings::default(),
        rows,
    };
    GroupsReply { watched: true, privacy: None, groups, members: Vec::new() }
}
