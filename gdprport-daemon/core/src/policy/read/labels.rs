//! Labels of a container, as a rule asks for them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::{DeTable, DeValue};

use crate::written::quoted;
use crate::written::schema;
use crate::written::{At, Loc, Report};
use crate::written::{Node, OneOrMany, Read, Text};

/// Bytes of a label's key; a longer one of a container is not kept (`container::Labels`).
const KEY_MAX: usize = 317;

/// Keys, each with the patterns of its value; empty only after a problem was reported.
#[derive(Debug)]
pub(crate) struct LabelTable(pub Vec<(At<String>, OneOrMany<Text>)>);

schema!(
    LabelTable,
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "minLength": 1, "maxLength": KEY_MAX },
        "additionalProperties": { "anyOf": [
            { "type": "string", "minLength": 1, "maxLength": crate::written::TEXT_MAX },
            { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
        ] },
    })
);

/// Never `None`, so that nothing else is said of a rule whose labels were refused.
impl Read for LabelTable {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        const EXAMPLE: &str = "write `label = { app = \"orders\" }`";
        let DeValue::Table(table) = node.value else {
            let help = written_as_text(node).unwrap_or_else(|| EXAMPLE.to_owned());
            report.error(node.loc, format!("expected a table of labels, found {}", node.described()), help);
            return Some(Self(Vec::new()));
        };
        if table.is_empty() {
            report.error(node.loc, "the table of labels is empty", EXAMPLE.to_owned());
        }
        let mut labels = Vec::with_capacity(table.len());
        for (key, value) in table {
            let loc = Loc::new(node.loc.source, &key.span());
            let text = key.get_ref().as_ref();
            let node = Node::new(node.loc.source, value);
            if text.is_empty() || text.len() > KEY_MAX {
                let help = format!("a label's key has 1 to {KEY_MAX} bytes");
                report.error(loc, format!("{} is no key of a label", quoted(text)), help);
            } else if let DeValue::Table(below) = node.value {
                let help = format!("put a key with dots in quotes: `\"{}\" = …`", dotted(text, below));
                report.error(loc, format!("the label {} is a table", quoted(text)), help);
            } else if let Some(value) = OneOrMany::read(node, report) {
                labels.push((At { value: text.to_owned(), loc }, value));
            }
        }
        labels.sort_by_key(|(key, _)| key.loc);
        Some(Self(labels))
    }
}

/// The key that nested tables were written for.
fn dotted(first: &str, mut below: &DeTable<'_>) -> String {
    let mut whole = first.escape_debug().to_string();
    while let Some((key, value)) = below.iter().next()
        && whole.len() <= KEY_MAX
    {
        whole.push('.');
        whole.extend(key.get_ref().escape_debug());
        match value.get_ref() {
            DeValue::Table(next) => below = next,
            _ => break,
        }
    }
    whole
}

/// The table that a text such as `app=orders`, or a list of them, stands for.
fn written_as_text(node: Node<'_>) -> Option<String> {
    let texts: Vec<&str> = match node.value {
        DeValue::String(text) => text.split(',').collect(),
        DeValue::Array(items) => {
            let text = |item: &'_ toml::Spanned<DeValue<'_>>| matches!(item.get_ref(), DeValue::String(_));
            let texts = items.iter().take_while(|item| text(item)).filter_map(|item| item.get_ref().as_str());
            texts.collect()
        }
        _ => return None,
    };
    let bare =
        |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let pairs = texts.iter().take(4).map(|text| {
        let (key, value) = text.split_once('=')?;
        let (key, value) = (key.trim().escape_debug().to_string(), value.trim().escape_debug().to_string());
        let is_short = !key.is_empty() && key.len() + value.len() <= 80;
        let key = if bare(&key) { key } else { format!("\"{key}\"") };
        is_short.then(|| format!("{key} = \"{value}\""))
    });
    let pairs = pairs.collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())?;
    Some(format!("write `label = {{ {} }}`", pairs.join(", ")))
}
