//! A draft of what Art. 33(3) GDPR asks for after a breach, of one port and one time: what was reachable by whom, what happened, how it
//! was protected then, and what was not watched. The rest is for people, and nothing of it is guessed.
//!
//! Belongs here: the model, and how it is gathered from the ledger. How it looks is the layer `report`'s.

mod asked;
mod gather;
mod model;
#[cfg(test)]
mod tests;
mod watched;

pub use asked::AskedPort;
pub use gather::{Then, gather, known_ports};
pub use model::{Deadline, Exposure, HourOf, Incident, PolicyThen, Reachable};
pub use watched::{Unwatched, Watched};
