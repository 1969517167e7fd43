//! What listens and talks on a host, for people: as tables on a terminal, and as a page of Markdown.
//!
//! Belongs here: words and layout. What a service is has been decided in `core::inventory`.

mod first;
mod markdown;
mod page;
mod report;
mod section;
mod words;

pub(super) use first::First;
pub(super) use markdown::markdown;
pub(super) use page::page;
pub(super) use report::{FORMAT, PolicyNote, Report};

#[cfg(test)]
mod tests;
