//! Findings for readers elsewhere: Markdown for people, SARIF for tools that collect findings.
//!
//! Belongs here: rendering an audit. What is found is `gdprport_core::audit`'s, tables on a terminal are `ui`'s.

mod markdown;
#[cfg(test)]
pub(crate) mod samples;
mod sarif;
#[cfg(test)]
mod tests;

pub(crate) use markdown::markdown;
pub(crate) use sarif::sarif;
