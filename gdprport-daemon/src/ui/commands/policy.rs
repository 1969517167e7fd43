//! Policy files without a daemon: check them, and print the schema that editors use.

use std::path::PathBuf;

use serde::Serialize;

use super::super::exit::Exit;
use super::super::format;
use super::super::problems;
use super::super::screen::Output;
use super::files::{ETC, policy_files};
use crate::app::{PolicyError, Trust};
use gdprport_core::policy::{self, Problem, Severity};

/// What `policy check --json` prints.
#[derive(Debug, Serialize)]
struct PolicyReport {
    valid: bool,
    digest: Option<String>,
    problems: Vec<Problem>,
    /// Which files others than root can change, and how.
    exposed: Vec<String>,
}

/// Reads the files as the daemon would and shows every problem.
pub(super) fn check(
    files: Vec<PathBuf>,
    any_owner: bool,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    // What another user writes is a draft; what root checks is what the daemon would take.
    let root = rustix::process::geteuid().is_root();
    let trust = if root && !any_owner { Trust::RootOnly } else { Trust::Anyone };
    let (checked, summary) = match policy_files(files).check(trust) {
        Ok(loaded) if loaded.files.is_empty() => {
            let summary = format!("valid: no file in {ETC}, so the built-in catalog applies\n");
            let report =
                PolicyReport { valid: true, digest: None, problems: Vec::new(), exposed: Vec::new() };
            (report, summary)
        }
        Ok(loaded) => {
            let policy = &loaded.policy;
            let warnings: Vec<Problem> = policy.warnings_at(jiff::Timestamp::now()).cloned().collect();
            let ports = policy.watched().filter(|port| port.declared).count();
            let warned = match warnings.len() + loaded.exposed.len() {
                0 => String::new(),
                warnings => format!(", {}", counted(warnings, "warning")),
            };
            let excepted = match policy.exceptions() {
                0 => String::new(),
                exceptions => format!(", {}", counted(exceptions, "exception")),
            };
            let summary = format!(
                "valid: {}, {}{excepted}{warned} in {}\n{}\n",
                counted(ports, "declared port"),
                counted(policy.rules(), "rule"),
                counted(loaded.files.len(), "file"),
                policy.digest(),
            );
            let digest = Some(policy.digest().to_owned());
            (PolicyReport { valid: true, digest, problems: warnings, exposed: loaded.exposed }, summary)
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
            let exposed = Vec::new();
            (PolicyReport { valid: false, digest: None, problems: problems.list, exposed }, summary)
        }
        Err(error) => return Err(error.into()),
    };
    if json {
        out.value(&checked)?;
    } else {
        for problem in &checked.problems {
            out.text(&problems::show(problem))?;
            out.text("\n")?;
        }
        for exposed in &checked.exposed {
            out.text(&problems::show_plain(Severity::Warning, exposed))?;
            out.text("\n")?;
        }
        out.text(&summary)?;
    }
    Ok(if checked.valid { Exit::Fine } else { Exit::Invalid })
}

/// Prints the JSON Schema of the policy file.
pub(super) fn schema(out: &mut Output) -> anyhow::Result<Exit> {
    out.json(&serde_json::to_vec_pretty(&policy::json_schema())?)?;
    Ok(Exit::Fine)
}

fn counted(count: usize, what: &str) -> String {
    format::counted(count as u64, what)
}
