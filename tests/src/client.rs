//! Client programs that run to their end.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::child::{Child, Place};
use crate::wait::{self, TIMEOUT};

/// A client program that was run to its end.
#[derive(Debug, Clone)]
pub struct ClientRun {
    /// Its process id.
    pub pid: u32,
    /// Its standard output, trimmed.
    pub output: String,
}

/// Runs `command` at `place` to its end.
///
/// # Panics
/// When it fails; with its output.
#[track_caller]
pub fn run(mut command: Command, place: Place<'_>) -> ClientRun {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{command:?}");
    let mut child = Child::start(command, place);
    let pipes = child.pipes();
    let (mut output, mut errors) = (String::new(), String::new());
    // Clients of the tests write a few lines, less than a pipe holds, so one after the other is right.
    pipes.stdout.take().expect("stdout is piped").read_to_string(&mut output).expect("clients write UTF-8");
    pipes.stderr.take().expect("stderr is piped").read_to_string(&mut errors).expect("clients write UTF-8");
    let status = wait::within(TIMEOUT, &what, || child.ended());
    assert!(status.success(), "{what}: {status}\n{output}\n{errors}");
    ClientRun { pid: child.pid(), output: output.trim().to_owned() }
}
