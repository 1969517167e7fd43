//! Saturation: the connection rate with and without the product, where losses begin, and whether every lost record is
//! counted.

use anyhow::Result;
use serde_json::{Value, json};

use super::context::Context;
use super::daemon::Daemon;
use super::instrument::{Instrument, number};
use super::product::policy;
use super::scale::grouped;
use super::subject::WATCHED;
use super::table::Table;

/// SIGSTOP and SIGCONT.
const STOP: i32 = 19;
const CONT: i32 = 18;

/// Connections made while the daemon is stopped: more records than its ring buffer holds.
const STALLED: u64 = 40_000;

/// Attempts to measure without other traffic on ports of the catalog, and to see all connections closed.
const TRIES: usize = 10;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    /// Records that the kernel side wrote, and those it had no room for.
    emitted: u64,
    dropped: u64,
    /// Occasions for a record that it counted in sums instead, because there was little room.
    grouped: u64,
    /// Every hook call is counted as emitted, filtered, grouped or dropped.
    kernel_adds_up: bool,
    /// Every event was delivered, suppressed or dropped.
    daemon_dropped: u64,
    daemon_adds_up: bool,
    /// Events that a sink had no room for; every other one was written.
    sinks_dropped: u64,
    sinks_add_up: bool,
    /// Flows that the daemon saw begin, and those still open, whose last record is still to come.
    opened: u64,
    open: u64,
    /// Other programs used a port of the catalog meanwhile, which makes records too.
    others: bool,
}

impl Counters {
    fn read(status: &Value) -> Self {
        let of = |value: &Value| value.as_u64().unwrap_or_default();
        let sum =
            |value: &Value| value.as_object().into_iter().flatten().map(|(_, count)| of(count)).sum::<u64>();
        let coverage = &status["coverage"];
        let kernel = &coverage["kernel"];
        let (dropped, grouped) = (sum(&kernel["dropped"]), of(&kernel["grouped"]));
        let daemon_dropped = sum(&coverage["dropped"]);
        let sinks = status["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ports = status["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_watched = |key: &str| {
            ports.iter().filter(|port| port["number"] == WATCHED).map(|port| of(&port[key])).sum()
        };
        Self {
            emitted: of(&kernel["emitted"]),
            dropped,
            grouped,
            kernel_adds_up: of(&kernel["seen"])
                == of(&kernel["emitted"]) + of(&kernel["filtered"]) + grouped + dropped,
            daemon_dropped,
            daemon_adds_up: of(&coverage["received"])
                == of(&coverage["delivered"]) + of(&coverage["suppressed"]) + daemon_dropped,
            sinks_dropped: sinks.iter().map(|sink| sum(&sink["dropped"])).sum(),
            sinks_add_up: sinks.iter().all(|sink| {
                of(&sink["received"]) == of(&sink["delivered"]) + of(&sink["queued"]) + sum(&sink["dropped"])
            }),
            others: ports
                .iter()
                .filter(|port| port["number"] != WATCHED)
                .any(|port| of(&port["opened"]) + of(&port["closed"]) + of(&port["failed"]) > 0),
            opened: of_watched("opened"),
            open: of_watched("open"),
        }
    }

    fn add_up(&self) -> bool {
        self.kernel_adds_up && self.daemon_adds_up && self.sinks_add_up
    }

    /// Occasions that led to a record, or would have. The accept of a connection whose opening is in a sum is none.
    fn records(&self) -> u64 {
        self.emitted + self.grouped + self.dropped
    }

    /// What the difference between the records and what the connections must have made says.
    fn exactness(&self, deviation: Option<i64>) -> String {
        match deviation {
            Some(0) => "exact".into(),
            Some(deviation) if deviation > 0 && self.others => format!("exact, and {deviation} of others"),
            Some(deviation) if deviation < 0 && deviation.unsigned_abs() <= self.grouped => {
                format!("exact but for {} accepts of those in sums", grouped(deviation.unsigned_abs()))
            }
            Some(deviation) if self.open > 0 => format!("OFF BY {deviation}, {} still open", self.open),
            Some(deviation) => format!("OFF BY {deviation}"),
            None => "–".into(),
        }
    }
}

/// How many records connections make: a number for each, and a constant for the listener and the executables. Measured
/// without losses; a run with losses has to agree with it.
#[derive(Debug, Clone, Copy)]
struct RecordModel {
    each: u64,
    once: u64,
}

impl RecordModel {
    /// From two runs, each its connections and records.
    fn of(few: (u64, u64), many: (u64, u64)) -> Option<Self> {
        let (records, connections) = (many.1.checked_sub(few.1)?, many.0.checked_sub(few.0)?);
        let each = records.checked_div(connections)?;
        (each * connections == records).then_some(Self { each, once: few.1.checked_sub(each * few.0)? })
    }

    /// The difference between a count of records and what the connections must have made.
    fn deviation(self, connections: u64, records: u64) -> i64 {
        records.cast_signed() - (self.each * connections + self.once).cast_signed()
    }
}

/// Measures with more and more connections at a time, `seconds` each, then for `long` seconds, then with a stopped
/// reader.
pub(crate) fn measure(
    instrument: &mut Instrument,
    context: &Context,
    seconds: u64,
    long: u64,
) -> Result<(Table, Value)> {
    let file = context.write("scale.toml", &policy([WATCHED]))?;
    let mut table = Table::new(
        "As many connections as the machine offers",
        &[
            "at a time",
            "connections/s × no monitor",
            "connections",
            "in sums of the kernel's",
            "lost: kernel, daemon, sink",
            "counters",
            "records",
        ],
    );
    let mut values = Vec::new();
    let few = undisturbed(instrument, context, &file, 1_000)?;
    let many = undisturbed(instrument, context, &file, 5_000)?;
    let model = few.zip(many).and_then(|(few, many)| RecordModel::of(few, many));
    let mut ways: Vec<(u32, u64)> = [1, 2, 4, 8, 16, 32].map(|ways| (ways, seconds)).to_vec();
    ways.push((8, long));
    for (ways, seconds) in ways {
        let order = json!({ "do": "crowd", "port": WATCHED, "count": 0, "ways": ways, "seconds": seconds });
        let alone = instrument.ask(&order)?;
        let (made, ns, counters) = run(instrument, context, &file, &order, false)?;
        let rate = made as f64 / ns / (number(&alone, "count")? / number(&alone, "ns")?);
        let label = if seconds == long { format!("{ways}, for {long} s") } else { ways.to_string() };
        row(&mut table, &mut values, label, &format!("{rate:.2}"), made, counters, model);
    }
    let (made, _, counters) = run(instrument, context, &file, &crowd(STALLED, 8), true)?;
    row(&mut table, &mut values, "8, reader stopped".into(), "–", made, counters, model);
    table.note = match model {
        Some(model) => format!(
            "Where nothing is lost, a connection makes {} records and a run {} more. In sums: records that the kernel side \
             counted by who and with whom instead, because there was little room. \"exact\": records made, counted and lost \
             together are as many as the connections that were sent must have made (others on this host may have used ports of the catalog meanwhile). \"add up\": kernel, daemon and \
             sinks each account for everything they were given.",
            model.each, model.once
        ),
        None => "How many records a connection makes was not found: others used ports of the catalog all the time.".into(),
    };
    Ok((table, values.into()))
}

/// Connections and their records in a run without other traffic; None if there was always some.
fn undisturbed(
    instrument: &mut Instrument,
    context: &Context,
    policy: &std::path::Path,
    count: u64,
) -> Result<Option<(u64, u64)>> {
    for _ in 0..TRIES {
        let (made, _, counters) = run(instrument, context, policy, &crowd(count, 1), false)?;
        if !counters.others && counters.dropped == 0 {
            return Ok(Some((made, counters.records())));
        }
    }
    Ok(None)
}

fn crowd(count: u64, ways: u32) -> Value {
    json!({ "do": "crowd", "port": WATCHED, "count": count, "ways": ways })
}

/// Connections, their time in ns, and the counters afterwards; with `stalled`, the daemon is stopped meanwhile.
fn run(
    instrument: &mut Instrument,
    context: &Context,
    policy: &std::path::Path,
    order: &Value,
    stalled: bool,
) -> Result<(u64, f64, Counters)> {
    let daemon = Daemon::start(instrument, context, &[policy.to_owned()])?;
    if stalled {
        daemon.signal(instrument, STOP)?;
    }
    let reply = instrument.ask(order);
    if stalled {
        daemon.signal(instrument, CONT)?;
    }
    let reply = reply?;
    let counters = closed(&daemon, instrument)?;
    daemon.stop(instrument)?;
    Ok((number(&reply, "count")? as u64, number(&reply, "ns")?, counters))
}

/// The counters once no connection has a record to come. All are written during the load's own calls, except the two of
/// its end: each waits for a packet of the other end, and one that is lost (a CPU's backlog holds
/// 1,000) is sent again after 200 ms, then twice that, and so on. Counters that are unchanged for a while may lack it.
fn closed(daemon: &Daemon, instrument: &mut Instrument) -> Result<Counters> {
    let mut counters = Counters::read(&daemon.settled(instrument)?);
    for _ in 0..TRIES {
        if counters.open == 0 {
            break;
        }
        counters = Counters::read(&daemon.settled(instrument)?);
    }
    Ok(counters)
}

fn row(
    table: &mut Table,
    values: &mut Vec<Value>,
    label: String,
    rate: &str,
    made: u64,
    counters: Counters,
    model: Option<RecordModel>,
) {
    let deviation = model.map(|model| model.deviation(made, counters.records()));
    values.push(json!({
        "at_a_time": label, "rate_ratio": rate, "connections": made, "emitted": counters.emitted,
        "kernel_dropped": counters.dropped, "kernel_grouped": counters.grouped, "others": counters.others, "daemon_dropped": counters.daemon_dropped,
        "sinks_dropped": counters.sinks_dropped, "add_up": counters.add_up(), "opened": counters.opened, "open": counters.open, "misses": deviation,
    }));
    table.rows.push(vec![
        label,
        rate.to_owned(),
        grouped(made),
        grouped(counters.grouped),
        [counters.dropped, counters.daemon_dropped, counters.sinks_dropped].map(grouped).join(", "),
        if counters.add_up() { "add up".into() } else { "DO NOT ADD UP".into() },
        counters.exactness(deviation),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_where_nothing_is_lost_and_holds_elsewhere() {
        let model = RecordModel::of((1_000, 5_003), (5_000, 25_003)).expect("five each");
        assert_eq!((model.each, model.once), (5, 3));
        assert_eq!(model.deviation(10_000, 50_003), 0);
        assert_eq!(model.deviation(10_000, 50_000), -3);
        assert!(RecordModel::of((1_000, 5_003), (5_000, 25_004)).is_none());
    }

    #[test]
    fn counters_that_do_not_add_up_are_reported() {
        let status = |delivered: u64| {
            json!({
                "coverage": {
                    "kernel": {
                        "seen": 12, "emitted": 6, "filtered": 3, "grouped": 2, "dropped": { "ring-full": 1 },
                    },
                    "received": 5, "delivered": delivered, "suppressed": 1, "dropped": {},
                },
                "sinks": [{ "received": 4, "delivered": 3, "queued": 0, "dropped": { "queue-full": 1 } }],
                "ports": [{ "number": WATCHED, "opened": 2, "open": 1 }],
            })
        };
        let counters = Counters::read(&status(4));
        assert!(counters.add_up());
        assert_eq!((counters.dropped, counters.sinks_dropped, counters.records()), (1, 1, 9));
        assert_eq!((counters.opened, counters.open), (2, 1));
        assert!(!Counters::read(&status(3)).add_up());
    }

    #[test]
    fn accepts_of_grouped_connections_make_no_record() {
        let counters = Counters { grouped: 40, ..Counters::default() };
        assert_eq!(counters.exactness(Some(-20)), "exact but for 20 accepts of those in sums");
        assert_eq!(counters.exactness(Some(-41)), "OFF BY -41");
        assert_eq!(Counters::default().exactness(Some(-1)), "OFF BY -1");
        assert_eq!(counters.exactness(Some(0)), "exact");
    }
}
