//! Promises of charts.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::records::{
    About, Activity, Capacity, CoverageOf, DayOf, Outcomes, Records, Rows, Timeline, Volume, WatchedHours,
};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn about(asked: Timestamp, from: Timestamp, to: Timestamp) -> About {
    About {
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: to,
        asked,
        from,
        to,
        policy: None,
        pseudonyms: false,
        no_ledger: None,
    }
}

/// A period of so many seconds up to a moment.
fn period(to: Timestamp, seconds: i64) -> About {
    let asked = to.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN);
    about(asked, asked, to)
}

fn activity(timeline: Timeline) -> Activity {
    Activity {
        name: "db".into(),
        is_declared: true,
        numbers: vec![5432..=5432],
        protocol: None,
        site: None,
        tls: crate::policy::TlsDemand::None,
        capacity: Capacity::Controller,
        declared: None,
        rules: Vec::new(),
        seen: None,
        coverage: CoverageOf::default(),
        timeline,
    }
}

/// A label of the usual width, and one that is twice as wide.
const WIDTHS: [f64; 3] = [34.0, 52.0, 90.0];

fn periods() -> impl Strategy<Value = About> {
    let to = prop_oneof![1_700_000_000..1_900_000_000_i64, 0..4_000_i64, any::<i32>().prop_map(i64::from)];
    let length = prop_oneof![0..3 * DAY_S, 0..130 * DAY_S, 0..1_500 * DAY_S, 0..90_000 * DAY_S];
    (to, length, 0.0..1.0_f64).prop_map(|(to, length, known)| {
        let moment = |second: i64| Timestamp::from_second(second).expect("in range");
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any part of it")]
        let begin = to - (length as f64 * known) as i64;
        about(moment(to - length), moment(begin), moment(to))
    })
}

proptest! {
    #[test]
    fn no_label_of_time_meets_another_at_any_width(
        about in periods(), hours: bool, label in prop::sample::select(WIDTHS.to_vec()), wide in 180.0..2_400.0_f64,
    ) {
        let axis = Axis::of(&about, hours);
        let tier = Tier::ALL.into_iter().rfind(|tier| tier.least() <= wide).expect("one of them");
        let ticks = ticks(&axis, tier, &|_| label);
        let mut end = 0.0;
        for tick in &ticks {
            let begin = if tick.is_before { tick.at.mul_add(wide, -label) } else { tick.at * wide };
            prop_assert!(begin >= end - 0.01, "{ticks:?} meet at {wide}");
            end = begin + label;
            prop_assert!(end <= wide + 0.01 && tick.at <= axis.end(), "{tick:?} leaves {wide}");
        }
    }

    /// Up to its end an axis has its labels: the months of one distance differ by a tenth at most.
    #[test]
    fn no_label_of_time_is_left_out(
        about in periods(), hours: bool, label in prop::sample::select(WIDTHS.to_vec()), tier in prop::sample::select(Tier::ALL.to_vec()),
    ) {
        let axis = Axis::of(&about, hours);
        let at: Vec<f64> = ticks(&axis, tier, &|_| label).iter().map(|tick| tick.at).collect();
        let apart = at.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        let gaps = at.iter().copied().chain([axis.end()]).collect::<Vec<_>>();
        let gaps = gaps.windows(2).map(|pair| pair[1] - pair[0]);
        prop_assert!(!at.is_empty(), "{axis:?}");
        prop_assert!(at.len() < 2 || gaps.into_iter().all(|gap| gap <= apart * 1.12), "{at:?} up to {}", axis.end());
    }

    #[test]
    fn an_axis_has_the_whole_period_and_few_slots(about in periods(), hours: bool) {
        let axis = Axis::of(&about, hours);
        prop_assert!((1..=124).contains(&axis.slots()), "{axis:?}");
        prop_assert!(axis.begin(0) <= about.asked.max(Timestamp::UNIX_EPOCH));
        prop_assert!(axis.begin(axis.slots()) >= about.to);
        let length: u64 = (0..axis.slots()).map(|slot| axis.length_s(slot)).sum();
        let seconds = about.to.as_second().max(axis.begin(0).as_second() + 1) - axis.begin(0).as_second();
        prop_assert_eq!(length, seconds.unsigned_abs(), "its slots are the period");
        for slot in 0..axis.slots() {
            prop_assert_eq!(axis.slot(axis.begin(slot)), slot);
        }
        prop_assert!((0.0..=1.0).contains(&axis.end()));
    }

    #[test]
    fn a_scale_is_from_zero_and_monotone(a: u64, b: u64, small in 0..5_000_u64) {
        for largest in [a, small, 0, u64::MAX] {
            for scale in [Scale::bytes(largest), Scale::counts(largest)] {
                let ticks: Vec<u128> = scale.ticks().collect();
                prop_assert!((2..=4).contains(&ticks.len()) && ticks[0] == 0, "{ticks:?}");
                prop_assert_eq!(ticks.last(), Some(&scale.top()));
                prop_assert!(scale.top() >= u128::from(largest) && scale.part(0).abs() < f64::EPSILON);
                let (less, more) = (scale.part(u128::from(a.min(b))), scale.part(u128::from(a.max(b))));
                prop_assert!(0.0 <= less && less <= more && more <= 1.0, "{less} {more}");
            }
        }
    }

    /// Each tick of bytes is a number of one unit with at most one digit after the point, so that no label is rounded.
    #[test]
    fn a_tick_of_bytes_is_a_short_number(largest: u64, power in 0..64_u32) {
        for tick in Scale::bytes(largest >> power).ticks().filter_map(|tick| u64::try_from(tick).ok()).filter(|tick| *tick > 0) {
            let unit = 1_u64 << (10 * (tick.ilog2() / 10));
            prop_assert_eq!(tick % unit * 10 % unit, 0, "{} is {}", tick, crate::figures::bytes(tick));
        }
    }

    /// Whatever days and hours there are: nothing is lost, and what was not watched is inside, ascending, and touches nowhere.
    #[test]
    fn a_course_has_the_sums_of_its_days(
        about in periods(), days in vec((-3..130_i64, any::<u32>(), any::<u16>(), 0..=86_400_u32), 0..40),
        watched in vec((-80..4_000_i64, 0..=3_600_u32), 0..200),
    ) {
        let begin = about.asked.as_second().max(0).div_euclid(DAY_S);
        let moment = |second: i64| Timestamp::from_second(second).expect("in range");
        let day = |(day, sent, violations, watched_s): (i64, u32, u16, u32)| DayOf {
            day: jiff::tz::Offset::UTC.to_datetime(moment((begin + day) * DAY_S)).date(),
            volume: Volume { sent: sent.into(), received: u64::from(sent) * 3, ..Volume::default() },
            outcomes: Outcomes { violation: violations.into(), ..Outcomes::default() },
            watched_s,
            rows: Rows::default(),
        };
        let watched = watched.into_iter().map(|(hour, seconds)| WatchedHours { first: begin * 24 + hour, hours: 1, seconds });
        let watched = watched.collect();
        let timeline = Timeline { days: days.iter().copied().map(day).collect(), hours: Vec::new(), watched };
        let axis = Axis::of(&about, false);
        let activity = activity(timeline);
        let course = Course::of(&[&activity], None, &axis, &about);
        prop_assert_eq!(course.points.len(), axis.slots());
        let sum = |of: fn(&(i64, u32, u16, u32)) -> u64| days.iter().map(of).sum::<u64>();
        prop_assert_eq!(course.sum(|point| point.sent), sum(|day| day.1.into()));
        prop_assert_eq!(course.sum(|point| point.received), sum(|day| u64::from(day.1) * 3));
        prop_assert_eq!(course.sum(|point| point.violations), sum(|day| day.2.into()));
        for (slot, point) in course.points.iter().enumerate() {
            prop_assert!(point.watched_s <= axis.length_s(slot));
        }
        let mut end = 0.0;
        for span in &course.unwatched {
            prop_assert!(end <= span.from && span.from < span.to && span.to <= axis.end(), "{:?}", course.unwatched);
            end = span.to;
        }
    }

    #[test]
    fn a_share_is_never_said_to_be_more_than_it_is(part: u64, whole: u64, small in 0..2_000_u64) {
        for (part, whole) in [(part, whole), (small, whole), (whole.saturating_sub(small), whole), (small, 2_000)] {
            let part = part.min(whole);
            match Percent::of(part, whole) {
                None => prop_assert!(part == 0 || whole == 0),
                Some(Percent::Whole) => prop_assert_eq!(part, whole),
                Some(Percent::Least) => prop_assert!(part > 0 && u128::from(part) * 1_000 < whole.into()),
                Some(Percent::Tenths(tenths)) => {
                    prop_assert!((1..1_000).contains(&tenths) && part < whole);
                    prop_assert!(u128::from(tenths) * u128::from(whole) <= u128::from(part) * 1_000);
                }
            }
        }
    }

    #[test]
    fn a_text_is_cut_to_what_there_is_room_for(text: String, most in 1.1..40.0_f64) {
        let cut = shortened(&text, most);
        prop_assert!(width(&cut) <= most + 1e-9, "{cut}");
        prop_assert!(cut == text || cut.ends_with('…'));
    }
}

/// Whatever was not watched is drawn: before the ledger, between runs, and in hours that were watched in part.
#[test]
fn what_was_not_watched_is_there() {
    let about = about(at("2026-11-01T00:00:00Z"), at("2026-11-03T12:00:00Z"), at("2026-11-11T00:00:00Z"));
    let of = |from: &str, hours: u32, seconds: u32| WatchedHours {
        first: at(from).as_second() / HOUR_S,
        hours,
        seconds,
    };
    let watched = vec![
        of("2026-11-03T12:00:00Z", 60, 3_600),
        of("2026-11-07T00:00:00Z", 48, 3_600),
        of("2026-11-09T00:00:00Z", 1, 1_800),
    ];
    let axis = Axis::of(&about, false);
    let timeline = Timeline { watched, ..Timeline::default() };
    let course = Course::of(&[&activity(timeline)], None, &axis, &about);
    let days: Vec<(f64, f64, Why)> =
        course.unwatched.iter().map(|span| (span.from * 10.0, span.to * 10.0, span.why)).collect();
    let expected = [
        (0.0, 2.5, Why::BeforeLedger),
        (5.0, 6.0, Why::NotWatched),
        (8.0 + 0.5 / 24.0, 10.0, Why::NotWatched),
    ];
    assert_eq!(days.len(), expected.len(), "{days:?}");
    for (is, should) in days.iter().zip(expected) {
        assert!(
            (is.0 - should.0).abs() < 1e-9 && (is.1 - should.1).abs() < 1e-9 && is.2 == should.2,
            "{days:?}"
        );
    }
    assert_eq!(course.points[2].watched_s, 12 * 3_600);
}

#[test]
fn a_period_is_divided_as_its_length_asks_for() {
    let to = at("2026-11-29T12:00:00Z");
    let of = |days: i64, hours| {
        let axis = Axis::of(&period(to, days * DAY_S), hours);
        (axis.step(), axis.slots())
    };
    assert_eq!(of(1, true), (Step::Hour, 36));
    assert_eq!(of(1, false), (Step::Days(1), 2), "hours that do not have the sums of the days are not shown");
    assert_eq!(of(90, true), (Step::Days(1), 91));
    assert_eq!(of(365, true), (Step::Days(7), 53));
    assert_eq!(of(2_000, true), (Step::Days(28), 72));
    assert_eq!(of(100_000, true).0, Step::Days(168), "no ledger is older than 1970");
}

#[test]
fn ticks_stand_at_round_moments() {
    let to = at("2026-11-29T12:00:00Z");
    let of = |days: i64, hours| {
        let axis = Axis::of(&period(to, days * DAY_S), hours);
        ticks(&axis, Tier::Wide, &|_| 45.0).iter().map(|tick| format!("{:?}", tick.mark)).collect::<Vec<_>>()
    };
    assert_eq!(of(1, true)[..3], ["Day(2026-11-28)", "Hour(6)", "Hour(12)"]);
    let days = of(90, true);
    assert_eq!(days[..2], ["Day(2026-08-31)", "Day(2026-09-14)"], "Mondays");
    let months = of(365, true);
    assert!(months.iter().all(|mark| mark.starts_with("Month(") && mark.ends_with("-01)")), "{months:?}");
    assert!(of(20_000, true).iter().all(|mark| mark.starts_with("Year(")));
}

/// Those with the most are shown one by one, and the rest says how many it is.
#[test]
fn what_is_not_shown_one_by_one_is_in_the_rest() {
    let about = period(at("2026-11-29T12:00:00Z"), 10 * DAY_S);
    let of = |n: u64| {
        let volume = Volume { flows: n, failed: 0, sent: n, received: 0 };
        let day = jiff::civil::date(2026, 11, 25);
        let days =
            vec![DayOf { day, volume, outcomes: Outcomes::default(), watched_s: 0, rows: Rows::default() }];
        Activity { name: format!("port-{n}").into(), ..activity(Timeline { days, ..Timeline::default() }) }
    };
    for (n, shown, rest) in [(6, 6, 0), (7, 5, 2), (40, 5, 35)] {
        let activities: Vec<Activity> = (1..=n).map(of).collect();
        let records = Records {
            about: about.clone(),
            controller: None,
            activities,
            undeclared: Vec::new(),
            sets: Vec::new(),
            gaps: Vec::new(),
            notes: Vec::new(),
        };
        let axis = Axis::of(&about, false);
        let sent = |activity: &Activity| activity.timeline.days.iter().map(|day| day.volume.sent).sum();
        let courses = courses(&records, &axis, &sent);
        let named = courses.iter().filter(|course| course.name.is_some()).count();
        assert_eq!(
            (named, courses.iter().filter(|course| course.name.is_none()).map(|rest| rest.activities).sum()),
            (shown, rest)
        );
        assert_eq!(courses.iter().map(|course| course.sum(Point::bytes)).sum::<u64>(), n * (n + 1) / 2);
        assert_eq!(courses[0].name, Some(Arc::from(format!("port-{n}"))));
        assert_eq!(courses[0].peak(Point::bytes), Some((6, n)));
    }
}
