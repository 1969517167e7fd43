//! An evidence log as an auditor has it: a copy of its directory, verified by the program and by a second verifier that shares no
//! code with it (`verify_evidence.py`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::commands::{gdprport, path, text};
use crate::temp::TempDir;

/// A log and its public key.
#[derive(Debug)]
pub struct EvidenceLog {
    dir: PathBuf,
    key: String,
}

impl EvidenceLog {
    /// The log in this directory, whose private key is beside it.
    ///
    /// # Panics
    /// When the program does not print the key.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        let output = gdprport(&["evidence", "key", path(dir)]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        Self { dir: dir.to_owned(), key: text(&output.stdout).trim().to_owned() }
    }

    /// A copy, to be changed.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copied(&self, to: &TempDir) -> Self {
        let dir = to.join(format!("copy-{}", fs::read_dir(to.path()).expect("there").count()));
        copy(&self.dir, &dir);
        Self { dir, key: self.key.clone() }
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// An export of it, or another directory, as what is verified by the same key.
    #[must_use]
    pub fn instead(&self, place: &Path) -> Self {
        Self { dir: place.to_owned(), key: self.key.clone() }
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The latest checkpoint.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        fs::read_to_string(self.file("checkpoint")).expect("a checkpoint")
    }

    /// What `gdprport evidence verify` says, and whether it found nothing.
    #[must_use]
    pub fn verified(&self, checkpoints: &[&Path]) -> (bool, Value) {
        let each = checkpoints.iter().flat_map(|checkpoint| ["--checkpoint", path(checkpoint)]);
        self.verified_with(&each.collect::<Vec<_>>())
    }

    /// The same with these options.
    #[must_use]
    pub fn verified_with(&self, options: &[&str]) -> (bool, Value) {
        let words = ["evidence", "verify", path(&self.dir), "--key", &self.key, "--json"];
        let output = gdprport(&[&words, options].concat());
        let said = serde_json::from_slice(&output.stdout);
        (output.status.success(), said.unwrap_or_else(|_| Value::String(text(&output.stderr))))
    }

    /// What the second verifier says, and whether it found nothing.
    ///
    /// # Panics
    /// When there is no Python.
    #[must_use]
    pub fn verified_again(&self, checkpoints: &[&Path]) -> (bool, String) {
        let own = TempDir::new();
        let script = own.write("verify.py", include_str!("verify_evidence.py"));
        let mut python = Command::new("python3");
        python.arg(script).arg(&self.dir).arg(&self.key).args(checkpoints);
        let output: Output = python.output().expect("Python 3");
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("a name");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a file");
        }
    }
}
