//! TLS to receivers, for every transport: the client's configuration and the meaning of its errors.

mod config;
mod meaning;
#[cfg(test)]
mod tests;

pub(crate) use config::{client_config, handshake, pem};
pub(crate) use meaning::explain;
