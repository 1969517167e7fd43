//! Progress output of the commands: one line when a step begins, one when it ends, with its duration.

use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::Result;

/// What a line begins with that names one thing that failed, for whoever reads only the end of the output.
pub(crate) const FAILED: &str = "failed: ";

/// Runs one step: prints what it is for and, at the end, its outcome and duration.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
    print_line(&format!("{} {what}", paint("1;36", "▸")));
    let begun = Instant::now();
    match work() {
        Ok((value, outcome)) => {
            print_line(&format!("  {} {outcome} ({})", paint("1;32", "✓"), short(begun.elapsed())));
            Ok(value)
        }
        Err(error) => {
            print_line(&format!("  {} failed after {}", paint("1;31", "✗"), short(begun.elapsed())));
            Err(error)
        }
    }
}

/// How long the steps of a command took, for its end.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<(String, Duration)>);

impl Times {
    /// Runs one step as [`step`] does, and remembers its duration.
    pub(crate) fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        let begun = Instant::now();
        let done = step(what, work);
        self.add(what, begun.elapsed());
        done
    }

    /// Remembers one that ran elsewhere.
    pub(crate) fn add(&mut self, what: &str, time: Duration) {
        self.0.push((what.to_owned(), time));
    }

    /// One line a step.
    pub(crate) fn print(&self) {
        for (what, time) in &self.0 {
            note(format_args!("{:>11}  {what}", short(*time)));
        }
    }
}

/// Prints one line within a step.
pub(crate) fn note(text: impl Display) {
    print_line(&format!("    {text}"));
}

/// Progress goes to standard error, so that standard output stays the daemon's and the tests' own.
fn print_line(line: &str) {
    eprintln!("{line}");
}

/// A duration for people: `0.3 s`, `42 s`, `3 min 05 s`.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

fn paint(code: &str, text: &str) -> String {
    if io::stderr().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
}
