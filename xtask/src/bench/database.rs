//! A database: how many transactions a second pgbench gets done while its port is watched, relative to no monitor. What an
//! operator feels of a monitor, where [`cycles`](super::cycles) measures what a connection alone costs.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::account::flows;
use super::context::Context;
use super::cycles::alone;
use super::effort::Effort;
use super::instrument::{Instrument, Route, number};
use super::scale::grouped;
use super::stats::{Pair, Spread, clean};
use super::subject::{DATABASE, Subject};
use super::table::Table;
use crate::step::note;

/// Debian's package.
pub(crate) const PACKAGE: &str = "postgresql";

/// Clients at a time.
const CLIENTS: u64 = 4;

/// How the clients connect: in orders, and in the table. The last two make a connection for each transaction.
const HOW: [(&str, &str); 3] = [
    ("once", "simple select, one connection for each client"),
    ("each", "a new connection for each transaction"),
    ("each-tls", "the same with TLS"),
];

/// All loads: every way to connect by every route.
const LOADS: usize = HOW.len() * Route::ALL.len();

/// Beside no monitor.
const SUBJECTS: [Subject; 3] = [Subject::Gdprport, Subject::Hooks, Subject::Bpftrace];

#[derive(Debug, Default)]
pub(crate) struct Database {
    /// Transactions per second relative to no monitor, by load.
    pub(crate) of: BTreeMap<Subject, [Vec<Pair>; LOADS]>,
    /// Transactions per second without any monitor.
    alone: [Vec<f64>; LOADS],
    /// Those that were not measured and why; without PostgreSQL that is all.
    skipped: BTreeMap<Subject, String>,
    version: u64,
    /// Ends of connections that were made while the product ran, and of these reported.
    made: u64,
    reported: u64,
}

/// Transactions per second and their number, by load.
type Round = ([f64; LOADS], [u64; LOADS]);

/// Measures all subjects in turn, `effort.database_cycles` times.
///
/// # Errors
/// The instrument is gone, or a transaction fails.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<Database> {
    let mut database = Database::default();
    let identity = match instrument.ask(&json!({ "do": "database-start", "port": DATABASE })) {
        Ok(identity) => identity,
        Err(reason) => {
            note(format_args!("skipped: {reason:#}"));
            database.skipped = SUBJECTS.map(|subject| (subject, format!("{reason:#}"))).into();
            return Ok(database);
        }
    };
    database.version = identity["version"].as_u64().unwrap_or_default();
    let policy = policy(&identity)?;
    // The first round fills caches.
    round(instrument, effort)?;
    let (mut before, mut clean_before) = (round(instrument, effort)?, true);
    for cycle in 0..effort.database_cycles {
        for subject in SUBJECTS {
            if database.skipped.contains_key(&subject) {
                continue;
            }
            let running = match subject.start_with(instrument, context, &policy) {
                Ok(running) => running,
                Err(reason) if cycle == 0 => {
                    note(format_args!("{} skipped: {reason:#}", subject.name()));
                    database.skipped.insert(subject, format!("{reason:#}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let with = round(instrument, effort)?;
            let clean_with = alone(instrument, &running.pids, Duration::ZERO)?;
            running.stop(instrument)?;
            if subject == Subject::Gdprport {
                database.count(&with, &fs::read(subject.output(context)).context("no events")?);
            }
            let clean_between = alone(instrument, &[], Duration::from_secs(2))?;
            let after = round(instrument, effort)?;
            let clean = clean_before && clean_with && clean_between;
            let of = database.of.entry(subject).or_default();
            for (at, pairs) in of.iter_mut().enumerate() {
                pairs.push(Pair { ratio: with.0[at] / f64::midpoint(before.0[at], after.0[at]), clean });
                database.alone[at].push(after.0[at]);
            }
            (before, clean_before) = (after, clean_between);
        }
    }
    instrument.ask(&json!({ "do": "database-end" }))?;
    Ok(database)
}

/// Both sides are declared as one would declare them.
fn policy(identity: &Value) -> Result<String> {
    let of = |key: &str| identity[key].as_str().with_context(|| format!("the instrument returned no {key}"));
    let (server, client, user, unit) = (of("server")?, of("client")?, of("user")?, of("unit")?);
    Ok(format!(
        "version = 1\n\n[[port]]\nname = \"customers-db\"\nport = {DATABASE}\nprotocol = \"postgresql\"\n\
         \n[[port.allow]]\nrole = \"customers-db\"\ndirection = \"in\"\npeers = [\"127.0.0.0/8\", \"10.77.0.0/24\"]\n\
         process = {{ exe = \"{server}\", user = \"{user}\", unit = \"{unit}\" }}\n\
         \n[[port.allow]]\nrole = \"orders-api\"\ndirection = \"out\"\npeers = [\"127.0.0.0/8\", \"10.77.0.0/24\"]\n\
         process = {{ exe = \"{client}\", user = \"{user}\" }}\n"
    ))
}

/// Every load once.
fn round(instrument: &mut Instrument, effort: &Effort) -> Result<Round> {
    let (mut rates, mut counts) = ([0.0; LOADS], [0; LOADS]);
    let loads = Route::ALL.into_iter().flat_map(|route| HOW.map(|(how, _)| (route, how)));
    for (at, (route, how)) in loads.enumerate() {
        let order = json!({
            "do": "transactions", "route": route.name(), "how": how, "clients": CLIENTS,
            "seconds": effort.database_seconds,
        });
        let reply = instrument.ask(&order)?;
        rates[at] = number(&reply, "tps")?;
        counts[at] = reply["transactions"].as_u64().unwrap_or_default();
    }
    Ok((rates, counts))
}

impl Database {
    /// Adds the connections of a round, and those that the product's events have. pgbench makes one more each time, to look
    /// at the tables; what it had begun when the time was over comes on top.
    fn count(&mut self, (_, transactions): &Round, events: &[u8]) {
        for (at, transactions) in transactions.iter().enumerate() {
            let connections = if at % HOW.len() == 0 { CLIENTS } else { *transactions };
            self.made += 2 * (connections + 1);
        }
        self.reported += flows(String::from_utf8_lossy(events).lines(), DATABASE).opened;
    }
}

/// Every load, its transactions without a monitor, and what each monitor leaves of them.
pub(crate) fn table(database: &Database) -> Table {
    let mut head = vec!["transactions", "by", "no monitor, tps"];
    head.extend(SUBJECTS.map(|subject| match subject {
        Subject::Gdprport => "gdprport × no monitor",
        other => other.name(),
    }));
    let mut table = Table::new("A database under load", &head);
    for load in 0..LOADS {
        let (route, (_, how)) = (Route::ALL[load / HOW.len()], HOW[load % HOW.len()]);
        let alone = Spread::of(&database.alone[load]);
        let mut row = vec![
            how.to_owned(),
            match route {
                Route::Lo => "loopback".into(),
                Route::Veth => "veth pair".into(),
            },
            alone.map_or_else(|| "–".into(), |alone| format!("{:.0}", alone.median)),
        ];
        row.extend(SUBJECTS.map(|subject| {
            let pairs = database.of.get(&subject).map(|of| clean(&of[load]).0).unwrap_or_default();
            Spread::of(&pairs).map_or_else(|| "–".into(), |spread| format!("{spread:.3}"))
        }));
        table.rows.push(row);
    }
    let mut notes: Vec<String> =
        database.skipped.iter().map(|(subject, why)| format!("{} skipped: {why}.", subject.name())).collect();
    if database.of.contains_key(&Subject::Gdprport) {
        let rounds = database.of[&Subject::Gdprport][0].len();
        notes.insert(
            0,
            format!(
                "PostgreSQL {} with {CLIENTS} clients of pgbench, {rounds} pairs; more is better. gdprport reported {} of {} \
                 ends of connections that were made meanwhile.",
                database.version,
                grouped(database.reported.min(database.made)),
                grouped(database.made)
            ),
        );
    }
    table.note = notes.join(" ");
    table
}

/// Raw values.
pub(crate) fn json(database: &Database) -> Value {
    let load = |at: usize| format!("{}/{}", Route::ALL[at / HOW.len()].name(), HOW[at % HOW.len()].0);
    let of = |all: &[Vec<Pair>; LOADS]| -> Value {
        all.iter()
            .enumerate()
            .map(|(at, pairs)| {
                let pairs: Vec<Value> =
                    pairs.iter().map(|pair| json!({ "ratio": pair.ratio, "clean": pair.clean })).collect();
                (load(at), pairs.into())
            })
            .collect::<serde_json::Map<String, Value>>()
            .into()
    };
    let subjects: serde_json::Map<String, Value> =
        database.of.iter().map(|(subject, all)| (subject.name().to_owned(), of(all))).collect();
    let alone: serde_json::Map<String, Value> =
        database.alone.iter().enumerate().map(|(at, tps)| (load(at), json!(tps))).collect();
    json!({
        "postgresql": database.version, "tps_ratios": subjects, "alone_tps": alone, "ends_made": database.made,
        "ends_reported": database.reported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_not_here_leaves_a_table_that_says_so() {
        let skipped = [(Subject::Gdprport, "postgres is not installed".to_owned())].into();
        let table = table(&Database { skipped, ..Database::default() });
        assert_eq!(table.rows.len(), LOADS);
        assert!(table.rows.iter().all(|row| row[2] == "–" && row[3] == "–"));
        assert_eq!(table.note, "gdprport skipped: postgres is not installed.");
    }

    #[test]
    fn each_connection_that_was_made_is_expected_at_both_ends() {
        let mut database = Database::default();
        let event =
            format!(r#"{{"kind":"flow.open","port":{{"name":"x","number":{DATABASE},"protocol":null}}}}"#);
        database.count(&([0.0; LOADS], [900, 10, 20, 900, 10, 20]), format!("{event}\n{event}\n").as_bytes());
        assert_eq!((database.made, database.reported), (4 * (5 + 11 + 21), 2));
    }

    #[test]
    fn the_port_is_declared_and_emit_is_left_at_its_default() {
        let identity = json!({ "server": "/p/postgres", "client": "/p/pgbench", "user": "postgres", "unit": "db.service" });
        let text = policy(&identity).expect("an identity");
        assert!(text.contains("protocol = \"postgresql\"") && !text.contains("emit"), "{text}");
        policy(&json!({})).expect_err("nobody is named");
    }
}
