//! Hours with far more volume than those before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{Span, Timestamp};

use crate::audit::context::Context;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::wording;
use crate::ledger::Observed;
use crate::model::Direction;

const ID: FindingId = FindingId::UnusualVolume;

/// Days that are compared with those before them: what is older was found by the audits of its time.
const JUDGED_DAYS: i64 = 7;
/// Days that must lie before an hour: volume has the rhythm of a week, and three of them show it.
const HISTORY_DAYS: i64 = 21;
/// Bytes in an hour below which nothing is unusual: the pages of a morning reach it, an export of a database exceeds it.
const FLOOR: u64 = 64 << 20;
/// How many times the largest hour of the history it must have: what happened before can happen again.
const OVER_LARGEST: u64 = 2;
/// How many deviations above the median. With 1.4826 × MAD for a deviation, six are one in 10⁹ of a normal distribution.
const DEVIATIONS: f64 = 6.0;
/// The least deviation, of the logarithm: a factor of 1.35. A port that sends the same every hour has none of its own.
const LEAST_DEVIATION: f64 = 0.3;
/// Samples that each bucket must have to be compared with: the same hour of the week, of the day, any hour.
const SAMPLES: [usize; 3] = [6, 14, 168];
/// Seconds of an hour that must have been watched for it to be a sample.
const WHOLE_S: u32 = 3_540;

/// `unusual-volume`: in an hour of the last seven days a rule of a port (or what no rule allowed) moved at least 64 MiB, twice as
/// much as in any hour before, and six deviations more than the median.
///
/// The median and the deviation (MAD) are of the logarithm of the bytes in whole watched hours before it: of the same hour of the
/// week if there are six, else of the same hour of the day if there are 14, else of all if there are 168. An hour that was watched
/// and in which nothing was moved is a sample of zero. One finding for each series and day, about its largest hour.
///
/// Evidence: the numbers that were compared. Severity: `medium`: it may be an export of everything, or a migration.
/// Not judged without a ledger; learning, and so not judged, for ports with less than 21 days of it.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(observed) = context.ledger(&[ID]) else { return };
    let mut learning = BTreeSet::new();
    for (series, hours) in series(observed) {
        let watched = whole_hours(observed, &series.port);
        match judge(&hours, &watched, context.now) {
            Outcome::Learning => {
                learning.insert(series.port.to_string());
            }
            Outcome::Usual => {}
            Outcome::Unusual(hours) => hours.iter().for_each(|hour| report(context, &series, hour)),
        }
    }
    if !learning.is_empty() {
        let ports = wording::some(learning);
        context.not_judged(ID, format!("learning: volume is compared after {HISTORY_DAYS} days of watching, and there is less for {ports}"));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    port: Arc<str>,
    rule: Option<Arc<str>>,
    direction: Direction,
}

fn series(observed: &Observed) -> BTreeMap<Series, BTreeMap<Timestamp, u64>> {
    let mut all: BTreeMap<Series, BTreeMap<Timestamp, u64>> = BTreeMap::new();
    for row in &observed.volume {
        let series =
            Series { port: Arc::clone(&row.port.name), rule: row.rule.clone(), direction: row.direction };
        let bytes = all.entry(series).or_default().entry(row.hour).or_default();
        *bytes = bytes.saturating_add(row.bytes_sent).saturating_add(row.bytes_received);
    }
    all
}

/// Hours in which the port was watched from begin to end.
fn whole_hours(observed: &Observed, port: &str) -> BTreeSet<Timestamp> {
    let whole = |hour: &&crate::ledger::CoverageHour| *hour.port.name == *port && hour.watched_s >= WHOLE_S;
    observed.coverage.iter().filter(whole).map(|hour| hour.hour).collect()
}

enum Outcome {
    Learning,
    Usual,
    Unusual(Vec<Unusual>),
}

/// An hour, and what it was compared with.
struct Unusual {
    hour: Timestamp,
    bytes: u64,
    largest: u64,
    median: u64,
    samples: usize,
    bucket: &'static str,
}

fn judge(hours: &BTreeMap<Timestamp, u64>, watched: &BTreeSet<Timestamp>, now: Timestamp) -> Outcome {
    let back = |days: i64| now.saturating_sub(Span::new().hours(24 * days)).unwrap_or(Timestamp::MIN);
    let Some(first) = watched.first() else { return Outcome::Learning };
    if *first > back(HISTORY_DAYS) {
        return Outcome::Learning;
    }
    let mut worst: HashMap<jiff::civil::Date, Unusual> = HashMap::new();
    for (hour, bytes) in hours.range(back(JUDGED_DAYS)..) {
        let day = wording::day(*hour);
        let larger = worst.get(&day).is_some_and(|other| other.bytes >= *bytes);
        if *bytes < FLOOR || larger {
            continue;
        }
        let history: Vec<(Timestamp, u64)> =
            watched.range(..*hour).map(|before| (*before, hours.get(before).copied().unwrap_or(0))).collect();
        // An hour that was watched only in part is no sample, but what it moved has happened before.
        let largest = hours.range(..*hour).map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let enough = history
            .first()
            .is_some_and(|(first, _)| hour.as_second() - first.as_second() >= HISTORY_DAYS * 86_400);
        if enough && let Some(unusual) = compare(*hour, *bytes, largest, &history) {
            worst.insert(day, unusual);
        }
    }
    let mut unusual: Vec<Unusual> = worst.into_values().collect();
    unusual.sort_by_key(|unusual| unusual.hour);
    if unusual.is_empty() { Outcome::Usual } else { Outcome::Unusual(unusual) }
}

fn compare(hour: Timestamp, bytes: u64, largest: u64, history: &[(Timestamp, u64)]) -> Option<Unusual> {
    if bytes < largest.saturating_mul(OVER_LARGEST) {
        return None;
    }
    let of_week = |at: Timestamp| at.as_second().div_euclid(3_600).rem_euclid(168);
    let of_day = |at: Timestamp| at.as_second().div_euclid(3_600).rem_euclid(24);
    let buckets: [(&'static str, Vec<u64>); 3] = [
        ("the same hour of the week", pick(history, |at| of_week(at) == of_week(hour))),
        ("the same hour of the day", pick(history, |at| of_day(at) == of_day(hour))),
        ("any hour", pick(history, |_| true)),
    ];
    let (bucket, samples) = buckets
        .into_iter()
        .zip(SAMPLES)
        .find(|((_, samples), least)| samples.len() >= *least)
        .map(|(bucket, _)| bucket)?;
    let logarithms: Vec<f64> = samples.iter().map(|bytes| logarithm(*bytes)).collect();
    let middle = median(logarithms.clone())?;
    let deviation = 1.4826 * median(logarithms.iter().map(|value| (value - middle).abs()).collect())?;
    if logarithm(bytes) < DEVIATIONS.mul_add(deviation.max(LEAST_DEVIATION), middle) {
        return None;
    }
    let mut sorted = samples;
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2];
    Some(Unusual { hour, bytes, largest, median, samples: sorted.len(), bucket })
}

fn pick(history: &[(Timestamp, u64)], matches: impl Fn(Timestamp) -> bool) -> Vec<u64> {
    history.iter().filter(|(at, _)| matches(*at)).map(|(_, bytes)| *bytes).collect()
}

/// The logarithm of one more than the bytes, so that an hour without any has one.
#[expect(clippy::cast_precision_loss, reason = "a logarithm needs no more than 52 bits")]
fn logarithm(bytes: u64) -> f64 {
    (bytes as f64).ln_1p()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn report(context: &mut Context<'_>, series: &Series, unusual: &Unusual) {
    let port = context.ports().iter().find(|port| port.name == series.port);
    let place = port.map_or_else(
        || context.nowhere(),
        |port| {
            let rule = port.rules.iter().find(|rule| Some(&rule.role) == series.rule.as_ref());
            rule.map_or(&port.place, |rule| &rule.place).clone()
        },
    );
    let day = wording::day(unusual.hour);
    let subject = Subject {
        rule: series.rule.clone(),
        detail: Some(format!("{} {day}", series.direction).into()),
        ..port.map_or_else(
            || Subject { port: Some(Arc::clone(&series.port)), ..Subject::default() },
            Context::subject,
        )
    };
    let whose =
        series.rule.as_ref().map_or_else(|| "What no rule allows".to_owned(), |rule| format!("Rule {rule}"));
    let message = format!(
        "{whose} of {} moved {} in the hour from {}; the most before was {}",
        series.port,
        wording::bytes(unusual.bytes),
        wording::moment(unusual.hour),
        wording::bytes(unusual.largest)
    );
    let draft = Draft::new(ID, Severity::Medium, subject, message)
        .place(&place)
        .evidence("bytes", wording::bytes(unusual.bytes))
        .evidence("most before", wording::bytes(unusual.largest))
        .evidence(
            "usual",
            format!(
                "{} in {} of {}",
                wording::bytes(unusual.median),
                wording::counted(unusual.samples as u64, "sample"),
                unusual.bucket
            ),
        )
        .evidence("direction", series.direction.as_str())
        .advice("Find out what was moved: `gdprport flows --since` shows who talked");
    context.add(draft);
}
