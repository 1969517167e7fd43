//! What is wrong with a policy: problems with their place, and how they look as text.
//!
//! Belongs here: the public types. How they are collected is `report`'s.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How severe a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy can be used, and is weaker or less complete than it should be.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of a policy, with its place and what would be right. Its text form has no colour: a caller that
/// wants it paints the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How severe it is.
    pub severity: Severity,
    /// The file, as it was named to the parser.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The source line (a window of it where it is long), control characters replaced by spaces.
    pub excerpt: String,
    /// Where the underline starts within `excerpt`, in characters from 0.
    pub underline: usize,
    /// How many characters are underlined, at least 1.
    pub width: usize,
    /// What is wrong, one sentence.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, line, column, message, .. } = self;
        writeln!(f, "{source}:{line}:{column}: {}: {message}", self.severity.as_str())?;
        let gutter = line.to_string().len();
        writeln!(f, " {line} | {}", self.excerpt)?;
        write!(f, " {:gutter$} | {:indent$}{}", "", "", "^".repeat(self.width), indent = self.underline)?;
        if let Some(help) = &self.help {
            write!(f, "\n {:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a policy that cannot be used: at least one error, with the warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems {
    /// The problems, in the order of the files and of the places in them.
    pub list: Vec<Problem>,
    /// How many more there are than are listed.
    pub omitted: usize,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
