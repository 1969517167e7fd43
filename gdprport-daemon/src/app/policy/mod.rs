//! Where the active policy comes from: its files, and the addresses of its host names.
//!
//! What either means is `gdprport_core::policy`'s; when they are read again is `reload`'s.

mod dns;
mod files;

pub(crate) use dns::{Resolver, log_changes, needed_by};
pub(crate) use files::{
    Loaded, PolicyError, PolicyFiles, RELOAD_WITHIN, Trust, Written, exposed_where_written,
};
