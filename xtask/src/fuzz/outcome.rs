//! What one target came to, read from what the fuzzer wrote, and the table of all.

use std::fmt::{self, Write as _};
use std::path::Path;

/// What one target came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The target.
    pub target: String,
    /// Inputs tried.
    executions: u64,
    /// Edges of the program reached.
    coverage: u64,
    /// What was found and how to see it again, if anything.
    pub failure: Option<String>,
}

impl Outcome {
    /// Reads what libFuzzer wrote.
    pub fn read(target: &str, said: &str, ended_well: bool, binary: &Path, log: &Path) -> Self {
        let coverage = said.lines().rev().find_map(|line| {
            let (_, rest) = line.strip_prefix('#')?.split_once("cov: ")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        // The statistics stand at the end; without them, the last line of progress tells.
        let counted = said.lines().rev().find_map(|line| {
            let number = line.strip_prefix("stat::number_of_executed_units:");
            number.or_else(|| line.strip_prefix('#')?.split_whitespace().next())?.trim().parse().ok()
        });
        let failure = (!ended_well).then(|| failure(said, binary, log));
        Self {
            target: target.to_owned(),
            executions: counted.unwrap_or(0),
            coverage: coverage.unwrap_or(0),
            failure,
        }
    }
}

/// What was found: its own words, the input, and the command that shows it again.
fn failure(said: &str, binary: &Path, log: &Path) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at "));
    let words = match panic {
        // What was asserted stands in the lines behind, up to the backtrace.
        Some(at) => lines[at..]
            .iter()
            .take_while(|line| !line.starts_with("stack backtrace"))
            .take(4)
            .copied()
            .collect(),
        None => lines.iter().find(|line| line.contains("ERROR: ")).copied().into_iter().collect::<Vec<_>>(),
    };
    let mut failure: String = words.iter().map(|line| format!("  {line}\n")).collect();
    match said.split("Test unit written to ").nth(1).and_then(|rest| rest.lines().next()) {
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

/// All outcomes, one a line, and behind them what was found.
pub fn table(outcomes: &[Outcome]) -> String {
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

    fn read(said: &str, ended_well: bool) -> Outcome {
        Outcome::read("tls", said, ended_well, Path::new("/b/tls"), Path::new("/w/log"))
    }

    #[test]
    fn a_run_without_a_find_is_counted() {
        let said = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#900\tDONE   cov: 34 ft: 56 corp: 7/8b\n\
                    Done 900 runs in 61 second(s)\nstat::number_of_executed_units: 901\nstat::peak_rss_mb: 40\n";
        let outcome = read(said, true);
        assert_eq!((outcome.executions, outcome.coverage, &outcome.failure), (901, 34, &None));
        assert!(table(&[outcome]).contains("tls                  901        34  ok\n"));
    }

    #[test]
    fn a_find_tells_its_words_its_input_and_the_command_that_shows_it_again() {
        let said = "#77\tNEW    cov: 5 ft: 6\nthread '<unnamed>' (1) panicked at src/a.rs:1:2:\nattempt to add\n\
                    stack backtrace:\n   0: x\nartifact_prefix='/w/'; Test unit written to /w/crash-1\nBase64: AA==\n";
        let outcome = read(said, false);
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
