//! The Elastic Common Schema 9.4: documents for Elasticsearch, OpenSearch and what else reads ECS.
//!
//! Belongs here: which field of an event is which field of ECS. What ECS has no field for stands under `gdprport`, a
//! namespace of our own, as ECS asks for (“custom fields”); docs/encodings.md shows both.

mod class;
mod document;
mod network;
mod other;
mod process;
#[cfg(test)]
mod tests;

pub use document::ecs;
