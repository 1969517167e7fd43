//! The protocols that are known by their first bytes, one file per family.
//!
//! Belongs here: parsers. Which exist, and for which services, is in the table (`table.rs`).

pub(super) mod amqp;
pub(super) mod cut;
pub(super) mod db2;
pub(super) mod files;
pub(super) mod ftp;
pub(super) mod http;
pub(super) mod ldap;
mod line;
pub(super) mod mail;
pub(super) mod mssql;
pub(super) mod mysql;
pub(super) mod nats;
pub(super) mod news;
pub(super) mod other;
pub(super) mod postgresql;
pub(super) mod queue;
pub(super) mod remote;
mod sasl;
pub(super) mod sieve;
pub(super) mod smb;
pub(super) mod store;
pub(super) mod tunnel;
pub(super) mod xmpp;
