//! Who is counted where the kernel side has no room: several programs of two users connect 32 at a time, the reader is
//! stopped in the middle, and a stranger connects three times meanwhile. What each program has counted is compared with
//! the events.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::account::{Account, Flows, Row, Who, flows};
use super::budgets::{Bar, Budget};
use super::context::Context;
use super::daemon::{Daemon, NAME};
use super::instrument::{Instrument, number};
use super::product::Setup;
use super::scale::grouped;
use super::stats::Spread;
use super::subject::WATCHED;
use super::table::Table;

/// How long the load takes and when the reader is stopped; s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) seconds: u64,
    pub(crate) stop_after: u64,
    pub(crate) stop_for: u64,
}

impl Size {
    /// What the budget is about.
    pub(crate) const STORM: Self = Self { seconds: 60, stop_after: 25, stop_for: 10 };
    /// For trying the bench itself.
    pub(crate) const TRY: Self = Self { seconds: 8, stop_after: 2, stop_for: 4 };
}

/// The programs, each a copy of the load under its name, and their users, whom every Debian has.
const SERVER: (&str, &str) = ("customers-db", "daemon");
const CALLERS: [(&str, &str); 2] = [("orders-api", "games"), ("report-job", "backup")];
const STRANGER: (&str, &str) = ("stranger", "nobody");

/// Connections at a time, of all callers together.
const WAYS: u32 = 32;

/// Of the stranger.
const STRANGERS: u64 = 3;

/// Addresses of each caller, and those that all connect to.
const FROM: u8 = 4;
const TO: u8 = 16;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    size: Size,
    account: Account,
    /// How long after the reader went on the stranger was reported as a violation; ms. None: never.
    reported_after: Option<f64>,
    /// Records that the kernel side had no room for, and those that it counted in sums instead.
    dropped: u64,
    grouped: u64,
    per_second: f64,
}

impl Outcome {
    /// Whether the stranger was reported before the load ended: a daemon that has to catch up first would be blinded by whoever
    /// keeps it busy.
    fn is_reported_in_time(&self) -> bool {
        let Size { seconds, stop_after, stop_for } = self.size;
        let left = Duration::from_secs(seconds - stop_after - stop_for);
        self.reported_after.is_some_and(|after_ms| after_ms < left.as_secs_f64() * 1e3)
    }
}

/// Runs the load once.
///
/// # Errors
/// The instrument is gone, or one of the programs fails.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, size: Size) -> Result<Outcome> {
    let path = |name: &str| context.dir.join(name);
    for (name, _) in [SERVER, STRANGER].iter().chain(&CALLERS) {
        fs::copy(&context.bench, path(name)).with_context(|| format!("cannot copy the load to {name}"))?;
    }
    let file = context.write("identities.toml", &policy(&context.dir))?;
    let daemon = Daemon::start_with(instrument, context, &[file], Setup::Packaged)?;
    let identity = |(name, user): (&str, &str)| json!({ "exe": path(name), "user": user });
    let to: Vec<String> = (1..=TO).map(|last| format!("127.0.20.{last}")).collect();
    let callers: Vec<Value> = CALLERS
        .iter()
        .enumerate()
        .map(|(at, caller)| {
            let from: Vec<String> = (1..=FROM).map(|last| format!("127.0.{}.{last}", 10 + at)).collect();
            json!({
                "identity": identity(*caller), "from": from, "to": to, "ways": WAYS / CALLERS.len() as u32,
                "seconds": size.seconds, "count": 0, "pause": 0,
            })
        })
        .collect();
    let stranger = json!({
        "identity": identity(STRANGER), "from": ["127.0.66.6"], "to": ["127.0.20.7"], "ways": 1, "seconds": 0,
        "count": STRANGERS, "pause": size.stop_for * 1_000 / 4,
    });
    let order = json!({
        "do": "parties", "port": WATCHED, "server": identity(SERVER), "callers": callers, "stranger": stranger,
        "monitor": NAME, "stop_after": size.stop_after, "stop_for": size.stop_for,
    });
    let reply = instrument.ask(&order)?;
    let status = daemon.settled(instrument)?;
    // When it stops, the daemon sends the sums that it has.
    let events = daemon.end(instrument)?;
    let reported = flows(fs::read_to_string(&events).context("no events")?.lines(), WATCHED);
    let _ = fs::remove_file(&events);
    let made = made(&reply);
    let count = made.values().sum::<u64>() / 2;
    Ok(Outcome {
        size,
        reported_after: reported_after(&reported, &path(STRANGER.0), number(&reply, "continued_ms")?),
        account: Account::of(&made, &reported),
        dropped: dropped(&status),
        grouped: status["coverage"]["kernel"]["grouped"].as_u64().unwrap_or_default(),
        per_second: count as f64 / number(&reply, "ns")? * 1e9,
    })
}

/// The programs and their addresses are declared; the stranger and its address are not.
fn policy(dir: &Path) -> String {
    let mut text = format!(
        "version = 1\n\n[[port]]\nname = \"customers-db\"\nport = {WATCHED}\n\
         \n[[port.allow]]\nrole = \"customers-db\"\ndirection = \"in\"\npeers = [\"127.0.10.0/24\", \"127.0.11.0/24\"]\n{}",
        process(dir, SERVER)
    );
    for caller in CALLERS {
        text.push_str(&format!(
            "\n[[port.allow]]\nrole = \"{}\"\ndirection = \"out\"\npeers = [\"127.0.20.0/24\"]\n{}",
            caller.0,
            process(dir, caller)
        ));
    }
    text
}

fn process(dir: &Path, (name, user): (&str, &str)) -> String {
    format!("process = {{ exe = \"{}\", user = \"{user}\" }}\n", dir.join(name).display())
}

/// What the programs have counted themselves: each connection at both its ends.
fn made(reply: &Value) -> BTreeMap<Who, u64> {
    let mut made = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut add = |of: &Value, direction: &str, peer: Option<IpAddr>, count: &Value| {
        let (exe, user) = (text(&of["exe"]), text(&of["user"]));
        if let Some(peer) = peer {
            let who = Who { direction: direction.to_owned(), exe, user, peer };
            *made.entry(who).or_default() += count.as_u64().unwrap_or_default();
        }
    };
    for caller in reply["callers"].as_array().into_iter().flatten() {
        for pair in caller["pairs"].as_array().into_iter().flatten() {
            add(caller, "out", text(&pair["to"]).parse().ok(), &pair["count"]);
        }
    }
    for (peer, count) in reply["server"]["peers"].as_object().into_iter().flatten() {
        add(&reply["server"], "in", peer.parse().ok(), count);
    }
    made
}

fn reported_after(reported: &Flows, stranger: &Path, continued: f64) -> Option<f64> {
    Some(reported.violation_of(&stranger.display().to_string())? - continued)
}

fn dropped(status: &Value) -> u64 {
    let dropped = status["coverage"]["kernel"]["dropped"].as_object();
    dropped.into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// One row for each program and direction, all peers together, and all of them.
pub(crate) fn table(outcome: &Outcome) -> Table {
    let title = format!(
        "Who is counted: {WAYS} at a time for {} s, the reader stopped for {} s",
        outcome.size.seconds, outcome.size.stop_for
    );
    let head = [
        "whose ends",
        "peers",
        "connections",
        "described alone",
        "in sums",
        "of these without owner",
        "unaccounted",
        "stranger",
    ];
    let mut table = Table::new(&title, &head);
    let mut all: BTreeMap<(String, String), (usize, Row)> = BTreeMap::new();
    for (who, row) in &outcome.account.rows {
        let name = who.exe.rsplit('/').next().unwrap_or_default();
        let entry = all.entry((who.direction.clone(), format!("{name}, {}", who.user))).or_default();
        entry.0 += 1;
        entry.1.add(row);
    }
    let stranger = stranger(outcome.reported_after);
    let mut add = |label: String, peers: usize, row: &Row, stranger: &str| {
        let counts =
            [row.made, row.alone + row.found, row.sums, row.ownerless, row.unaccounted()].map(grouped);
        let mut cells = vec![label, peers.to_string()];
        cells.extend(counts);
        cells.push(stranger.to_owned());
        table.rows.push(cells);
    };
    for ((direction, name), (peers, row)) in &all {
        let is_stranger = name.starts_with(STRANGER.0);
        add(format!("{direction}: {name}"), *peers, row, if is_stranger { &stranger } else { "" });
    }
    add("all".into(), outcome.account.rows.len(), &outcome.account.total(), &stranger);
    table.note = format!(
        "Compared by direction, program, user and peer; a connection has two ends. Described alone: by a record of its own, \
         whether its `flow.open` was sent or counted because the port was busy. In sums: counted by the kernel side where it \
         had no room. {}{:.0} connections/s; {} records were counted in sums, {} were dropped.",
        if outcome.account.surplus > 0 {
            format!("{} were reported that nobody had made. ", grouped(outcome.account.surplus))
        } else {
            String::new()
        },
        outcome.per_second,
        grouped(outcome.grouped),
        grouped(outcome.dropped)
    );
    table
}

fn stranger(after: Option<f64>) -> String {
    after.map_or_else(|| "NOT REPORTED".into(), |ms| format!("violation after {ms:.0} ms"))
}

/// Nobody is left out, nobody is counted twice, and the stranger is reported.
pub(crate) fn budgets(outcome: &Outcome) -> Vec<Budget> {
    let total = outcome.account.total();
    let budget = |what, unit, value: f64, beside| Budget {
        what,
        unit,
        bar: Bar::AtMost(0.0),
        measured: Spread::of(&[value]),
        left_out: 0,
        beside,
    };
    let (alone, sums) = (grouped(total.alone + total.found), grouped(total.sums));
    let missing = if total.sums == 0 && total.unaccounted() > 0 {
        "; no event has `summary.overload`: what is unaccounted is lost"
    } else {
        ""
    };
    vec![
        budget(
            "unaccounted, 32 at a time, reader stopped",
            "ends of connections",
            total.unaccounted() as f64,
            format!("of {}: {alone} described alone, {sums} in sums{missing}", grouped(total.made)),
        ),
        budget(
            "the same, reported and not made",
            "ends of connections",
            outcome.account.surplus as f64,
            "counted twice, or as somebody else's".into(),
        ),
        budget(
            "strangers meanwhile, not reported while it lasts",
            "of 1",
            f64::from(u8::from(!outcome.is_reported_in_time())),
            format!("{} (from when the reader went on)", stranger(outcome.reported_after)),
        ),
    ]
}

/// Everything, row by row.
pub(crate) fn json(outcome: &Outcome) -> Value {
    let rows: Vec<Value> = outcome
        .account
        .rows
        .iter()
        .map(|(who, row)| {
            json!({
                "direction": who.direction, "exe": who.exe, "user": who.user, "peer": who.peer.to_string(), "made": row.made,
                "alone": row.alone, "sums": row.sums, "found": row.found, "ownerless": row.ownerless,
                "unaccounted": row.unaccounted(),
            })
        })
        .collect();
    json!({
        "rows": rows, "surplus": outcome.account.surplus, "stranger_after_ms": outcome.reported_after,
        "kernel_dropped": outcome.dropped, "kernel_grouped": outcome.grouped, "connections_per_s": outcome.per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(account: Account, reported_after: Option<f64>) -> Outcome {
        Outcome { size: Size::STORM, account, reported_after, dropped: 7, grouped: 0, per_second: 1.0 }
    }

    fn reply() -> Value {
        json!({
            "callers": [{
                "exe": "/t/orders-api", "user": "games",
                "pairs": [
                    { "from": "127.0.10.1", "to": "127.0.20.1", "count": 5 },
                    { "from": "127.0.10.2", "to": "127.0.20.1", "count": 4 },
                ],
            }],
            "server": { "exe": "/t/customers-db", "user": "daemon", "peers": { "127.0.10.1": 5, "127.0.10.2": 4 } },
        })
    }

    #[test]
    fn both_ends_of_each_connection_are_expected() {
        let made = made(&reply());
        let counts: Vec<(&str, String, u64)> =
            made.iter().map(|(who, count)| (&*who.direction, who.peer.to_string(), *count)).collect();
        let expected = [("in", "127.0.10.1", 5), ("in", "127.0.10.2", 4), ("out", "127.0.20.1", 9)];
        assert_eq!(counts, expected.map(|(direction, peer, count)| (direction, peer.to_owned(), count)));
    }

    #[test]
    fn what_no_event_covers_misses_the_budget() {
        let lost = outcome(Account::of(&made(&reply()), &Flows::default()), None);
        let met: Vec<Option<bool>> = budgets(&lost).iter().map(Budget::met).collect();
        assert_eq!(met, [Some(false), Some(true), Some(false)]);
        assert!(budgets(&lost)[0].beside.contains("lost"), "{}", budgets(&lost)[0].beside);
        let rows = table(&lost).rows;
        assert_eq!(rows.last().map(|row| (&*row[2], &*row[6], &*row[7])), Some(("18", "18", "NOT REPORTED")));
        let whole = outcome(Account::default(), Some(12.4));
        assert!(budgets(&whole).iter().all(|budget| budget.met() == Some(true)));
        assert!(table(&whole).rows.iter().all(|row| row[7] == "violation after 12 ms"));
    }

    #[test]
    fn the_policy_declares_everybody_but_the_stranger() {
        let text = policy(Path::new("/t"));
        assert_eq!(text.matches("[[port.allow]]").count(), 3);
        assert!(!text.contains(STRANGER.0) && !text.contains("emit"), "{text}");
    }
}
