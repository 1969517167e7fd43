//! Receivers that are reached over HTTP: one client, and one file for what each of them understands.
//!
//! Belongs here: requests, what answers mean, and the sentences about them. Each receiver has a pure function from an answer to
//! a verdict, so that any answer can be tried without a network.

mod answer;
mod attempts;
mod client;
mod elastic;
#[cfg(any(test, fuzzing))]
pub(super) mod hostile;
mod json;
mod loki;
mod ndjson;
mod otlp;
mod splunk;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub(crate) use client::{Receiver, Request, Scheme};
pub(crate) use elastic::Elastic;
pub(crate) use loki::Loki;
pub(crate) use ndjson::Ndjson;
pub(crate) use otlp::Otlp;
pub(crate) use splunk::Splunk;
