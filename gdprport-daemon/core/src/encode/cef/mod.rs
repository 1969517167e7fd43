//! The Common Event Format of ArcSight, version 0 (“CEF Implementation Standard”): what SIEMs without a JSON input read.
//!
//! Belongs here: which field of an event goes to which key. It has few keys: what has no place in it is in `msg`, or only
//! in the native encoding (docs/encodings.md).

mod dictionary;
mod extension;
mod flow;
mod header;
mod other;
#[cfg(test)]
mod tests;

pub use header::cef;
