//! A port that the policy enforces, and clients that connect to it once.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::child::{Child, Place};
use crate::policy::{Declaration, declare};
use crate::ports::Port;
use crate::puppet::{ProgramCopy, Puppet};
use crate::wait;

/// What became of a connect, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was made.
    Connected,
    /// "Operation not permitted".
    Denied,
}

/// Runs a program that connects to this port of the loopback once and ends.
///
/// # Panics
/// When it fails otherwise.
#[track_caller]
pub fn connect(program: &Path, port: u16, place: Place<'_>) -> Seen {
    let mut command = Command::new(program);
    command.arg(format!("127.0.0.1:{port}"));
    ended(command, place)
}

/// Runs a program that connects, fails if it cannot, and ends.
///
/// # Panics
/// When it fails otherwise.
#[track_caller]
pub fn ended(mut command: Command, place: Place<'_>) -> Seen {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Child::start(command, place);
    let mut errors = child.pipes().stderr.take().expect("stderr is piped");
    let mut said = String::new();
    errors.read_to_string(&mut said).expect("UTF-8");
    let status = wait::within(wait::TIMEOUT, "the client ends", || child.ended());
    match (status.success(), said.contains("Operation not permitted")) {
        (true, _) => Seen::Connected,
        (false, true) => Seen::Denied,
        (false, false) => panic!("{name}: {status}: {said}"),
    }
}

/// Runs so many of each of two programs in turn, which connect and end at once: the rules allow the first, and not the other.
///
/// # Panics
/// When one is decided otherwise.
#[track_caller]
pub fn each_in_turn(count: u64, [allowed, denied]: [&ProgramCopy; 2], port: u16) {
    for _ in 0..count {
        assert_eq!(connect(&allowed.path(), port, Place::default()), Seen::Connected);
        assert_eq!(connect(&denied.path(), port, Place::default()), Seen::Denied);
    }
}

/// A program that connects once, at a path of its own.
#[must_use]
pub fn client() -> ProgramCopy {
    ProgramCopy::new("client-once", "client")
}

/// A demand for its path.
#[must_use]
pub fn exe(program: &ProgramCopy) -> String {
    format!("exe = \"{}\"", program.path().display())
}

/// A port that is served by somebody.
#[derive(Debug)]
pub struct Scene {
    port: Port,
    _server: Puppet,
}

impl Scene {
    /// Begins to serve.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let port = Port::free();
        let mut server = Puppet::new();
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        Self { port, _server: server }
    }

    /// Its number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// A policy whose only rule for clients asks for this process.
    #[must_use]
    pub fn policy(&self, mode: &str, process: &str) -> String {
        self.declared(mode).allow("calling", "out", "loopback", process).alone()
    }

    /// The same without a rule for clients.
    #[must_use]
    pub fn declared(&self, mode: &str) -> Declaration {
        declare("customers-db", self.port())
            .key(&format!("mode = \"{mode}\""))
            .allow("serving", "in", "loopback", "")
    }
}
