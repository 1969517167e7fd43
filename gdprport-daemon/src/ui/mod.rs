//! What people type and see: the command line, tables and exit codes.
//!
//! Belongs here: presentation. Everything shown comes from `control`, or from what a command calls in `app`.

pub mod cli;
mod commands;
mod doctor;
mod flows;
mod format;
mod lines;
mod problems;
mod status;
mod table;
mod tone;

use std::ffi::OsString;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::Parser;

use self::cli::{Cli, Color};
use crate::app::{ConfigError, PolicyError, RunError};
use crate::control::client::ClientError;

/// Columns where no terminal says how many there are.
const WIDTH_OF_A_PIPE: u16 = 120;

/// What tables have to fit, and the time they count from.
#[derive(Debug, Clone, Copy)]
struct Screen {
    /// Columns.
    width: u16,
    /// Ages are counted up to here.
    now: jiff::Timestamp,
}

/// How a command ends; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// As asked.
    Fine = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage, or a policy with problems.
    Invalid = 2,
    /// The daemon cannot be reached.
    Unreachable = 3,
}

/// Where a command writes.
struct Out {
    stream: AutoStream<StdoutLock<'static>>,
    terminal: bool,
}

impl Out {
    fn new(color: Color) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let choice = match color {
            Color::Auto => AutoStream::choice(&stdout),
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { stream: AutoStream::new(stdout.lock(), choice), terminal }
    }

    fn screen(&self) -> Screen {
        let size = if self.terminal { rustix::termios::tcgetwinsize(io::stdout()).ok() } else { None };
        // Some terminals (serial lines) report no columns at all.
        let width = size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(WIDTH_OF_A_PIPE);
        Screen { width, now: jiff::Timestamp::now() }
    }

    /// Writes text that may be coloured.
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    /// Writes one JSON value as it came, with its newline.
    fn json(&mut self, json: &[u8]) -> io::Result<()> {
        self.stream.write_all(json)?;
        self.stream.write_all(b"\n")?;
        self.stream.flush()
    }
}

/// Runs the command line and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help into a closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Invalid as u8));
        }
    };
    let exit = commands::run(cli).unwrap_or_else(|error| {
        let exit = exit_of(&error);
        if exit != Exit::Fine {
            let _ = writeln!(io::stderr(), "gdprport: {}", said(&error));
        }
        exit
    });
    ExitCode::from(exit as u8)
}

/// What an error says. Each message tells its cause itself, with what to do after it: the chain of causes is not
/// printed, it would say everything twice.
fn said(error: &anyhow::Error) -> String {
    format::clean_lines(&error.to_string())
}

fn exit_of(error: &anyhow::Error) -> Exit {
    // A reader that has seen enough (`| head`) ends the command, not in failure.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Fine;
    }
    match error.downcast_ref::<ClientError>() {
        None if error.is::<ConfigError>() || error.is::<PolicyError>() => Exit::Invalid,
        None if error.downcast_ref::<RunError>().is_some_and(|e| matches!(e, RunError::Policy(_))) => {
            Exit::Invalid
        }
        None | Some(ClientError::Refused(_)) => Exit::Failed,
        Some(
            ClientError::NoDaemon(_)
            | ClientError::Denied { .. }
            | ClientError::Silent(_)
            | ClientError::Garbled { .. },
        ) => Exit::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::from(io::ErrorKind::PermissionDenied);
        let path = || PathBuf::from("/etc/gdprport/some.toml");
        let errors: [anyhow::Error; 2] = [
            ConfigError::Read { path: path(), source: cause() }.into(),
            RunError::from(PolicyError::Read { path: path(), source: cause() }).into(),
        ];
        for error in errors {
            let text = said(&error);
            assert_eq!(text.matches("permission denied").count(), 1, "{text}");
        }
    }

    #[test]
    fn an_error_of_several_lines_keeps_them_and_cannot_drive_the_terminal() {
        let error = anyhow::anyhow!("line 2\n  |\n2 | a\u{1b}[2Jb = 1\n  | ^");
        assert_eq!(said(&error), "line 2\n  |\n2 | a\u{fffd}[2Jb = 1\n  | ^");
    }
}
