//! A database and its own load generator: a private PostgreSQL cluster, and `pgbench` over TCP.

use std::process::{Command, Stdio};

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::netns::VethPair;
use gdprport_tests::servers::{Postgres, Site};
use serde_json::{Value, json};

use crate::request::{How, Route};

/// Threads of the client.
const THREADS: u32 = 2;

/// The cluster, at the right end of the pair; stopped and removed when dropped.
pub(crate) struct Database(Postgres);

impl Database {
    /// Makes a cluster of its user's own in a temporary directory, with TLS for those who ask for it, and the tables of
    /// pgbench.
    ///
    /// # Errors
    /// PostgreSQL is not installed.
    pub(crate) fn start(pair: &VethPair, port: u16) -> Result<Self, String> {
        let site = Site::inside(&pair.right, port, &["127.0.0.1", VethPair::RIGHT]);
        let postgres = Postgres::at(site, true).map_err(|missing| missing.to_string())?;
        let database = Self(postgres);
        let mut fill = database.pgbench(Route::Lo, How::Once);
        fill.args(["--initialize", "--init-steps=dtgp", "--quiet", "postgres"]);
        run(fill, database.place(pair, Route::Lo));
        Ok(database)
    }

    /// What a policy would name: the executables of both sides, and their user.
    pub(crate) fn identity(&self) -> Value {
        json!({
            "server": self.0.server.exe, "client": self.0.pgbench_exe(), "user": self.0.server.user.name,
            "unit": self.0.server.cgroup.unit(), "version": self.0.version(),
        })
    }

    /// Simple selects for so many seconds.
    ///
    /// # Errors
    /// pgbench fails.
    pub(crate) fn transactions(
        &self,
        pair: &VethPair,
        route: Route,
        how: How,
        clients: u32,
        seconds: u32,
    ) -> Result<Value, String> {
        let mut command = self.pgbench(route, how);
        command.args(["--no-vacuum", "--select-only", "--random-seed=7"]);
        command.arg(format!("--client={clients}")).arg(format!("--jobs={}", THREADS.min(clients)));
        command.arg(format!("--time={seconds}"));
        if how != How::Once {
            command.arg("--connect");
        }
        command.arg("postgres").stdin(Stdio::null());
        self.place(pair, route).apply(&mut command);
        let output = command.output().map_err(|error| format!("cannot run pgbench: {error}"))?;
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match Report::read(&text) {
            Some(report) if output.status.success() && report.failed == 0 => {
                Ok(json!({ "transactions": report.transactions, "tps": report.tps }))
            }
            _ => Err(format!("pgbench failed ({}): {}{}", output.status, text, errors.trim())),
        }
    }

    /// pgbench to the cluster by this route.
    fn pgbench(&self, route: Route, how: How) -> Command {
        let mut command = Command::new(self.0.pgbench_exe());
        let host = match route {
            Route::Lo => "127.0.0.1",
            Route::Veth => VethPair::RIGHT,
        };
        command.args(["--username=postgres", "--host", host, "--port", &self.0.server.port.to_string()]);
        command.env("PGSSLMODE", if how == How::EachTls { "require" } else { "disable" });
        // Not of whoever runs the bench: there may be a certificate that only that user may read.
        command.env("HOME", "/nonexistent");
        command.env("PGGSSENCMODE", "disable").env("LC_ALL", "C").current_dir("/");
        command
    }

    /// Where the client runs, as the cluster's user.
    fn place<'a>(&'a self, pair: &'a VethPair, route: Route) -> Place<'a> {
        let netns = match route {
            Route::Lo => &pair.right,
            Route::Veth => &pair.left,
        };
        Place::default().netns(netns).user(&self.0.server.user)
    }
}

/// What pgbench prints at its end.
#[derive(Debug, PartialEq)]
struct Report {
    transactions: u64,
    failed: u64,
    /// Transactions per second; with a connection for each, including its time.
    tps: f64,
}

impl Report {
    fn read(text: &str) -> Option<Self> {
        let after = |key: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
            rest.split_whitespace().next()
        };
        Some(Self {
            transactions: after("number of transactions actually processed: ")?.parse().ok()?,
            failed: after("number of failed transactions: ").map_or(Some(0), |count| count.parse().ok())?,
            tps: after("tps = ")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbenchs_report_is_read_with_and_without_reconnects() {
        let text = "pgbench (15.13 (Debian 15.13-0+deb12u1))\ntransaction type: <builtin: select only>\n\
                    number of clients: 4\nduration: 1 s\nnumber of transactions actually processed: 1234\n\
                    number of failed transactions: 0 (0.000%)\nlatency average = 3.241 ms\n\
                    average connection time = 2.9 ms\ntps = 1234.117 (including reconnection times)\n";
        let expected = Report { transactions: 1_234, failed: 0, tps: 1_234.117 };
        assert_eq!(Report::read(text), Some(expected));
        let persistent = text.replace("(including reconnection times)", "(without initial connection time)");
        assert_eq!(Report::read(&persistent).map(|report| report.transactions), Some(1_234));
        assert_eq!(Report::read("pgbench: error: connection to server failed\n"), None);
    }

    #[test]
    fn failed_transactions_are_not_overlooked() {
        let text = "number of transactions actually processed: 9\nnumber of failed transactions: 2 (18.182%)\ntps = 9.0 (x)\n";
        assert_eq!(Report::read(text).map(|report| report.failed), Some(2));
    }
}
