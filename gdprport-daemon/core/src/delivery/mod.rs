//! What a deliverer is asked to do: the sinks of `gdprport.toml`, as they are written.
//!
//! Belongs here: the grammar and meaning of `[[sink]]`, one file for the settings of each transport, the filter, and what a
//! sink waits for. Pure. How events get to a receiver is `deliver`'s in the daemon's crate.

mod path;
mod secret;
mod tls;

pub use secret::SecretRef;
pub use tls::{ClientCertificate, ServerName, TlsSettings};
