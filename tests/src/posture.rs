//! A table of connections, what is expected of their encryption at both ends, and what the daemon reported.
//!
//! Belongs here: running cases against one daemon, comparing its events with what is expected, and printing the
//! table. Does not belong here: the cases.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Command;

use crate::counters;
use crate::daemon::Daemon;
use crate::event::Event;
use crate::log::EventLog;
use crate::policy::{Declaration, open, policy};
use crate::servers::{Server, python};
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::tls;

/// A text that clients send as data and that no event may contain.
pub const USER_DATA: &str = "never-in-an-event";

/// A watched port that demands TLS and allows everything else.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// The port.
    pub port: u16,
    /// Its declared protocol, empty for none.
    pub protocol: &'static str,
    /// The minimum version of TLS.
    pub min: &'static str,
}

/// A demand of TLS on a server's port.
#[must_use]
pub fn demand(server: &Server, protocol: &'static str, min: &'static str) -> Demand {
    Demand { port: server.port.number(), protocol, min }
}

/// A Python script with these arguments.
///
/// # Errors
/// If Python is missing.
pub fn script(dir: &TempDir, text: &str, arguments: &[&str]) -> Result<Command, Missing> {
    let mut command = Command::new(python()?);
    command.arg(dir.write("client.py", text)).args(arguments);
    Ok(command)
}

/// curl, which asks for [`tls::NAME`] and a page named [`USER_DATA`].
///
/// # Errors
/// If curl is missing, or no certificate can be made.
pub fn curl(dir: &TempDir, server: &Server, scheme: &str, options: &[&str]) -> Result<Command, Missing> {
    let authority = tls::identity()?.write_authority(dir);
    let mut command = Command::new(installed(&["/usr/bin/curl"], "curl")?);
    command.args(["-q", "-sS", "--noproxy", "*", "--cacert"]).arg(authority).args(options);
    command.args(["--resolve", &format!("{}:{}:127.0.0.1", tls::NAME, server.port)]);
    command.arg(format!("{scheme}://{}:{}/{USER_DATA}", tls::NAME, server.port));
    Ok(command)
}

impl Demand {
    fn declaration(self) -> Declaration {
        let declaration = open(self.port).key(&format!("tls = {{ min = \"{}\" }}", self.min));
        if self.protocol.is_empty() {
            declaration
        } else {
            declaration.key(&format!("protocol = \"{}\"", self.protocol))
        }
    }
}

/// What is expected of one end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    state: &'static str,
    version: &'static str,
    outcome: &'static str,
    reason: &'static str,
    evidence: &'static str,
}

impl Expected {
    /// Encrypted as demanded, by this `version` of TLS.
    #[must_use]
    pub const fn declared(state: &'static str, version: &'static str) -> Self {
        Self { state, version, outcome: "declared", reason: "", evidence: "" }
    }

    /// Not encrypted as demanded, for this `reason`; `version` is empty where there is none.
    #[must_use]
    pub const fn violation(state: &'static str, version: &'static str, reason: &'static str) -> Self {
        Self { state, version, outcome: "violation", reason, evidence: "" }
    }

    /// Not known, and therefore a finding at the end.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { state: "unknown", version: "", outcome: "undecided", reason: "", evidence: "" }
    }

    /// Its evidence contains this text.
    #[must_use]
    pub const fn because(mut self, text: &'static str) -> Self {
        self.evidence = text;
        self
    }
}

/// One end of one case: which flow it was, and what is expected of it.
#[derive(Debug)]
struct Row {
    case: String,
    direction: &'static str,
    ends: (u16, u16),
    expected: Expected,
}

/// A daemon that watches the ports of some cases, and the table of them.
#[derive(Debug)]
pub struct Table {
    /// The daemon.
    pub daemon: Daemon,
    rows: Vec<Row>,
    /// How many connections of each port are in the table.
    taken: HashMap<u16, usize>,
}

/// The directions of the two ends, with their names in the table.
const ENDS: [(&str, &str); 2] = [("out", "client"), ("in", "server")];

impl Table {
    /// Starts a daemon that watches these ports.
    #[must_use]
    #[track_caller]
    pub fn new(demands: &[Demand]) -> Self {
        let declarations = demands.iter().map(|demand| demand.declaration());
        Self { daemon: Daemon::with(policy(declarations)), rows: Vec::new(), taken: HashMap::new() }
    }

    /// Adds the next connection to `port`, which was made and closed; the same is expected at both ends.
    #[track_caller]
    pub fn row(&mut self, case: &str, port: u16, expected: Expected) {
        self.row_by_end(case, port, [expected; 2]);
    }

    /// The same, with what is expected at the client's end and at the server's.
    #[track_caller]
    pub fn row_by_end(&mut self, case: &str, port: u16, expected: [Expected; 2]) {
        let taken = self.taken.entry(port).or_default();
        *taken += 1;
        for ((direction, end), expected) in ENDS.into_iter().zip(expected) {
            let closed = |event: &Event| event.is("flow.close", port) && event.ends(direction).is_some();
            let what = format!("flow.close of {case} at the {end}");
            let count = self.daemon.log.wait_count(&what, *taken, closed);
            assert_eq!(count, *taken, "{case} made one connection");
            let of_port = self.daemon.log.seen().iter().filter(|event| closed(event));
            let last = of_port.last().expect("at least one was waited for");
            let ends = last.ends(direction).expect("it is of this direction");
            self.rows.push(Row { case: case.to_owned(), direction, ends, expected });
        }
    }

    /// The event of this kind about one end of the connection that was added last.
    #[track_caller]
    pub fn last(&mut self, kind: &str, direction: &str) -> Event {
        let of_direction = self.rows.iter().rev().find(|row| row.direction == direction);
        let (local, peer) = of_direction.expect("a row was added").ends;
        self.daemon.log.flow(kind, direction, local, peer)
    }

    /// Stops the daemon and prints the table.
    ///
    /// # Panics
    /// When a row is wrong or an event repeats [`USER_DATA`].
    #[track_caller]
    pub fn finish(self) {
        let log = self.daemon.stop();
        let mut table = format!(
            "\n{:<46} {:<6} {:<44} {:<44} {:<5} evidence\n",
            "posture: case", "end", "expected", "seen", ""
        );
        let mut wrong = String::new();
        for row in &self.rows {
            let (closed, problems) = row.judge(&log);
            let _ = writeln!(
                table,
                "{:<46} {:<6} {:<44} {:<44} {:<5} {}",
                row.case,
                ENDS.iter().find(|end| end.0 == row.direction).map_or("", |end| end.1),
                shown(row.expected.state, row.expected.version, row.expected.outcome, row.expected.reason),
                shown(
                    closed.text("posture.state"),
                    closed.text("posture.version"),
                    closed.text("verdict.outcome"),
                    &closed.reasons().join(" ")
                ),
                if problems.is_empty() { "right" } else { "WRONG" },
                closed.text("posture.evidence"),
            );
            if !problems.is_empty() {
                let _ = writeln!(wrong, "{} ({}): {}", row.case, row.direction, problems.join("; "));
                let _ = writeln!(wrong, "  {} {}", closed.at("posture"), closed.at("verdict"));
            }
        }
        counters::print(&table);
        assert!(wrong.is_empty(), "wrong rows:\n{wrong}");
        let leak = log.seen().iter().find(|event| event.line().contains(USER_DATA));
        assert!(leak.is_none(), "an event repeats what a user sent: {}", leak.map_or("", Event::line));
    }
}

fn shown(state: &str, version: &str, outcome: &str, reason: &str) -> String {
    let blank = |text: &str| if text.is_empty() { String::new() } else { format!(" {text}") };
    format!("{state}{}, {outcome}{}", blank(version), blank(reason))
}

impl Row {
    /// The `flow.close`, and what is wrong in all events about this flow.
    fn judge<'a>(&self, log: &'a EventLog) -> (&'a Event, Vec<String>) {
        let of_flow = |event: &&Event| event.ends(self.direction) == Some(self.ends);
        let events: Vec<&Event> = log.seen().iter().filter(of_flow).collect();
        let closed = events.iter().find(|event| event.kind() == "flow.close").expect("it was waited for");
        let expected = &self.expected;
        let mut problems = Vec::new();
        let mut check = |right: bool, what: String| {
            if !right {
                problems.push(what);
            }
        };
        let fits = |event: &Event| {
            event.text("posture.state") == expected.state && event.text("posture.version") == expected.version
        };
        check(fits(closed), "another state or version is expected".into());
        check(
            closed.text("posture.evidence").contains(expected.evidence),
            format!("the evidence lacks `{}`", expected.evidence),
        );
        let is_violation = expected.outcome == "violation";
        let reasons: &[&str] = if is_violation { &[expected.reason] } else { &[] };
        check(
            closed.text("verdict.outcome") == expected.outcome && closed.reasons() == reasons,
            "another verdict is expected".into(),
        );
        check(!is_violation || closed.nearest_failed() == ["tls"], "the rule fails by its tls alone".into());

        let of_kind = |kind: &str| events.iter().filter(|event| event.kind() == kind).count();
        let unknown = expected.state == "unknown";
        let mut earlier = events.iter().filter(|event| event.seq() < closed.seq());
        // Only the end shows that nothing was sent.
        if unknown || expected.state == "no-data" {
            let known = |event: &&&Event| !matches!(event.text("posture.state"), "" | "unknown");
            check(earlier.find(known).is_none(), "nothing else was reported before".into());
        } else {
            check(earlier.any(|event| fits(event)), "it was not reported before the end".into());
        }
        let violations = of_kind("violation");
        check(violations == usize::from(is_violation), format!("{violations} events `violation`"));
        let findings: Vec<_> =
            events.iter().filter(|event| event.kind() == "finding").map(|it| it.text("finding.id")).collect();
        let due: &[&str] = if unknown { &["posture-unknown"] } else { &[] };
        check(findings == due, format!("findings {findings:?} instead of {due:?}"));
        (closed, problems)
    }
}
