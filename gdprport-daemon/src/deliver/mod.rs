//! The deliverer (`gdprport deliver`): reads the spool and sends what it finds there to receivers on the network.
//!
//! A process of its own, with its own user and no capability: what a receiver answers is parsed here and nowhere else, so that
//! no byte from the network reaches the sensor. Belongs here: one file for each transport, TLS, secrets, cursors, and what a
//! sink waits for. Does not belong here: how an event is written (`gdprport_core::encode`), what can be configured
//! (`gdprport_core::delivery`), the spool (`sink::spool`).

mod beginning;
mod board;
mod config;
mod connect;
mod cursor;
mod feed;
mod files;
mod hidden;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod line;
mod lost;
mod measured;
mod message;
mod nats;
mod probe;
mod receiver;
mod routes;
mod run;
mod running;
mod secret;
mod stamps;
mod standing;
mod syslog;
mod tls;
mod transport;
#[cfg(test)]
mod trial;
mod worker;

pub(crate) use crate::host::configuration::{ConfigError, PLACE as CONFIG};
pub(crate) use config::load;
pub(crate) use line::{bounded, one_line};
pub use measured::Sent;
pub(crate) use message::Message;
pub(crate) use probe::probe;
pub(crate) use run::{DeliverError, DeliverOptions, run, this_host};
pub(crate) use secret::seal;
pub(crate) use stamps::DIRECTORY as STAMPS;
pub(crate) use transport::{ANSWER_MAX, Failure, Limits, Outcome, Refused, Sending, Transport};

#[cfg(test)]
mod tests;
