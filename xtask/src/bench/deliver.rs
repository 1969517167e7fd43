//! The deliverer's transports: how many events a second each sends to a receiver on this host, in relation to JSON lines over HTTP in the
//! same round.
//!
//! Belongs here: rounds, ratios and the table. The events are sent and timed by the instrument (`xtask/bench/src/deliver.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::stats::Spread;
use super::table::Table;
use crate::sh;
use crate::step::step;

/// What everything else is compared with.
const PLAIN: &str = "http";

/// The receivers, in the order of a round.
const RECEIVERS: [&str; 11] = [
    PLAIN,
    "splunk",
    "splunk-ack",
    "elastic",
    "loki",
    "otlp",
    "syslog-tcp",
    "syslog-udp",
    "syslog-unix",
    "nats",
    "kafka",
];

/// What the instrument measured of one receiver in one round.
#[derive(Debug, Clone, PartialEq)]
struct Figures {
    encoding: String,
    /// Bytes of one record.
    bytes: f64,
    /// Events that were confirmed in a second.
    rate: f64,
    /// CPU time of the deliverer's thread for an event; ns.
    cpu: f64,
}

impl Figures {
    /// What it printed, or why it could not measure.
    fn read(reply: &Value) -> Result<Result<Self, String>> {
        if let Some(why) = reply["skipped"].as_str() {
            return Ok(Err(why.to_owned()));
        }
        let number =
            |key: &str| reply[key].as_f64().ok_or_else(|| anyhow!("the instrument printed no `{key}`"));
        let encoding = reply["encoding"].as_str().context("the instrument printed no `encoding`")?;
        Ok(Ok(Self {
            encoding: encoding.to_owned(),
            bytes: number("record_bytes")?,
            rate: number("events_per_s")?,
            cpu: number("cpu_ns")?,
        }))
    }
}

/// Everything that was measured, by receiver: its rounds, or why there are none.
#[derive(Debug)]
pub(crate) struct Results(BTreeMap<&'static str, Result<Vec<Figures>, String>>);

/// Measures.
///
/// # Errors
/// The instrument failed: an event was not delivered.
pub(crate) fn measure(bench: &Path, rounds: u32, events: u32) -> Result<Results> {
    let mut all: BTreeMap<&'static str, Result<Vec<Figures>, String>> = BTreeMap::new();
    for round in 1..=rounds {
        step(&format!("round {round} of {rounds}: {} receivers in turn", RECEIVERS.len()), || {
            for name in RECEIVERS {
                if matches!(all.get(name), Some(Err(_))) {
                    continue;
                }
                let mut command = Command::new(bench);
                command.args(["deliver", name, &events.to_string()]);
                let reply = serde_json::from_str(&sh::quiet(&mut command)?);
                match Figures::read(&reply.context("the instrument printed no JSON")?)? {
                    Ok(figures) => {
                        if let Ok(rounds) = all.entry(name).or_insert_with(|| Ok(Vec::new())) {
                            rounds.push(figures);
                        }
                    }
                    Err(why) => drop(all.insert(name, Err(why))),
                }
            }
            let skipped = all.values().filter(|rounds| rounds.is_err()).count();
            Ok(((), format!("{skipped} skipped")))
        })?;
    }
    Ok(Results(all))
}

/// What was measured, as a table.
pub(crate) fn table(results: &Results) -> Table {
    let head = [
        "receiver",
        "encoding",
        "bytes",
        "events/s",
        "× http",
        "quartiles",
        "CPU, µs an event",
        "CPU × http",
    ];
    let mut table = Table::new("Delivery", &head);
    let of = |name: &str| results.0.get(name).and_then(|rounds| rounds.as_ref().ok());
    let plain = of(PLAIN).map(Vec::as_slice).unwrap_or_default();
    let spread =
        |values: &[f64]| Spread::of(values).unwrap_or(Spread { low: 0.0, median: 0.0, high: 0.0, count: 0 });
    for name in RECEIVERS {
        let rounds = match results.0.get(name) {
            Some(Ok(rounds)) => rounds,
            Some(Err(why)) => {
                table.rows.push(vec![name.to_owned(), format!("skipped: {why}")]);
                continue;
            }
            None => continue,
        };
        let column = |value: fn(&Figures) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
        let ratio = |value: fn(&Figures) -> f64| {
            let pairs = rounds.iter().zip(plain);
            pairs.map(|(this, plain)| value(this) / value(plain)).collect::<Vec<f64>>()
        };
        let rates = spread(&ratio(|figures| figures.rate));
        table.rows.push(vec![
            name.to_owned(),
            rounds.first().map_or_else(String::new, |figures| figures.encoding.clone()),
            format!("{:.0}", spread(&column(|figures| figures.bytes)).median),
            format!("{:.0}", spread(&column(|figures| figures.rate)).median),
            format!("{:.2}", rates.median),
            format!("{:.2}–{:.2} of {}", rates.low, rates.high, rates.count),
            format!("{:.2}", spread(&column(|figures| figures.cpu)).median / 1e3),
            format!("{:.2}", spread(&ratio(|figures| figures.cpu)).median),
        ]);
    }
    table.note = "Each in a process of its own, one after the other in each round, over loopback; a ratio is to `http` of the same round. \
                  Events are encoded before. Receivers of HTTP and syslog read, confirm and understand nothing; NATS is the server with \
                  a stream on disk, Kafka the mock of librdkafka. The receiver runs on the same machine. CPU is that of the deliverer's \
                  thread."
        .into();
    table
}

/// Everything, raw values included.
pub(crate) fn json(results: &Results) -> Value {
    let value = |rounds: &Result<Vec<Figures>, String>| match rounds {
        Ok(rounds) => json!({
            "encoding": rounds.first().map(|figures| &figures.encoding),
            "record_bytes": rounds.iter().map(|figures| figures.bytes).collect::<Vec<f64>>(),
            "events_per_s": rounds.iter().map(|figures| figures.rate).collect::<Vec<f64>>(),
            "cpu_ns": rounds.iter().map(|figures| figures.cpu).collect::<Vec<f64>>(),
        }),
        Err(why) => json!({ "skipped": why }),
    };
    results
        .0
        .iter()
        .map(|(name, rounds)| ((*name).to_owned(), value(rounds)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_compared_with_http_of_the_same_round() {
        let figures = |rate| Figures { encoding: "native".to_owned(), bytes: 700.0, rate, cpu: 1e6 / rate };
        let results = Results(BTreeMap::from([
            (PLAIN, Ok(vec![figures(100.0), figures(200.0)])),
            ("loki", Ok(vec![figures(50.0), figures(100.0)])),
            ("nats", Err("no nats-server".to_owned())),
        ]));
        let rows = table(&results).rows;
        assert_eq!(rows[0][..5], ["http", "native", "700", "150", "1.00"]);
        assert_eq!(rows[1][3..6], ["75", "0.50", "0.50–0.50 of 2"]);
        assert_eq!((rows[1][7].as_str(), rows[2][1].as_str()), ("2.00", "skipped: no nats-server"));
    }

    #[test]
    fn an_instrument_that_prints_no_rate_has_failed() {
        let mut reply = json!({ "encoding": "ecs", "record_bytes": 1, "events_per_s": 5.0, "cpu_ns": 3 });
        Figures::read(&reply).expect("all figures").expect("measured");
        reply["events_per_s"] = Value::Null;
        Figures::read(&reply).expect_err("nothing is said about the rate");
        assert_eq!(Figures::read(&json!({ "skipped": "x" })).expect("read"), Err("x".to_owned()));
    }
}
