//! Any numbers at all: nothing panics, and what is said holds.

use proptest::prelude::*;

use crate::anomaly::{Hour, Judgement, Moved, Rule, Watched, judge};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_series_is_judged_and_what_is_found_holds(
        hours in prop::collection::vec((-10_i64..1_000, prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0_u64..5_000]), 0..1_200),
        watched in prop::collection::vec(any::<bool>(), 1_000),
        far in any::<i64>(),
    ) {
        let end = Hour::of_1970(900);
        let whole = watched.iter().zip(0..).filter(|(whole, _)| **whole).map(|(_, hour)| Hour::of_1970(hour));
        let whole = whole.chain([Hour::of_1970(far)]);
        let watched = Watched::new(whole.collect::<Vec<_>>(), end);
        let amounts = hours.iter().map(|(hour, amount)| (Hour::of_1970(*hour), *amount)).chain([(Hour::of_1970(far), 9)]);
        let moved = Moved::new(amounts.collect::<Vec<_>>(), end);
        let begin = watched.first();
        let Judgement::Judged(episodes) = judge(&Rule::DEFAULT, &watched, begin, &[(&moved, 7)], Hour::of_1970(0)) else {
            return Ok(());
        };
        for episode in &episodes {
            prop_assert_eq!(episode.unusual[0].hour, episode.begin);
            for unusual in &episode.unusual {
                let compared = &unusual.comparison;
                prop_assert!(unusual.hour < end && unusual.hour >= begin.plus(Rule::DEFAULT.learning));
                prop_assert_eq!(compared.amount, moved.at(unusual.hour));
                prop_assert!(compared.amount >= compared.limit && compared.limit >= 7);
                prop_assert!(compared.least <= compared.median && compared.median <= compared.most);
                prop_assert!(compared.most <= compared.record && compared.samples >= 4);
            }
        }
        let apart = |pair: &[crate::anomaly::Episode]| pair[1].begin.since(pair[0].begin) >= 24;
        prop_assert!(episodes.windows(2).all(apart));
    }
}
