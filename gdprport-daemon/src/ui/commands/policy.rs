//! Policy files without a daemon: check them, and print the schema that editors use.

use std::path::PathBuf;

use serde::Serialize;

use super::super::exit::Exit;
use super::super::format;
use super::super::problems;
use super::super::screen::Output;
use super::files::{ETC, policy_files};
use crate::app::{self, PolicyError, Trust};
use gdprport_core::audit::CountriesFile;
use gdprport_core::policy::{self, Problem, Severity};

/// What `policy check --json` prints.
#[derive(Debug, Default, Serialize)]
struct PolicyReport {
    valid: bool,
    digest: Option<String>,
    problems: Vec<Problem>,
    /// Which files others than root can change, and how.
    exposed: Vec<String>,
    /// Why the file of countries cannot be used; absent: it can, or none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    countries: Option<String>,
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
            let report = PolicyReport { valid: true, ..PolicyReport::default() };
            (report, summary)
        }
        Ok(loaded) => {
            let policy = &loaded.policy;
            let (countries, writable) = app::countries(policy.controller(), trust);
            let countries = match countries {
                CountriesFile::Unusable(why) => {
                    Some(format!("the countries of addresses are not known: {why}"))
                }
                CountriesFile::NotAsked | CountriesFile::Read(_) => None,
            };
            let exposed: Vec<String> = loaded.exposed.iter().cloned().chain(writable).collect();
            let warnings: Vec<Problem> = policy.warnings_at(jiff::Timestamp::now()).cloned().collect();
            let ports = policy.watched().filter(|port| port.declared).count();
            let warned = match warnings.len() + exposed.len() + usize::from(countries.is_some()) {
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
            (PolicyReport { valid: true, digest, problems: warnings, exposed, countries }, summary)
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
            (PolicyReport { problems: problems.list, ..PolicyReport::default() }, summary)
        }
        Err(error) => return Err(error.into()),
    };
    if json {
        out.value(&checked)?;
    } else {
        for problem in problems::errors_last(&checked.problems) {
            out.text(&problems::show(problem))?;
            out.text("\n")?;
        }
        for exposed in checked.exposed.iter().chain(&checked.countries) {
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
