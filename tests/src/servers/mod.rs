//! Real servers, each with its own port, data directory, user and cgroup; stopped when dropped.
//!
//! Belongs here: starting one and knowing when it is ready without connecting to it (a probing connection
//! would be a flow that the daemon has to report). Does not belong here: tests about them.

mod database;
mod directory;
mod mail;
mod openssl;
mod server;
mod site;
mod web;

pub use database::{MariaDb, Postgres, Redis};
pub use directory::OpenLdap;
pub use mail::{Dovecot, Postfix};
pub use openssl::OpenSsl;
pub use server::Server;
pub use site::Site;
pub use web::{Nginx, Node, Python, client_script, python};
