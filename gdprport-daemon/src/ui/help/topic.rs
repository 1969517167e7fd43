//! Which topics there are, in the order in which a newcomer reads them.

/// A page of the help.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// What is typed behind `gdprport help`.
    pub name: &'static str,
    /// Its Markdown. The first line is `# NAME: SUMMARY`; behind it are paragraphs, tables of two columns, and blocks of code.
    pub text: &'static str,
}

/// The word that lists the topics.
pub(in crate::ui) const LIST: &str = "topics";

macro_rules! topics {
    ($($name:literal,)+) => {
        [$(Topic { name: $name, text: include_str!(concat!("../../../../docs/help/", $name, ".md")) },)+]
    };
}

/// Every topic.
pub const TOPICS: [Topic; 11] = topics![
    "first-steps",
    "policy",
    "verdicts",
    "attribution",
    "posture",
    "enforcement",
    "events",
    "coverage",
    "privacy",
    "sinks",
    "exit-codes",
];

impl Topic {
    /// What it is about, in a few words.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        let title = self.text.lines().next().unwrap_or_default();
        title.split_once(": ").map_or(title, |(_, summary)| summary)
    }
}
