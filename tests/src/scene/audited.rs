//! What an audit says, as a program reads it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::daemon::program;
use crate::event::at;

/// What `gdprport audit --json` printed.
#[derive(Debug)]
pub struct Audited {
    /// All of it.
    pub json: Value,
    /// How it ended.
    pub code: Option<i32>,
}

impl Audited {
    /// Runs `gdprport audit --json` with this policy and ledger, and these words.
    ///
    /// # Panics
    /// When it prints no JSON.
    #[must_use]
    #[track_caller]
    pub fn of(policy: &Path, ledger: &Path, words: &[&str]) -> Self {
        let output = audit(policy, ledger, &[&["--json"], words].concat());
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let printed =
                [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
            panic!("no JSON ({error}): {}", printed.join("\n"))
        });
        Self { json, code: output.status.code() }
    }

    /// Its findings, accepted ones too if so asked, as the id and what tells one from others of the same id, ascending.
    #[must_use]
    pub fn found(&self, list: &str) -> Vec<String> {
        let mut all: Vec<String> = self.list(list).iter().map(name).collect();
        all.sort();
        all
    }

    /// The one finding of this name.
    ///
    /// # Panics
    /// When it was not found.
    #[must_use]
    #[track_caller]
    pub fn finding(&self, named: &str) -> &Value {
        let all = self.list("findings").iter().chain(self.list("accepted"));
        let mut found = all.filter(|finding| name(finding) == named);
        found.next().unwrap_or_else(|| panic!("no {named} in {:#}", self.json))
    }

    fn list(&self, list: &str) -> &[Value] {
        self.json[list].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// The evidence `what` of a finding; empty if there is none.
#[must_use]
pub fn evidence<'a>(finding: &'a Value, what: &str) -> &'a str {
    let all = finding["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
    let one = all.iter().find(|evidence| evidence["what"] == what);
    one.and_then(|evidence| evidence["value"].as_str()).unwrap_or_default()
}

/// The id, and all that its subject has, in the order of the subject's fields.
fn name(finding: &Value) -> String {
    let mut words = vec![finding["id"].as_str().unwrap_or_default().to_owned()];
    for field in ["port", "number", "rule", "address", "process", "detail"] {
        match at(finding, &format!("subject.{field}")) {
            Value::Null => {}
            Value::String(text) => words.push(text.clone()),
            other => words.push(other.to_string()),
        }
    }
    words.join(" ")
}

/// Runs `gdprport audit` with this policy and ledger, and these words.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn audit(policy: &Path, ledger: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("audit").args(words).arg("--policy").arg(policy).arg("--ledger").arg(ledger);
    command.output().expect("the program can be run")
}
