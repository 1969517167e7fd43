//! Where a secret is: never the secret itself, so that a configuration can be read by anybody.

use std::borrow::Cow;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::written::{Node, Read, Report, Text, schema};

/// The place of a secret, as it is written: `"file:/etc/gdprport/keys/hec-token"` or `"credential:hec-token"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A file, by its path from the root; only its owner may read it (mode 0600 or less).
    File(PathBuf),
    /// A credential of the service (`LoadCredential=` of systemd.exec(5)), by its name in `$CREDENTIALS_DIRECTORY`.
    Credential(Arc<str>),
}

impl SecretRef {
    /// What a credential's name is written behind.
    pub(crate) const CREDENTIAL: &str = "credential:";

    /// Reads the place of a secret; `None` if it is written in no such form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_file = |path: &Path| {
            let up = path.components().any(|part| part == Component::ParentDir);
            path.is_absolute() && path.file_name().is_some() && !up
        };
        let is_name = |name: &str| {
            let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            (1..=255).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('.')
        };
        match text.split_once(':')? {
            ("file", path) if is_file(Path::new(path)) => Some(Self::File(path.into())),
            ("credential", name) if is_name(name) => Some(Self::Credential(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

schema!(
    SecretRef,
    schemars::json_schema!({ "type": "string", "pattern": "^(file:/.+|credential:[A-Za-z0-9_-][A-Za-z0-9_.-]*)$" })
);

/// What is refused is never shown: somebody may have written the secret itself.
impl Read for SecretRef {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let place = Text::read_unquoted(node).and_then(|text| Self::parse(&text));
        if place.is_none() {
            let help = "write `\"file:/etc/gdprport/keys/…\"` (mode 0600) or `\"credential:…\"` (LoadCredential= of the unit)";
            report.error_unquoted(node.loc, "this is not the place of a secret", help.to_owned());
        }
        place
    }
}
