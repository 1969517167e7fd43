//! Rates over restarts, pauses and counters that fall.

use proptest::prelude::*;

use crate::top::{Counts, Rates, Tenths, sparkline};

fn counts(began: u64) -> Counts {
    Counts { began, bytes: began * 100, violations: 0 }
}

const BEGAN: fn(&Counts) -> u64 = |counts| counts.began;

#[test]
fn nothing_is_known_before_the_second_reading() {
    let mut rates = Rates::default();
    assert_eq!(rates.per_second(5_000, BEGAN), None);
    rates.read(1, 0, counts(1_000_000));
    assert_eq!(rates.per_second(5_000, BEGAN), None, "a first count is no rate");
    rates.read(1, 1_000, counts(1_000_010));
    assert_eq!(rates.per_second(5_000, BEGAN), Some(Tenths(100)));
}

#[test]
fn a_rate_is_an_average_over_its_window() {
    let mut rates = Rates::default();
    for second in 0..=60 {
        rates.read(1, second * 1_000, counts(if second > 55 { 600 } else { 0 }));
    }
    assert_eq!(rates.per_second(60_000, BEGAN), Some(Tenths(100)));
    assert_eq!(rates.per_second(5_000, BEGAN), Some(Tenths(1_200)));
    assert_eq!(rates.per_second(60_000, |counts| counts.bytes), Some(Tenths(10_000)));
}

/// What a new daemon counts from zero is neither a fall nor a burst.
#[test]
fn a_restart_begins_anew() {
    let mut rates = Rates::default();
    rates.read(1, 0, counts(50_000));
    rates.read(1, 1_000, counts(50_100));
    for (run, began) in [(2, 60_000), (2, 60_003)] {
        rates.read(run, if began == 60_000 { 2_000 } else { 3_000 }, counts(began));
    }
    assert_eq!(rates.per_second(60_000, BEGAN), Some(Tenths(30)));
    rates.read(2, 4_000, counts(7));
    assert_eq!(rates.per_second(60_000, BEGAN), None, "it fell: another daemon with the same begin");
}

#[test]
fn bytes_that_fall_have_no_rate() {
    let mut rates = Rates::default();
    rates.read(1, 0, Counts { bytes: 100, ..counts(1) });
    rates.read(1, 1_000, Counts { bytes: 90, ..counts(2) });
    assert_eq!(rates.per_second(60_000, |counts| counts.bytes), None);
    assert_eq!(rates.per_second(60_000, BEGAN), Some(Tenths(10)));
}

#[test]
fn readings_far_apart_still_make_a_rate() {
    let mut rates = Rates::default();
    rates.read(1, 0, counts(0));
    rates.read(1, 30_000, counts(300));
    assert_eq!(rates.per_second(5_000, BEGAN), Some(Tenths(100)));
}

#[test]
fn what_happened_is_never_shown_as_nothing() {
    let mut rates = Rates::default();
    rates.read(1, 0, counts(0));
    rates.read(1, 60_000, counts(1));
    assert_eq!(rates.per_second(60_000, BEGAN).map(Tenths::text).as_deref(), Some("0.1"));
    let shown = [0, 3, 99, 100, 12_049].map(|tenths| Tenths(tenths).text());
    assert_eq!(shown, ["0", "0.3", "9.9", "10", "1,204"]);
}

#[test]
fn a_day_is_a_line() {
    assert_eq!(sparkline(&[Some(0), Some(1), Some(50), Some(100), None]), "▁▂▅█·");
    assert_eq!(sparkline(&[Some(0), Some(0)]), "▁▁");
    assert_eq!(sparkline(&[Some(u64::MAX), Some(1)]), "█▂");
    assert_eq!(sparkline(&[]), "");
}

proptest! {
    /// Whatever is read, at whatever times: no panic, and never more than came in the time.
    #[test]
    fn any_readings_make_no_more_than_there_was(
        readings in prop::collection::vec((0..3_i64, 0..100_000_u64, 0..1_000_u64), 0..300),
        window in 0..100_000_u64,
    ) {
        let mut rates = Rates::default();
        for (run, at_ms, began) in readings {
            rates.read(run, at_ms, counts(began));
            if let Some(Tenths(tenths)) = rates.per_second(window, BEGAN) {
                prop_assert!(tenths <= 1_000 * 20, "{} in half a second", tenths);
            }
        }
    }

    #[test]
    fn any_values_take_one_character_each(values in prop::collection::vec(any::<Option<u64>>(), 0..100)) {
        prop_assert_eq!(sparkline(&values).chars().count(), values.len());
    }
}
