//! The orders of the instrument: one JSON object a line.

use std::net::Ipv4Addr;

use serde::Deserialize;

/// One order. Ports are in host byte order, times in the replies are nanoseconds.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Connections one after the other, both ends in one thread that is pinned to one CPU.
    Sequential { port: u16, count: u32, route: Route },
    /// Connections `ways` at a time; with `seconds`, as many as there is time for instead of `count`.
    Crowd { port: u16, count: u64, ways: u32, seconds: Option<u64> },
    /// One process for each connection: `client ADDRESS:PORT`, which ends at once.
    Processes { port: u16, count: u32, client: String },
    /// `blocks` of 1 MiB through one connection, `up` from client to server or down.
    Bulk { port: u16, blocks: u32, up: bool, route: Route },
    /// Connections that send a request in plaintext; how long until `events` reports that of both ends.
    ReportLatency { port: u16, count: u32, events: String },
    /// Connections, spread over `ports`, that stay until `hang-up`.
    Hold { ports: Vec<u16>, count: u32 },
    /// Ends what `hold` began.
    HangUp {},
    /// Mounts a bpffs in which a daemon can pin its hooks, until the end; replies with a directory in it.
    Pins {},
    /// Makes a PostgreSQL cluster of its own and starts it, for clients of both routes; replies with its executables.
    DatabaseStart { port: u16 },
    /// Runs pgbench against it; replies with the transactions and their rate.
    Transactions { route: Route, how: How, clients: u32, seconds: u32 },
    /// Stops the cluster and removes it.
    DatabaseEnd {},
    /// Programs of several users connect at the same time, while a monitor is stopped for a while; replies with what each
    /// has counted.
    Parties(Parties),
    /// Starts a program in a process group of its own; `inside` the namespace of the load or outside of it.
    Start { name: String, argv: Vec<String>, stdout: Option<String>, stderr: Option<String>, inside: bool },
    /// Stops what was started under this name with a signal, and kills it if it does not exit.
    Stop { name: String, signal: i32 },
    /// Waits until a text stands in a file as often as `count`, at most `seconds`; replies how often it does.
    Await { path: String, text: String, count: u64, seconds: u64 },
    /// Sends a signal to what was started.
    Signal { name: String, signal: i32 },
    /// Whether what was started still runs.
    Alive { name: String },
    /// Runs a program to its end and replies with its status, output and duration.
    Run { argv: Vec<String>, inside: bool, keep: bool },
    /// Registers a command to run at the end in any case; the latest first.
    Undo { argv: Vec<String> },
    /// CPU time of these processes so far.
    Cpu { pids: Vec<u32> },
    /// Loaded BPF programs, and which of them the processes hold.
    Programs { pids: Vec<u32> },
    /// Switches the kernel's statistics of BPF programs on or off.
    Stats { on: bool },
}

/// The way from client to server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Route {
    /// Loopback, in one network namespace.
    Lo,
    /// A veth pair between two of them.
    Veth,
}

/// How the clients of a database connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// Once, without TLS.
    Once,
    /// For each transaction, without TLS.
    Each,
    /// For each transaction, with TLS.
    EachTls,
}

/// A load of several programs, of which a monitor sees only a part by itself: it is stopped for a while.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parties {
    pub(crate) port: u16,
    pub(crate) server: Identity,
    pub(crate) callers: Vec<Caller>,
    /// Starts when the monitor was stopped for a quarter of the time.
    pub(crate) stranger: Caller,
    /// The monitor that is stopped, by the name under which it was started.
    pub(crate) monitor: String,
    /// When it is stopped, and for how long; s.
    pub(crate) stop_after: u64,
    pub(crate) stop_for: u64,
}

/// A program and its user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// A copy of this program under another name.
    pub(crate) exe: String,
    pub(crate) user: String,
}

/// A program that connects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// Its own addresses, and those that it connects to.
    pub(crate) from: Vec<Ipv4Addr>,
    pub(crate) to: Vec<Ipv4Addr>,
    /// Connections at a time.
    pub(crate) ways: u32,
    /// When it ends: after so many seconds, or connections of each way.
    pub(crate) seconds: u64,
    pub(crate) count: u64,
    /// Between two connections of a way; ms.
    pub(crate) pause: u64,
}
