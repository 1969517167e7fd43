//! TLS from both sides' first bytes: what was offered, what was chosen, or that it was refused.
//!
//! Belongs here: the reading of a handshake and its evidence. Sources: RFC 8446 (1.3), RFC 5246 (1.2), RFC 6101
//! (SSL 3).
//! Everything after a ServerHello of 1.3 is encrypted, its certificate too; up to 1.2 the certificate is visible.

mod alert;
mod certificate;
mod client_hello;
mod handshake;
mod record;
mod registry;
mod server_hello;
mod sslv2;
mod suites;
mod version;

pub(super) use handshake::{Handshake, ServerChoice, read};
pub(super) use record::{HANDSHAKE, follows};
