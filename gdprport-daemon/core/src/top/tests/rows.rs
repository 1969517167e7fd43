//! Rows and their order.

use foldhash::fast::RandomState;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::top::{Ended, Rank, Row, Sort, merge};

fn rows(flows: &[Flow]) -> Vec<Row> {
    let mut grouping = Grouping::new(RandomState::default(), None);
    flows.iter().for_each(|flow| {
        add(&mut grouping, flow);
    });
    merge(&finish(grouping).rows, &Ended::default(), Timestamp::MIN)
}

fn sample() -> Vec<Row> {
    let owner = |name: &str| Some(process(7, &format!("/usr/bin/{name}"), None));
    let mut many: Vec<Flow> = (1..=3).map(|n| flow(n, 0, "10.0.0.9", owner("psql"), declared())).collect();
    many.push(flow(9, 0, "10.0.0.2", owner("Zabbix"), violation()));
    many.push(flow(4, 0, "10.0.0.5", None, Verdict::Undecided { missing: vec!["x".into()], nearest: None }));
    many.push(flow(5, 0, "10.0.0.10", owner("bash"), declared()));
    many[3].bytes_sent = Some(4_000);
    rows(&many)
}

#[test]
fn each_order_begins_with_what_it_is_named_for() {
    for (sort, peers) in [
        (Sort::Verdict, ["10.0.0.2", "10.0.0.5", "10.0.0.9", "10.0.0.10"]),
        (Sort::Flows, ["10.0.0.9", "10.0.0.2", "10.0.0.5", "10.0.0.10"]),
        (Sort::Bytes, ["10.0.0.2", "10.0.0.9", "10.0.0.5", "10.0.0.10"]),
        (Sort::Age, ["10.0.0.9", "10.0.0.5", "10.0.0.10", "10.0.0.2"]),
        (Sort::Peer, ["10.0.0.2", "10.0.0.5", "10.0.0.9", "10.0.0.10"]),
        (Sort::Process, ["10.0.0.10", "10.0.0.9", "10.0.0.2", "10.0.0.5"]),
    ] {
        let mut rows = sample();
        sort.order(&mut rows, false);
        let order: Vec<String> = rows.iter().map(|row| row.group.peer.ip.to_string()).collect();
        assert_eq!(order, peers, "{sort:?}");
    }
}

#[test]
fn every_order_follows_another() {
    let mut sort = Sort::Verdict;
    for _ in Sort::ALL {
        sort = sort.next();
    }
    assert_eq!(sort, Sort::Verdict);
}

proptest! {
    #[test]
    fn an_order_does_not_depend_on_where_rows_stood(
        shift in 0..4_usize, sort in 0..6_usize, reverse in any::<bool>(),
    ) {
        let sort = Sort::ALL[sort];
        let mut one = sample();
        let mut other = one.clone();
        other.rotate_left(shift);
        sort.order(&mut one, reverse);
        sort.order(&mut other, reverse);
        prop_assert_eq!(one, other);
    }
}

#[test]
fn the_rank_of_a_row_is_that_of_its_worst_flow() {
    let mut rows = sample();
    Sort::Verdict.order(&mut rows, false);
    assert_eq!(rows[0].rank(), Rank::Violation);
}
