//! Reading `gdprport.toml` for the deliverer.

use std::path::Path;

use gdprport_core::delivery::Delivery;

use crate::host::configuration::{self, ConfigError};

/// Reads the file; where there is none in the usual place there are no sinks.
///
/// # Errors
/// If it cannot be read or understood, or if others can change it and `any_owner` is not set.
pub(crate) fn load(path: &Path, any_owner: bool) -> Result<Delivery, ConfigError> {
    match configuration::read(path, any_owner)? {
        Some(source) => Delivery::parse(source).map_err(ConfigError::Invalid),
        None => Ok(Delivery::default()),
    }
}
