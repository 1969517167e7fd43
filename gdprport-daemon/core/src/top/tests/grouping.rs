//! Sums of open flows.

use foldhash::fast::RandomState;
use proptest::prelude::*;

use super::*;
use crate::top::{GroupId, Standings};

/// Some flows whose parts repeat.
fn any_flows() -> impl Strategy<Value = Vec<Flow>> {
    let one = (0..3_usize, 0..5_u8, 0..4_u32, 0..3_u8, any::<bool>());
    prop::collection::vec(one, 0..200).prop_map(|many| {
        let shared: Vec<_> = (0..3).map(|n| process(n, &format!("/usr/bin/p{n}"), None)).collect();
        let of = |(cookie, (place, host, who, verdict, counted)): (usize, (usize, u8, u32, u8, bool))| {
            let verdict = match verdict {
                0 => declared(),
                1 => violation(),
                _ => Verdict::Undecided { missing: vec!["x".to_owned()], nearest: None },
            };
            let owner = shared.get(who as usize).cloned();
            let mut flow = flow(cookie as u64, place, &format!("10.0.0.{host}"), owner, verdict);
            if !counted {
                (flow.bytes_sent, flow.bytes_received) = (None, None);
            }
            flow
        };
        many.into_iter().enumerate().map(of).collect()
    })
}

proptest! {
    /// Whatever the flows are, in whatever order: each is counted once.
    #[test]
    fn sums_of_groups_are_those_of_the_flows(flows in any_flows()) {
        let ids = RandomState::default();
        let mut grouping = Grouping::new(ids.clone(), None);
        let mut backwards = Grouping::new(ids, None);
        let mut all = Standings::default();
        for flow in &flows {
            prop_assert!(add(&mut grouping, flow));
            all.count(crate::top::Rank::of(&flow.verdict, false));
        }
        flows.iter().rev().for_each(|flow| { add(&mut backwards, flow); });
        let groups = finish(grouping);
        let sum = |of: fn(&crate::top::FlowGroup) -> u64| groups.rows.iter().map(of).sum::<u64>();
        let mut standings = Standings::default();
        groups.rows.iter().for_each(|row| standings.add(&row.standings));
        prop_assert_eq!(standings, all);
        prop_assert_eq!(groups.flows, flows.len() as u64);
        prop_assert_eq!(sum(|row| row.flows), flows.len() as u64);
        prop_assert_eq!(sum(|row| row.posture.values().sum()), flows.len() as u64);
        prop_assert_eq!(sum(|row| row.bytes_sent), flows.iter().filter_map(|flow| flow.bytes_sent).sum::<u64>());
        let uncounted = flows.iter().filter(|flow| flow.bytes_sent.is_none()).count() as u64;
        prop_assert_eq!(sum(|row| row.uncounted), uncounted);
        for row in &groups.rows {
            prop_assert_eq!(row.standings.worst(), Some(row.rank()));
        }
        let ids = |groups: &FlowGroups| groups.rows.iter().map(|row| (row.id, row.flows)).collect::<Vec<_>>();
        prop_assert_eq!(ids(&groups), ids(&finish(backwards)));
    }

    /// A group asked for by its id has the flows that it has among all.
    #[test]
    fn one_group_alone_is_the_same_group(flows in any_flows(), which in 0..50_usize) {
        let ids = RandomState::default();
        let mut all = Grouping::new(ids.clone(), None);
        flows.iter().for_each(|flow| { add(&mut all, flow); });
        let all = finish(all);
        let Some(wanted) = all.rows.get(which) else { return Ok(()) };
        let mut one = Grouping::new(ids, Some(wanted.id));
        let members = flows.iter().filter(|flow| add(&mut one, flow)).count() as u64;
        let one = finish(one);
        prop_assert_eq!(members, wanted.flows);
        prop_assert_eq!(&one.rows[..], std::slice::from_ref(wanted));
    }
}

#[test]
fn a_restarted_program_is_the_same_group() {
    let mut grouping = Grouping::new(RandomState::default(), None);
    for (cookie, pid) in [(3, 7), (5, 9)] {
        let owner = process(pid, "/usr/bin/psql", Some("etl.service"));
        add(&mut grouping, &flow(cookie, 0, "10.0.0.1", Some(owner), declared()));
    }
    let groups = finish(grouping);
    assert_eq!((groups.groups, groups.rows[0].flows), (1, 2));
    assert_eq!(groups.rows[0].oldest.map(jiff::Timestamp::as_second), Some(3));
    assert_eq!(groups.rows[0].sample.0, 3, "the oldest stands for all");
    assert_eq!(groups.rows[0].peer.name.as_deref(), Some("db.example"));
}

#[test]
fn the_worst_flow_stands_for_its_group_and_comes_first() {
    let mut grouping = Grouping::new(RandomState::default(), None);
    let owner = process(7, "/usr/bin/psql", None);
    for cookie in 1..=4 {
        let verdict = if cookie == 3 { violation() } else { declared() };
        add(&mut grouping, &flow(cookie, 0, "10.0.0.1", Some(owner.clone()), verdict));
    }
    for cookie in 5..=20 {
        add(&mut grouping, &flow(cookie, 1, "10.0.0.1", Some(owner.clone()), declared()));
    }
    let groups = finish(grouping);
    assert_eq!(groups.rows[0].sample.0, 3);
    assert_eq!(groups.rows[0].standings, Standings { declared: 3, violations: 1, ..Standings::default() });
    assert_eq!(groups.rows[1].flows, 16);
}

#[test]
fn an_owner_that_is_not_known_is_said_why() {
    let mut grouping = Grouping::new(RandomState::default(), None);
    let mut found = flow(1, 0, "10.0.0.1", None, declared());
    (found.found, found.opened_ns) = (true, None);
    add(&mut grouping, &found);
    let groups = finish(grouping);
    let why = groups.rows[0].unattributed.as_deref();
    assert_eq!(why, Some("it was found open, and no process that can be seen holds its socket"));
    assert_eq!(groups.rows[0].oldest, None, "it is older than the daemon");
}

/// What finds no room is counted, and strangers have room of their own.
#[test]
fn a_crowd_of_peers_does_not_hide_a_stranger() {
    let mut grouping = Grouping::new(RandomState::default(), None);
    let owner = process(7, "/usr/bin/psql", None);
    let crowd = 10_000_u64;
    for n in 0..crowd {
        let peer = format!("10.1.{}.{}", n / 250, n % 250);
        add(&mut grouping, &flow(n, 0, &peer, Some(owner.clone()), declared()));
    }
    // Of a group that found no room, one that becomes a stranger.
    let late = format!("10.1.{}.{}", (crowd - 1) / 250, (crowd - 1) % 250);
    add(&mut grouping, &flow(crowd, 0, &late, Some(owner), violation()));
    let groups = finish(grouping);
    assert_eq!(groups.flows, crowd + 1);
    assert_eq!(groups.rows[0].sample.0, crowd);
    assert_eq!(groups.beyond.declared, crowd - 8_192);
    assert_eq!(groups.groups, 8_193);
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let mut grouping = Grouping::new(RandomState::default(), None);
    add(&mut grouping, &flow(1, 0, "10.0.0.1", Some(process(7, "/usr/bin/psql", None)), violation()));
    let groups = finish(grouping);
    let json = serde_json::to_string(&groups).expect("plain data");
    assert_eq!(serde_json::from_str::<FlowGroups>(&json).expect("own output"), groups);
    let id = groups.rows[0].id;
    assert_eq!(id.to_string().parse::<GroupId>(), Ok(id));
}
