//! What people type and see: the command line, tables and exit codes.
//!
//! Belongs here: presentation. Everything shown comes from `control`, or from what a command calls in `app`.

mod audit;
mod cli;
mod commands;
mod container;
mod coverage;
mod diff;
mod doctor;
mod evidence;
mod evidence_export;
mod exit;
mod explain;
mod flows;
mod format;
mod help;
mod ledger;
mod lines;
mod map;
mod past;
mod problems;
mod reloaded;
mod replay;
mod scan;
mod screen;
mod sinks;
mod spool;
mod status;
mod status_enforcement;
mod status_evidence;
mod status_policy;
mod table;
mod tightened;
mod tone;
mod top;
mod volumes;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory as _, Parser};

use self::cli::Cli;
use self::exit::{Exit, message};
pub use self::help::{DOCS, TOPICS, Topic};

/// The definition of the command line: what the manual and the completions of shells are made from.
#[must_use]
pub fn command() -> Command {
    Cli::command()
}

/// Runs the command line and returns its exit code.
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
        let exit = Exit::of(&error);
        if exit != Exit::Fine {
            let _ = writeln!(io::stderr(), "gdprport: {}", message(&error));
        }
        exit
    });
    ExitCode::from(exit as u8)
}
