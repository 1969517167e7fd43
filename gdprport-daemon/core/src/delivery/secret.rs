//! Where a secret is: never the secret itself, so that a configuration can be read by anybody.

use std::path::PathBuf;
use std::sync::Arc;

/// The place of a secret, as it is written: `"file:/etc/gdprport/keys/hec-token"` or `"credential:hec-token"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A file, by its path from the root; only its owner may read it (mode 0600 or less).
    File(PathBuf),
    /// A credential of the service (`LoadCredential=` of systemd.exec(5)), by its name in `$CREDENTIALS_DIRECTORY`.
    Credential(Arc<str>),
}
