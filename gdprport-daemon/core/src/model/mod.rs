//! The vocabulary of the product as types: directions, endpoints, processes and how they are known.
//!
//! Belongs here: plain values that more than one layer uses, with their text and JSON forms.
//! Does not belong here: anything that decides (`policy`), remembers (`flow`) or reads the machine (`host`).

mod connection;
mod container;
mod nat;
mod posture;
mod process;
mod proxy;

pub use connection::{Direction, Endpoint, Outcome};
pub use container::{Compose, Container, Label, Names, Naming, StatedBy, Workload};
pub use nat::{Nat, Translation};
pub use posture::{Certificate, Posture, PostureState, Proof, TlsVersion};
pub use process::{Attribution, Parent, Process, Withheld};
pub use proxy::UserlandProxy;
