//! The orders of the instrument: one JSON object a line.

use serde::Deserialize;

/// One order. Ports are in host byte order, times in the replies are nanoseconds.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Connections one after the other, both ends in one thread that is pinned to one CPU.
    Sequential { port: u16, count: u32 },
    /// Connections `ways` at a time; with `seconds`, as many as there is time for instead of `count`.
    Crowd { port: u16, count: u64, ways: u32, seconds: Option<u64> },
    /// One process for each connection: `client ADDRESS:PORT`, which ends at once.
    Processes { port: u16, count: u32, client: String },
    /// `blocks` of 1 MiB through one connection, `up` from client to server or down.
    Bulk { port: u16, blocks: u32, up: bool },
    /// Connections that send a request in plaintext; how long until `events` reports that of both ends.
    ReportLatency { port: u16, count: u32, events: String },
    /// Connections, spread over `ports`, that stay until `hang-up`.
    Hold { ports: Vec<u16>, count: u32 },
    /// Ends what `hold` began.
    HangUp {},
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
