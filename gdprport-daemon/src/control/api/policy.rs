//! The policy in force as a text, and a policy on trial.

use std::path::Path;
use std::sync::Arc;

use gdprport_core::policy::Source;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The shortest time that a trial may have, in seconds: somebody has to have a chance to confirm it.
pub(crate) const TRIAL_MIN_S: u64 = 5;

/// The longest, in seconds: a day.
pub(crate) const TRIAL_MAX_S: u64 = 86_400;

/// The reply to `GET /v1/policy`: the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyText {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its files with their texts, in the order in which they were read; none for the catalog.
    pub files: Arc<[Source]>,
    /// Where this daemon reads it from.
    pub place: PolicyPlace,
    /// It is on trial; `null`: it is not.
    pub trial: Option<TrialStatus>,
}

/// Where a daemon reads its policy from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PolicyPlace {
    /// From these files.
    Files(Vec<String>),
    /// From `policy.toml` and `policy.d/*.toml` in this directory.
    Directory(String),
    /// From nowhere: it was started with the catalog.
    Catalog,
}

impl PolicyPlace {
    /// Whether a file belongs to the policy, or would if it were there.
    #[must_use]
    pub(crate) fn holds(&self, file: &str) -> bool {
        match self {
            Self::Files(files) => files.iter().any(|known| known == file),
            Self::Directory(path) => {
                let path = Path::new(path);
                let is_drop_in = |file: &Path| {
                    file.parent() == Some(&path.join("policy.d"))
                        && file.extension().is_some_and(|end| end == "toml")
                };
                let file = Path::new(file);
                file == path.join("policy.toml") || is_drop_in(file)
            }
            Self::Catalog => false,
        }
    }

    /// The file that is meant where none is named; `None`: there is no such.
    #[must_use]
    pub(crate) fn main(&self) -> Option<String> {
        match self {
            Self::Files(files) => match files.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
            Self::Directory(path) => Some(Path::new(path).join("policy.toml").display().to_string()),
            Self::Catalog => None,
        }
    }
}

/// A policy that gives way to the one before, unless it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrialStatus {
    /// When it gives way.
    pub until: Timestamp,
    /// Seconds until then.
    pub left_s: u64,
    /// The digest of the policy that comes back then.
    pub before: String,
    /// The file whose text is on trial. It is written when the trial is confirmed.
    pub file: String,
}

/// The body of `POST /v1/policy/trial`: a policy to put in force at once, and to take back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialOrder {
    /// All of its files.
    pub files: Vec<Source>,
    /// The one of them that differs from what is in force.
    pub file: String,
    /// Seconds until it gives way, unless it is confirmed: [`TRIAL_MIN_S`] to [`TRIAL_MAX_S`].
    pub confirm_within_s: u64,
}

impl TrialOrder {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(TRIAL_MIN_S..=TRIAL_MAX_S).contains(&self.confirm_within_s) {
            return Err(format!("a trial takes {TRIAL_MIN_S} s to {TRIAL_MAX_S} s"));
        }
        if !self.files.iter().any(|source| source.name == self.file) {
            return Err(format!("{} is not among the files", self.file));
        }
        Ok(())
    }
}
