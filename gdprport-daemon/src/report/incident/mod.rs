//! A draft notification of a breach (Art. 33(3) GDPR) for people and for programs.
//!
//! Belongs here: the page (`page`, `reachable`), and JSON (`document`). What is gathered is `gdprport_core::incident`'s.

mod document;
mod page;
mod reachable;
#[cfg(test)]
mod tests;

pub(crate) use document::Document;
pub(crate) use page::page;
