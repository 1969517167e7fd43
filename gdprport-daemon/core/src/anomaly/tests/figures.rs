//! The figures of `docs/anomalies.md`, on ports whose seeds are not those that the thresholds were chosen with.

use super::ports::Added;
use super::score::Score;
use crate::anomaly::Rule;

/// The thresholds were chosen with 1, 2 and 3.
const SEED: u64 = 4_711;
/// Of each kind.
const PORTS: u64 = 10;

#[test]
fn enough_is_found_and_hardly_anything_that_is_none() {
    let score = Score::of(&Rule::DEFAULT, SEED, PORTS);
    println!("{}", score.table());
    // The bound that matters: a finding that is none costs somebody a morning.
    assert!(score.wrong_each_month() < 0.15, "{}", score.table());
    for (kind, (wrong, months)) in &score.wrong {
        assert!(f64::from(*wrong) / months <= 1.0, "{kind:?}: {wrong} in {months} months");
    }
    assert!(score.worst <= 5, "of one port, in five months: {}", score.table());
    assert!(score.precision() > 0.4, "{}", score.table());
    assert!(score.recall(&[Added::Ten, Added::Thirty, Added::Scraping]) > 0.7, "{}", score.table());
    assert!(score.recall(&Added::ALL) > 0.55, "{}", score.table());
}
