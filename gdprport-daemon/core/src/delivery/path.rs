//! Paths of files, as a configuration names them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::written::{Node, Read, Report, Text, quoted, schema};

/// A path from the root: a service has no directory of its own that people would think of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AbsolutePath(pub PathBuf);

schema!(AbsolutePath, schemars::json_schema!({ "type": "string", "pattern": "^/" }));

impl Read for AbsolutePath {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if Path::new(&*text).is_absolute() {
            return Some(Self(PathBuf::from(text.0)));
        }
        let help = "write the path from the root, beginning with `/`".to_owned();
        report.error(node.loc, format!("{} is no path from the root", quoted(&text)), help);
        None
    }
}
