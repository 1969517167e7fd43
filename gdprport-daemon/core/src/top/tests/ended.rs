//! Strangers that are gone.

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::event::{Body, Event, FlowEvent, Kind, Violation, samples};
use crate::top::{Ended, Row, merge};

/// An event about a stranger at this peer.
fn about(kind: Kind, peer: &str) -> Event {
    let mut event = samples::event(kind);
    let change = |flow: &mut FlowEvent| {
        flow.flow.peer.ip = peer.parse().expect("an address");
        flow.flow.nat = None;
        flow.flow.direction = Direction::Out;
        flow.process = Some(process(812, "/usr/bin/python3.11", Some("etl.service")));
        flow.port = port(0);
        flow.verdict = Shared::new(violation());
    };
    match &mut event.body {
        Body::FlowOpen(flow) | Body::FlowClose(flow) | Body::FlowFail(flow) => change(flow),
        Body::Violation(violation) => {
            if let Violation::Flow(flow) = &mut **violation {
                change(flow);
            }
        }
        _ => {}
    }
    event
}

fn rows(ended: &Ended) -> Vec<Row> {
    merge(&[], ended, Timestamp::MIN)
}

#[test]
fn each_connection_of_a_stranger_is_counted_once() {
    let mut ended = Ended::default();
    for kind in [Kind::FlowOpen, Kind::Violation, Kind::FlowClose, Kind::FlowOpen, Kind::FlowClose] {
        ended.event(&about(kind, "203.0.113.7"));
    }
    ended.event(&about(Kind::FlowFail, "203.0.113.8"));
    let mut found: Vec<_> =
        rows(&ended).iter().map(|row| (row.group.peer.ip.to_string(), row.ended)).collect();
    found.sort();
    assert_eq!(found, [("203.0.113.7".to_owned(), 2), ("203.0.113.8".to_owned(), 1)]);
}

#[test]
fn what_is_declared_is_no_stranger() {
    let mut ended = Ended::default();
    for kind in Kind::ALL {
        let mut event = samples::event(*kind);
        if let Body::FlowOpen(flow) | Body::FlowClose(flow) | Body::FlowFail(flow) = &mut event.body {
            flow.verdict = Shared::new(declared());
            ended.event(&event);
        }
    }
    assert_eq!(rows(&ended), []);
}

/// Strangers that are open are one row with those of them that ended.
#[test]
fn open_and_ended_connections_of_a_stranger_are_one_row() {
    let mut ended = Ended::default();
    let event = about(Kind::FlowClose, "203.0.113.7");
    ended.event(&event);
    let Body::FlowClose(of) = &event.body else { panic!("it is one") };
    let mut open = flow(1, 0, "203.0.113.7", of.process.clone(), violation());
    open.direction = of.flow.direction;
    let mut grouping = Grouping::new(RandomState::default(), None);
    let member = Member { port: &of.port, peer: open.peer.ip, accepted: None };
    assert!(grouping.add(&open, member, || None));
    let rows = merge(&finish(grouping).rows, &ended, Timestamp::MIN);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].group.flows, rows[0].ended, rows[0].last), (1, 1, Some(event.time)));
}

#[test]
fn strangers_of_long_ago_are_not_shown() {
    let mut ended = Ended::default();
    let event = about(Kind::FlowClose, "203.0.113.7");
    ended.event(&event);
    let later = event.time + SignedDuration::from_secs(1);
    assert_eq!(merge(&[], &ended, later), []);
    assert_eq!(merge(&[], &ended, event.time).len(), 1);
}

#[test]
fn a_scan_takes_bounded_room() {
    let mut ended = Ended::default();
    for n in 0..3_000 {
        ended.event(&about(Kind::FlowFail, &format!("10.3.{}.{}", n / 250, n % 250)));
    }
    assert_eq!(rows(&ended).len(), 1_024);
}
