//! How an unusual hour is worded, with the numbers that were compared.

use std::sync::Arc;

use crate::anomaly::{Bucket, Comparison, Episode, Hour, Unusual, Watched};
use crate::audit::context::Context;
use crate::audit::draft::Draft;
use crate::audit::finding::{FindingId, Severity, Subject};
use crate::audit::wording;
use crate::model::Direction;

pub(super) const ID: FindingId = FindingId::UnusualVolume;

/// A port by its name, and whether that is a declaration's or the catalog's.
pub(super) type Port = (Arc<str>, bool);

/// What a rule of a port moves in a direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) port: Port,
    /// `None`: what no rule allows.
    pub(super) rule: Option<Arc<str>>,
    pub(super) direction: Direction,
}

/// An unusual episode.
pub(super) struct Found<'a> {
    pub(super) series: &'a Series,
    pub(super) watched: &'a Watched,
    pub(super) episode: &'a Episode,
}

/// What is compared, in the order of the series' measures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Sent,
    Received,
    Connections,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Sent, Self::Received, Self::Connections];

    fn amount(self, amount: u64) -> String {
        match self {
            Self::Sent | Self::Received => wording::bytes(amount),
            Self::Connections => wording::counted(amount, "connection"),
        }
    }

    fn did(self, amount: u64) -> String {
        let verb = match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Connections => "had",
        };
        format!("{verb} {}", self.amount(amount))
    }
}

pub(super) fn report(context: &mut Context<'_>, found: &Found<'_>) {
    let Found { series, watched, episode } = *found;
    let Some((measure, worst)) = worst(episode) else { return };
    let (hour, compared) = (worst.hour, &worst.comparison);
    let port = context.ports().iter().find(|port| series.port.1 && port.name == series.port.0);
    let place = port.map_or_else(
        || context.nowhere(),
        |port| {
            let rule = port.rules.iter().find(|rule| Some(&rule.role) == series.rule.as_ref());
            rule.map_or(&port.place, |rule| &rule.place).clone()
        },
    );
    let subject = Subject {
        rule: series.rule.clone(),
        // The begin is the same in every audit.
        detail: Some(format!("{} {}", series.direction, wording::day(episode.begin.begin())).into()),
        ..port.map_or_else(
            || Subject { port: Some(Arc::clone(&series.port.0)), ..Subject::default() },
            Context::subject,
        )
    };
    let whose =
        series.rule.as_ref().map_or_else(|| "What no rule allows".to_owned(), |rule| format!("Rule {rule}"));
    let message = format!(
        "{whose} of {} {} in the hour from {}; {}",
        series.port.0,
        measure.did(compared.amount),
        wording::moment(hour.begin()),
        before(measure, hour, compared)
    );
    let partly =
        if watched.is_whole(hour) { "" } else { "; not all of it was watched, so that there may be more" };
    let draft = Draft::new(ID, Severity::Medium, subject, message)
        .place(&place)
        .evidence(
            "observed",
            format!(
                "{} in the hour from {}{partly}",
                measure.did(compared.amount),
                wording::moment(hour.begin())
            ),
        )
        .evidence("unusual from", measure.amount(compared.limit))
        .evidence("compared with", numbers(measure, hour, compared))
        .evidence("most before", format!("{} in an hour", measure.amount(compared.record)))
        .evidence("all together", together(episode))
        .evidence("direction", series.direction.as_str())
        .advice("Find out what was moved: `gdprport flows --since` shows who talked");
    context.add(draft);
}

/// The hour that exceeds its limit most. Of bytes before connections: they say what was moved.
fn worst(episode: &Episode) -> Option<(Measure, &Unusual)> {
    let key = |unusual: &&Unusual| {
        (Measure::ALL.get(unusual.measure) != Some(&Measure::Connections), unusual.comparison.excess())
    };
    let order = |a: &(bool, f64), b: &(bool, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
    let worst = episode.unusual.iter().max_by(|a, b| order(&key(a), &key(b)))?;
    Some((*Measure::ALL.get(worst.measure)?, worst))
}

/// `13 earlier Mondays at 03:00 had 1.1 GiB to 2.3 GiB`.
fn before(measure: Measure, hour: Hour, compared: &Comparison) -> String {
    let Comparison { samples, least, most, .. } = compared;
    let at = hour.begin().strftime("%H:%M");
    let those = match compared.bucket {
        Bucket::Week => format!("{samples} earlier {}s at {at}", hour.begin().strftime("%A")),
        Bucket::Day => format!("{samples} earlier days at {at}"),
        Bucket::All => format!("{} earlier hours", wording::thousands(*samples as u64)),
    };
    if *most == 0 {
        format!("{those} had none")
    } else {
        format!("{those} had {}", range(measure, *least, *most))
    }
}

fn range(measure: Measure, least: u64, most: u64) -> String {
    let (least, most) = (measure.amount(least), measure.amount(most));
    if least == most { most } else { format!("{least} to {most}") }
}

fn numbers(measure: Measure, hour: Hour, compared: &Comparison) -> String {
    let Comparison { samples, least, median, most, deviation, .. } = compared;
    let bucket = match compared.bucket {
        Bucket::Week => "the same hour of the week",
        Bucket::Day => "the same hour of the day",
        Bucket::All => "any hour",
    };
    format!(
        "{} of {bucket} before {}: {}, median {}, deviation a factor of {:.1}",
        wording::counted(*samples as u64, "sample"),
        wording::moment(hour.begin()),
        range(measure, *least, *most),
        measure.amount(*median),
        deviation.exp()
    )
}

/// What all unusual hours of the episode come to: `sent 72.0 GiB in 6 hours`.
fn together(episode: &Episode) -> String {
    let of = |(place, measure): (usize, Measure)| {
        let amounts: Vec<u64> = episode
            .unusual
            .iter()
            .filter(|unusual| unusual.measure == place)
            .map(|unusual| unusual.comparison.amount)
            .collect();
        let sum = amounts.iter().fold(0_u64, |sum, amount| sum.saturating_add(*amount));
        let hours = wording::counted(amounts.len() as u64, "hour");
        (!amounts.is_empty()).then(|| format!("{} in {hours}", measure.did(sum)))
    };
    Measure::ALL.into_iter().enumerate().filter_map(of).collect::<Vec<_>>().join("; ")
}
