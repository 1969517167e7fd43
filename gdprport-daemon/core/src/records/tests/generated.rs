//! Rows at random: whichever way they are added up, the sums are the same.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn rows() -> impl Strategy<Value = Vec<(i64, Edge)>> {
    let port =
        select(vec![("db", 5432, true), ("db", 5433, true), ("mail", 25, true), ("redis", 6379, false)]);
    let peer = select(vec!["10.0.2.7/32", "10.0.2.0/24", "198.51.100.7/32", "100::7/128", "::1/128"]);
    let verdict = select(vec![by("apps"), by("reports"), by("of-an-older-policy"), violation(), undecided()]);
    let state = select(vec![
        PostureState::Tls13,
        PostureState::Plaintext,
        PostureState::Unknown,
        PostureState::NoData,
    ]);
    let counts = (0..9_u64, 0..9_u64, 0..9_u64, 0..3_u64, 0..999_u64, 0..9_u64);
    let row = (port, peer, verdict, state, counts, any::<bool>(), 1..28_i8).prop_map(
        |(port, peer, verdict, state, (flows, opened, closed, failed, bytes, moved), out, day)| {
            let mut edge = edge(port, peer, verdict, state);
            if out {
                edge.key.direction = Direction::Out;
                edge.key.identity = Arc::new(Identity::UNKNOWN);
            }
            let (opened, moved) = (opened.min(flows), moved.min(flows));
            edge.counts =
                Counts { flows, moved, opened, closed, failed, bytes_sent: bytes, bytes_received: bytes / 2 };
            edge.day = jiff::civil::date(2026, 11, day);
            edge
        },
    );
    vec(row, 0..24).prop_map(numbered)
}

fn sum<'v>(volumes: impl Iterator<Item = &'v Volume>) -> Volume {
    let mut sum = Volume::default();
    volumes.for_each(|volume| sum.add(volume));
    sum
}

proptest! {
    #[test]
    fn every_row_is_in_one_place_and_every_sum_the_same(rows in rows()) {
        let observed = observed();
        let records = gathered(&observed, &rows);
        prop_assert_eq!(&records, &gathered(&observed, &rows), "the same from the same");
        let mut of_activities: Vec<i64> = Vec::new();
        for activity in records.activities.iter().chain(&records.undeclared) {
            let Some(seen) = &activity.seen else { continue };
            let Seen { all, counterparts, processes, shares, outcomes } = seen;
            of_activities.extend(&all.rows.0);
            let mine = rows.iter().filter(|(_, edge)| {
                *edge.key.port.name == *activity.name && edge.key.port.declared == activity.is_declared
            });
            let numbers: Vec<i64> = mine.clone().map(|(number, _)| *number).collect();
            prop_assert_eq!(&all.rows.0, &numbers);
            let flows: u64 = mine.clone().map(|(_, edge)| edge.counts.standing()).sum();
            let bytes: u64 = mine.map(|(_, edge)| edge.counts.bytes_sent + edge.counts.bytes_received).sum();
            prop_assert_eq!((all.volume.flows, all.volume.bytes()), (flows, bytes));
            prop_assert_eq!(sum(counterparts.iter().map(|other| &other.used.volume)), all.volume);
            prop_assert_eq!(sum(processes.iter().map(|process| &process.used.volume)), all.volume);
            prop_assert_eq!(shares.0.iter().map(|posed| posed.flows).sum::<u64>(), flows);
            prop_assert_eq!(shares.0.iter().map(|posed| posed.bytes).sum::<u64>(), bytes);
            prop_assert_eq!(outcomes.declared + outcomes.violation + outcomes.undecided, flows);
            let days = &activity.timeline.days;
            prop_assert_eq!(sum(days.iter().map(|day| &day.volume)), all.volume);
            prop_assert_eq!(days.iter().map(|day| day.outcomes.violation).sum::<u64>(), outcomes.violation);
            prop_assert_eq!(days.iter().filter(|day| !day.rows.0.is_empty()).count(), all.days as usize);
            let once = |of: Vec<i64>| { let mut of = of; of.sort_unstable(); of };
            let counterparts = counterparts.iter().flat_map(|other| other.used.rows.0.clone()).collect();
            prop_assert_eq!(&once(counterparts), &numbers);
            let processes = processes.iter().flat_map(|process| process.used.rows.0.clone()).collect();
            prop_assert_eq!(&once(processes), &numbers);
            let of_days = days.iter().flat_map(|day| day.rows.0.clone()).collect();
            prop_assert_eq!(&once(of_days), &numbers);
            let shares = shares.0.iter().flat_map(|posed| posed.rows.0.clone()).collect();
            prop_assert_eq!(&once(shares), &numbers);
        }
        of_activities.sort_unstable();
        prop_assert_eq!(of_activities, rows.iter().map(|(number, _)| *number).collect::<Vec<_>>());
    }

    /// Rows come in the order of their numbers; no other order changes anything.
    #[test]
    fn the_order_of_rows_changes_no_sum(rows in rows()) {
        let observed = observed();
        let mut turned = rows.clone();
        turned.reverse();
        prop_assert_eq!(gathered(&observed, &rows), gathered(&observed, &turned));
    }
}
