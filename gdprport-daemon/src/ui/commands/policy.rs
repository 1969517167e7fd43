//! Policy files without a daemon: check them, and print the schema that editors use.

use std::path::PathBuf;

use serde::Serialize;

use super::super::{Exit, Out, problems};
use crate::app::{PolicyError, PolicyFiles};
use crate::core::policy::{self, Problem, Severity};

/// The answer of `policy check --json`.
#[derive(Debug, Serialize)]
struct Checked {
    valid: bool,
    digest: Option<String>,
    problems: Vec<Problem>,
}

/// Reads the files as the daemon would and shows every problem.
pub(super) fn check(files: Vec<PathBuf>, json: bool, out: &mut Out) -> anyhow::Result<Exit> {
    let count = files.len();
    let (checked, summary) = match PolicyFiles::Named(files).load() {
        Ok(loaded) => {
            let policy = &loaded.policy;
            let warnings = policy.warnings().to_vec();
            let ports = policy.watched().filter(|port| port.declared).count();
            let warned = match warnings.len() {
                0 => String::new(),
                warnings => format!(", {}", counted(warnings, "warning")),
            };
            let summary = format!(
                "valid: {}, {}{warned} in {}\n{}\n",
                counted(ports, "declared port"),
                counted(policy.rules(), "rule"),
                counted(count, "file"),
                policy.digest(),
            );
            let digest = Some(policy.digest().to_owned());
            (Checked { valid: true, digest, problems: warnings }, summary)
        }
        Err(PolicyError::Problems(problems)) => {
            let errors = problems.list.iter().filter(|p| p.severity == Severity::Error).count();
            let more = match problems.omitted {
                0 => String::new(),
                omitted => format!(", and {omitted} more"),
            };
            let summary = format!(
                "invalid: {}, {}{more}\n",
                counted(errors, "error"),
                counted(problems.list.len() - errors, "warning")
            );
            (Checked { valid: false, digest: None, problems: problems.list }, summary)
        }
        Err(error) => return Err(error.into()),
    };
    if json {
        out.json(&serde_json::to_vec(&checked)?)?;
    } else {
        for problem in &checked.problems {
            out.text(&problems::show(problem))?;
            out.text("\n")?;
        }
        out.text(&summary)?;
    }
    Ok(if checked.valid { Exit::Fine } else { Exit::Invalid })
}

/// Prints the JSON Schema of the policy file.
pub(super) fn schema(out: &mut Out) -> anyhow::Result<Exit> {
    out.json(&serde_json::to_vec_pretty(&policy::json_schema())?)?;
    Ok(Exit::Fine)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
