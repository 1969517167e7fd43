//! Receivers that are reached over HTTP: one client, and one file for what each of them understands.
//!
//! Belongs here: requests, what answers mean, and the sentences about them. Each receiver has a pure function from an answer to
//! a verdict, so that any answer can be tried without a network.

mod answer;
mod attempts;
mod client;
mod ndjson;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use ndjson::Ndjson;
