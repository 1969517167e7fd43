//! How a flow is encrypted, read from the first bytes of both its directions.
//!
//! Belongs here: pure and total parsers. Any bytes, in any order, give an answer; no input makes one panic, or take
//! more than [`Tracker::MAX_BYTES`]. What a policy makes of the answer is `policy`'s, how the bytes are captured
//! `host`'s. Of the bytes nothing is kept once the answer is there, and no evidence repeats what a user sent.

mod assess;
mod ber;
mod cursor;
mod protocols;
mod proxy;
mod reading;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod tracker;
mod upgrade;

pub use table::Protocol;
pub use tracker::{Side, Tracker};
