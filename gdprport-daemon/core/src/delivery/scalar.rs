//! The single values of `[[sink]]` that have a grammar of their own. What other tables have too is `written::scalar`'s.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::encode::Encoding;
use crate::written::{Node, Read, Report, Text, one_of, quoted, schema};

/// Characters that the name of a sink may have.
const NAME_MAX: usize = 40;

/// The name of a sink: `[a-z0-9-]`, so that it can name a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SinkName(pub Arc<str>);

schema!(SinkName, json_schema!({ "type": "string", "pattern": "^[a-z0-9-]{1,40}$" }));

impl SinkName {
    pub(super) fn of(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ((1..=NAME_MAX).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
    }
}

impl Read for SinkName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let name = Self::of(&text);
        if name.is_none() {
            let help = format!("write 1 to {NAME_MAX} of the characters a-z, 0-9 and `-`");
            report.error(node.loc, format!("{} is no name of a sink", quoted(&text)), help);
        }
        name
    }
}

schema!(Encoding, json_schema!({ "enum": Encoding::ALL.iter().map(|e| e.as_str()).collect::<Vec<_>>() }));

impl Read for Encoding {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let names: Vec<_> = Self::ALL.iter().map(|encoding| (encoding.as_str(), *encoding)).collect();
        one_of(node, "encoding", &names, report)
    }
}
