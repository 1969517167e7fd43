//! What is put into a policy that somebody wrote.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::learn::{Asked, Context, MergeError, Seen, merge};
use crate::ledger::{Counts, Edge, EdgeKey, Identity, Observed, PortKey, PostureKey, VerdictKey};
use crate::model::{Attribution, Direction, PostureState};
use crate::policy::{Outline, Source, difference, outline};
use crate::verdict::ReasonId;

/// A policy means the same as itself. What it lacks can be put in: every line stays, the result is a policy, and it lacks nothing
/// more.
pub fn learned(source: &Source, written: &Outline) {
    assert!(difference(written, written).is_empty(), "a policy differs from itself");
    let number = written.ports.iter().find_map(|port| Some(*port.numbers.first()?.start()));
    let rows = rows(number.unwrap_or(5432));
    let seen = seen(&rows);
    let context = Context { host: "host", at: Timestamp::UNIX_EPOCH, version: "0", next: &[] };
    let asked = Asked { rows: &rows, seen: &seen, include_violations: false, context: &context };
    let merged = |source: &Source| match merge(&asked, source, &[]) {
        Ok(proposal) => Some(proposal.text),
        Err(MergeError::Inline { .. }) => None,
        // With what is missing there may be too much of everything.
        Err(MergeError::Problems(problems)) => {
            assert!(problems.to_string().contains("more than"), "{problems}\n{}", source.text);
            None
        }
    };
    let Some(once) = merged(source) else { return };
    let mut lines = once.lines();
    assert!(source.text.lines().all(|line| lines.any(|other| other == line)), "a line is lost:\n{once}");
    let once = Source { name: source.name.clone(), text: once };
    assert!(outline(std::slice::from_ref(&once)).is_ok(), "it is no policy:\n{}", once.text);
    assert_eq!(merged(&once).as_ref(), Some(&once.text), "the same is proposed again");
}

fn rows(number: u16) -> Vec<(i64, Edge)> {
    let known = |attribution, exe: &str| Identity {
        attribution,
        exe: Some(exe.into()),
        unit: Some("a\"b\\c'.service".into()),
        uid: Some(1000),
        user: Some("alice".into()),
        ..Identity::UNKNOWN
    };
    let exact = || known(Attribution::Exact, "/usr/bin/[a]\u{202e}\n");
    let declared = || VerdictKey::Declared { rule: "r".into() };
    let violation = || VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None };
    let plain = known(Attribution::Exact, "/usr/bin/a");
    let rows = [
        row(number, Direction::In, [10, 0, 2, 7], plain.clone(), declared()),
        row(number, Direction::In, [10, 0, 2, 8], plain.clone(), violation()),
        row(number, Direction::Out, [10, 0, 9, 9], plain.clone(), declared()),
        row(number, Direction::Out, [127, 0, 0, 1], exact(), declared()),
        row(number, Direction::In, [203, 0, 113, 7], Identity::UNKNOWN, declared()),
        row(6379, Direction::Out, [10, 0, 9, 8], known(Attribution::Listener, "/usr/bin/b"), declared()),
        row(6379, Direction::In, [10, 0, 2, 7], plain, violation()),
    ];
    (1..).zip(rows).collect()
}

fn row(number: u16, direction: Direction, peer: [u8; 4], identity: Identity, verdict: VerdictKey) -> Edge {
    let state = PostureState::NoData;
    let key = EdgeKey {
        port: Arc::new(PortKey { name: "p".into(), number, declared: true }),
        direction,
        identity: Arc::new(identity),
        peer: IpAddr::from(peer).into(),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey { state, version: None, cipher: None, certificate_until: None }),
        policy: None,
    };
    let counts = Counts { flows: 1, opened: 1, closed: 1, ..Counts::default() };
    let at = Timestamp::UNIX_EPOCH;
    Edge { day: jiff::civil::date(1970, 1, 1), key, counts, first: at, last: at }
}

fn seen(rows: &[(i64, Edge)]) -> Seen {
    Seen::of_ledger(&Observed {
        from: Timestamp::UNIX_EPOCH,
        to: Timestamp::UNIX_EPOCH,
        edges: rows.iter().map(|(_, edge)| edge.clone()).collect(),
        listeners: Vec::new(),
        coverage: Vec::new(),
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    })
}
