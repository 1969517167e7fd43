//! As many connections as the machine offers: how many there are with and without the product, what gives way first,
//! and whether what was lost is counted to the last record.

use anyhow::Result;
use serde_json::{Value, json};

use super::context::Context;
use super::daemon::Daemon;
use super::instrument::{Instrument, number};
use super::scale::grouped;
use super::subject::{WATCHED, policy};
use super::table::Table;

/// SIGSTOP and SIGCONT.
const STOP: i32 = 19;
const CONT: i32 = 18;

/// Connections that are made while the daemon does not read: more records than its ring buffer holds.
const STALLED: u64 = 40_000;

/// How often it is tried to find the machine without anybody else on a port of the catalog, or all connections closed.
const TRIES: usize = 10;

/// What the daemon's books say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Books {
    /// Records that the kernel side made, and those it had no room for.
    emitted: u64,
    dropped: u64,
    /// Every hook's occasions are either.
    kernel_adds_up: bool,
    /// Events that were made; every one was delivered, suppressed or dropped.
    daemon_dropped: u64,
    daemon_adds_up: bool,
    /// Events that a sink had no room for; every other one was written.
    sinks_dropped: u64,
    sinks_add_up: bool,
    /// Flows that the daemon saw begin, and those whose end is still to come: their last record is not made yet.
    opened: u64,
    open: u64,
    /// Somebody else used a port of the catalog meanwhile, which makes records too.
    others: bool,
}

impl Books {
    fn read(status: &Value) -> Self {
        let of = |value: &Value| value.as_u64().unwrap_or_default();
        let sum =
            |value: &Value| value.as_object().into_iter().flatten().map(|(_, count)| of(count)).sum::<u64>();
        let coverage = &status["coverage"];
        let kernel = &coverage["kernel"];
        let dropped = sum(&kernel["dropped"]);
        let daemon_dropped = sum(&coverage["dropped"]);
        let sinks = status["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ports = status["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_watched = |key: &str| {
            ports.iter().filter(|port| port["number"] == WATCHED).map(|port| of(&port[key])).sum()
        };
        Self {
            emitted: of(&kernel["emitted"]),
            dropped,
            kernel_adds_up: of(&kernel["seen"]) == of(&kernel["emitted"]) + of(&kernel["filtered"]) + dropped,
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

    fn records(&self) -> u64 {
        self.emitted + self.dropped
    }
}

/// How many records connections make: so many each, and so many for the listener and the executables. Measured where
/// nothing is lost; what is lost elsewhere has to fit it.
#[derive(Debug, Clone, Copy)]
struct Law {
    each: u64,
    once: u64,
}

impl Law {
    /// Of two counts of connections and the records they made.
    fn of(few: (u64, u64), many: (u64, u64)) -> Option<Self> {
        let (records, connections) = (many.1.checked_sub(few.1)?, many.0.checked_sub(few.0)?);
        let each = records.checked_div(connections)?;
        (each * connections == records).then_some(Self { each, once: few.1.checked_sub(each * few.0)? })
    }

    /// How far a count of records is from what the connections must have made.
    fn misses(self, connections: u64, records: u64) -> i64 {
        records.cast_signed() - (self.each * connections + self.once).cast_signed()
    }
}

/// Measures with ever more connections at a time, `seconds` each, then for `long` seconds, then with a reader that stands
/// still.
///
/// # Errors
/// The instrument is gone or the daemon does not start.
pub fn measure(
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
            "lost: kernel, daemon, sink",
            "books",
            "records",
        ],
    );
    let mut values = Vec::new();
    let few = undisturbed(instrument, context, &file, 1_000)?;
    let many = undisturbed(instrument, context, &file, 5_000)?;
    let law = few.zip(many).and_then(|(few, many)| Law::of(few, many));
    let mut ways: Vec<(u32, u64)> = [1, 2, 4, 8, 16, 32].map(|ways| (ways, seconds)).to_vec();
    ways.push((8, long));
    for (ways, seconds) in ways {
        let order = json!({ "do": "crowd", "port": WATCHED, "count": 0, "ways": ways, "seconds": seconds });
        let alone = instrument.ask(&order)?;
        let (made, ns, books) = run(instrument, context, &file, &order, false)?;
        let rate = made as f64 / ns / (number(&alone, "count")? / number(&alone, "ns")?);
        let label = if seconds == long { format!("{ways}, for {long} s") } else { ways.to_string() };
        row(&mut table, &mut values, label, &format!("{rate:.2}"), made, books, law);
    }
    let (made, _, books) = run(instrument, context, &file, &crowd(STALLED, 8), true)?;
    row(&mut table, &mut values, "8, reader stopped".into(), "–", made, books, law);
    table.note = match law {
        Some(law) => format!(
            "Where nothing is lost, a connection makes {} records and a run {} more. \"exact\": records made and records \
             lost together are as many as the connections that were sent must have made (others on this host may have used ports of the catalog meanwhile). \"add up\": kernel, daemon and \
             sinks each account for everything they were given.",
            law.each, law.once
        ),
        None => "How many records a connection makes was not found: others used ports of the catalog all the time.".into(),
    };
    Ok((table, values.into()))
}

/// Connections and the records they made, while nobody else made any; none if others would not be still.
fn undisturbed(
    instrument: &mut Instrument,
    context: &Context,
    policy: &std::path::Path,
    count: u64,
) -> Result<Option<(u64, u64)>> {
    for _ in 0..TRIES {
        let (made, _, books) = run(instrument, context, policy, &crowd(count, 1), false)?;
        if !books.others && books.dropped == 0 {
            return Ok(Some((made, books.records())));
        }
    }
    Ok(None)
}

fn crowd(count: u64, ways: u32) -> Value {
    json!({ "do": "crowd", "port": WATCHED, "count": count, "ways": ways })
}

/// Connections, the ns they took, and the books after them; with `stalled`, the daemon reads only afterwards.
fn run(
    instrument: &mut Instrument,
    context: &Context,
    policy: &std::path::Path,
    order: &Value,
    stalled: bool,
) -> Result<(u64, f64, Books)> {
    let daemon = Daemon::start(instrument, context, &[policy.to_owned()])?;
    if stalled {
        daemon.signal(instrument, STOP)?;
    }
    let answer = instrument.ask(order);
    if stalled {
        daemon.signal(instrument, CONT)?;
    }
    let answer = answer?;
    let books = closed(&daemon, instrument)?;
    daemon.stop(instrument)?;
    Ok((number(&answer, "count")? as u64, number(&answer, "ns")?, books))
}

/// The books once no connection is left of which a record is still to come. All are made while the load's own calls
/// run, but for the two of its end: each waits for a packet of the other end, and one that is lost (a CPU's backlog holds
/// 1,000) is sent again after 200 ms, then twice that, and so on. Books that stand still for a while may lack it.
fn closed(daemon: &Daemon, instrument: &mut Instrument) -> Result<Books> {
    let mut books = Books::read(&daemon.settled(instrument)?);
    for _ in 0..TRIES {
        if books.open == 0 {
            break;
        }
        books = Books::read(&daemon.settled(instrument)?);
    }
    Ok(books)
}

fn row(
    table: &mut Table,
    values: &mut Vec<Value>,
    label: String,
    rate: &str,
    made: u64,
    books: Books,
    law: Option<Law>,
) {
    let misses = law.map(|law| law.misses(made, books.records()));
    values.push(json!({
        "at_a_time": label, "rate_ratio": rate, "connections": made, "emitted": books.emitted,
        "kernel_dropped": books.dropped, "others": books.others, "daemon_dropped": books.daemon_dropped,
        "sinks_dropped": books.sinks_dropped, "add_up": books.add_up(), "opened": books.opened, "open": books.open, "misses": misses,
    }));
    table.rows.push(vec![
        label,
        rate.to_owned(),
        grouped(made),
        [books.dropped, books.daemon_dropped, books.sinks_dropped].map(grouped).join(", "),
        if books.add_up() { "add up".into() } else { "DO NOT ADD UP".into() },
        match misses {
            Some(0) => "exact".into(),
            Some(misses) if misses > 0 && books.others => format!("exact, and {misses} of others"),
            Some(misses) if books.open > 0 => format!("OFF BY {misses}, {} still open", books.open),
            Some(misses) => format!("OFF BY {misses}"),
            None => "–".into(),
        },
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_is_found_where_nothing_is_lost_and_kept_elsewhere() {
        let law = Law::of((1_000, 5_003), (5_000, 25_003)).expect("five each");
        assert_eq!((law.each, law.once), (5, 3));
        assert_eq!(law.misses(10_000, 50_003), 0);
        assert_eq!(law.misses(10_000, 50_000), -3);
        assert!(Law::of((1_000, 5_003), (5_000, 25_004)).is_none());
    }

    #[test]
    fn books_that_do_not_add_up_are_told() {
        let status = |delivered: u64| {
            json!({
                "coverage": {
                    "kernel": { "seen": 10, "emitted": 6, "filtered": 3, "dropped": { "ring-full": 1 } },
                    "received": 5, "delivered": delivered, "suppressed": 1, "dropped": {},
                },
                "sinks": [{ "received": 4, "delivered": 3, "queued": 0, "dropped": { "queue-full": 1 } }],
                "ports": [{ "number": WATCHED, "opened": 2, "open": 1 }],
            })
        };
        let books = Books::read(&status(4));
        assert!(books.add_up());
        assert_eq!((books.dropped, books.sinks_dropped, books.records()), (1, 1, 7));
        assert_eq!((books.opened, books.open), (2, 1));
        assert!(!Books::read(&status(3)).add_up());
    }
}
