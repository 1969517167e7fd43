//! Series that a person can count.

use crate::anomaly::{Bucket, Episode, Hour, Judgement, Moved, Rule, Watched, judge};

const WEEK: i64 = 168;
const LEAST: u64 = 100;

fn at(hour: i64) -> Hour {
    Hour::of_1970(hour)
}

/// Hours from 0 on that were all watched.
struct Line(Vec<u64>);

impl Line {
    fn of(weeks: i64, amount: impl Fn(i64) -> u64) -> Self {
        Self((0..weeks * WEEK).map(amount).collect())
    }

    fn with(mut self, hour: i64, amount: u64) -> Self {
        self.0[usize::try_from(hour).expect("positive")] = amount;
        self
    }

    fn judged_without(&self, unwatched: &[i64]) -> Judgement {
        let end = at(i64::try_from(self.0.len()).expect("few"));
        let hours = || (0..).map(at).zip(self.0.iter().copied());
        let unwatched: Vec<Hour> = unwatched.iter().map(|hour| at(*hour)).collect();
        let whole = hours().map(|(hour, _)| hour).filter(|hour| !unwatched.contains(hour));
        let watched = Watched::new(whole.collect::<Vec<_>>(), end);
        let moved = Moved::new(hours().collect::<Vec<_>>(), end);
        judge(&Rule::DEFAULT, &watched, at(0), &[(&moved, LEAST)], at(0))
    }

    #[track_caller]
    fn episodes(&self) -> Vec<Episode> {
        match self.judged_without(&[]) {
            Judgement::Judged(episodes) => episodes,
            Judgement::Learning(until) => panic!("learning until {until:?}"),
        }
    }
}

#[test]
fn the_same_each_hour_is_compared_with_a_least_deviation() {
    let line = Line::of(10, |_| 1_000);
    assert!(line.episodes().is_empty());
    assert!(Line::of(10, |_| 1_000).with(1_600, 3_400).episodes().is_empty());
    let found = Line::of(10, |_| 1_000).with(1_600, 3_500).episodes();
    let [Episode { begin, unusual }] = &found[..] else { panic!("{found:?}") };
    let compared = &unusual[0].comparison;
    assert_eq!((*begin, compared.bucket, compared.samples), (at(1_600), Bucket::Week, 9));
    assert_eq!((compared.least, compared.median, compared.most), (1_000, 1_000, 1_000));
    // e to the power of 5 × 0.25, of one more.
    assert_eq!(compared.limit, 3_493);
}

#[test]
fn nothing_at_all_is_usual_and_little_stays_so() {
    assert!(Line::of(10, |_| 0).with(1_600, LEAST - 1).episodes().is_empty());
    assert_eq!(Line::of(10, |_| 0).with(1_600, LEAST).episodes().len(), 1);
}

#[test]
fn buckets_fall_back_to_the_hour_of_the_day() {
    let line =
        |hour: i64| Line::of(10, |_| 1_000).with(hour, 9_000).episodes()[0].unusual[0].comparison.bucket;
    assert_eq!(line(4 * WEEK - 1), Bucket::Day);
    assert_eq!(line(4 * WEEK), Bucket::Week);
}

#[test]
fn buckets_fall_back_to_any_hour() {
    // Watched for the first half of each day in the beginning, and one hour of an evening.
    let line = Line::of(4, |_| 1_000).with(4 * WEEK - 1, 9_000);
    let evenings: Vec<i64> = (0..4 * WEEK - 24).filter(|hour| hour % 24 >= 12).collect();
    let Judgement::Judged(found) = line.judged_without(&evenings) else { panic!("learning") };
    assert_eq!(found[0].unusual[0].comparison.bucket, Bucket::All);
}

#[test]
fn too_few_samples_are_learned_and_it_is_known_until_when() {
    assert_eq!(Line::of(2, |_| 1_000).judged_without(&[]), Judgement::Learning(at(3 * WEEK)));
    // Watched for an hour three weeks ago, and since yesterday.
    let off: Vec<i64> = (1..4 * WEEK - 24).collect();
    let Judgement::Learning(until) = Line::of(4, |_| 1_000).judged_without(&off) else { panic!("judged") };
    assert_eq!(until, at(4 * WEEK + 168 - 24));
}

/// The first day is one episode; from then on it has happened before.
#[test]
fn a_level_that_shifts_is_found_once() {
    let found = Line::of(12, |hour| if hour < 1_000 { 1_000 } else { 10_000 }).episodes();
    let [Episode { begin, unusual }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((*begin, unusual.len()), (at(1_000), 24));
}

/// Silence is no evidence of a disclosure, and every holiday is one.
#[test]
fn a_series_that_ends_is_not_found() {
    assert!(Line::of(12, |hour| if hour < 1_000 { 1_000 } else { 0 }).episodes().is_empty());
}

#[test]
fn an_episode_begins_at_the_same_hour_wherever_one_looks_from() {
    let line = Line::of(12, |_| 1_000).with(1_700, 9_000).with(1_702, 9_000).with(1_780, 40_000);
    let end = at(12 * WEEK);
    let watched = Watched::new((0..12 * WEEK).map(at), end);
    let moved = Moved::new((0..).map(at).zip(line.0.iter().copied()).collect::<Vec<_>>(), end);
    let begins = |since: i64| match judge(&Rule::DEFAULT, &watched, at(0), &[(&moved, LEAST)], at(since)) {
        Judgement::Judged(episodes) => episodes.iter().map(|episode| episode.begin).collect::<Vec<_>>(),
        Judgement::Learning(_) => panic!("learning"),
    };
    assert_eq!(begins(0), [at(1_700), at(1_780)]);
    for since in (1_000..1_700).step_by(37) {
        assert_eq!(begins(since), begins(0));
    }
}
