//! The built-in catalog: well-known services that usually carry personal data.
//!
//! Belongs here: what a service is, the table, and how it is looked up. What a policy makes of it is `policy`'s. Chosen with
//! care: a port that many unrelated programs use by default (80, 443, 8080, 8443, 9000) would drown the rest and is left
//! out, and so are stores of configuration rather than of people (etcd, Consul, Vault).

mod find;
mod service;
mod services;

pub use find::{by_executable, by_id, by_port};
pub use service::{Service, TlsStart};
pub use services::SERVICES;
