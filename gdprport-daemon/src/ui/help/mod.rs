//! `gdprport help TOPIC`: short pages about what the words mean, from `docs/help`.
//!
//! Belongs here: which topics there are, and how their Markdown looks on a terminal. What a page says is the page's; tests compare
//! its lists with the code.

mod installed;
mod near;
mod page;
#[cfg(test)]
mod tests;
mod topic;

pub use installed::DOCS;
pub(super) use installed::docs;
pub(super) use near::UnknownTopic;
pub(super) use page::{contents, page};
pub(super) use topic::LIST;
pub use topic::{TOPICS, Topic};
