//! The result of one target, parsed from the fuzzer's output, and the table of all.

use std::fmt::{self, Write as _};
use std::path::Path;

/// The result of one target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) target: String,
    executions: u64,
    /// Edges of the program reached.
    coverage: u64,
    /// What was found and how to reproduce it, if anything.
    pub(crate) failure: Option<String>,
}

impl Outcome {
    /// Parses libFuzzer's output.
    pub(crate) fn read(target: &str, output: &str, ended_well: bool, binary: &Path, log: &Path) -> Self {
        let coverage = output.lines().rev().find_map(|line| {
            let (_, rest) = line.strip_prefix('#')?.split_once("cov: ")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        // The statistics stand at the end; without them, the last line of progress has the count.
        let counted = output.lines().rev().find_map(|line| {
            let number = line.strip_prefix("stat::number_of_executed_units:");
            number.or_else(|| line.strip_prefix('#')?.split_whitespace().next())?.trim().parse().ok()
        });
        let failure = (!ended_well).then(|| failure(output, binary, log));
        Self {
            target: target.to_owned(),
            executions: counted.unwrap_or(0),
            coverage: coverage.unwrap_or(0),
            failure,
        }
    }
}

/// The error message, the input, and the command that reproduces it.
fn failure(output: &str, binary: &Path, log: &Path) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at "));
    let message = match panic {
        // The assertion's message is in the next lines, up to the backtrace.
        Some(at) => lines[at..]
            .iter()
            .take_while(|line| !line.starts_with("stack backtrace"))
            .take(4)
            .copied()
            .collect(),
        None => lines.iter().find(|line| line.contains("ERROR: ")).copied().into_iter().collect::<Vec<_>>(),
    };
    let mut failure: String = message.iter().map(|line| format!("  {line}\n")).collect();
    match output.split("Test unit written to ").nth(1).and_then(|rest| rest.lines().next()) {
        Some(input) => {
            let _ = writeln!(failure, "  the input: {input}\n  see it again: {} {input}", binary.display());
        }
        None => {
            let _ = writeln!(failure, "  what it wrote: {}", log.display());
        }
    }
    failure
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = if self.failure.is_some() { "FOUND SOMETHING" } else { "ok" };
        let Self { target, executions, coverage, .. } = self;
        write!(f, "{target:<12} {executions:>11} {coverage:>9}  {result}")
    }
}

/// All results, one a line, followed by what was found.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = format!("{:<12} {:>11} {:>9}  RESULT\n", "TARGET", "EXECUTIONS", "COVERAGE");
    for outcome in outcomes {
        let _ = writeln!(table, "{outcome}");
    }
    for outcome in outcomes {
        if let Some(failure) = &outcome.failure {
            let _ = write!(table, "\n{}:\n{failure}", outcome.target);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str, ended_well: bool) -> Outcome {
        Outcome::read("tls", output, ended_well, Path::new("/b/tls"), Path::new("/w/log"))
    }

    #[test]
    fn a_run_without_a_find_is_counted() {
        let output = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#900\tDONE   cov: 34 ft: 56 corp: 7/8b\n\
                    Done 900 runs in 61 second(s)\nstat::number_of_executed_units: 901\nstat::peak_rss_mb: 40\n";
        let outcome = read(output, true);
        assert_eq!((outcome.executions, outcome.coverage, &outcome.failure), (901, 34, &None));
        assert!(table(&[outcome]).contains("tls                  901        34  ok\n"));
    }

    #[test]
    fn a_find_has_a_message_an_input_and_a_command_to_reproduce_it() {
        let output = "#77\tNEW    cov: 5 ft: 6\nthread '<unnamed>' (1) panicked at src/a.rs:1:2:\nattempt to add\n\
                    stack backtrace:\n   0: x\nartifact_prefix='/w/'; Test unit written to /w/crash-1\nBase64: AA==\n";
        let outcome = read(output, false);
        assert_eq!((outcome.executions, outcome.coverage), (77, 5));
        let failure = outcome.failure.expect("it failed");
        assert!(failure.contains("panicked at src/a.rs:1:2:\n  attempt to add\n"), "{failure}");
        assert!(failure.contains("see it again: /b/tls /w/crash-1\n"), "{failure}");
        assert!(!failure.contains("backtrace"), "{failure}");
    }

    #[test]
    fn a_failure_without_an_input_names_the_log() {
        let failure = read("==1== ERROR: something else\n", false).failure.expect("it failed");
        assert!(failure.contains("ERROR: something else") && failure.contains("/w/log"), "{failure}");
    }
}
