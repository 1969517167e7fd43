//! How containers are looked up and shown, as it is written.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use crate::host::containers::Places;
use gdprport_core::container::ShownLabels;

/// Directories in `containers.state`: each has a thread of its own.
const STATE_MAX: usize = 16;

/// The part `[containers]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Containers {
    /// Whether their names are looked up.
    lookup: bool,
    /// Directories with the state of runtimes beside those that are known.
    #[serde(deserialize_with = "texts")]
    state: Vec<String>,
}

impl Default for Containers {
    fn default() -> Self {
        Self { lookup: Places::default().lookup, state: Vec::new() }
    }
}

/// One text, or a list of them.
struct Texts;

impl<'de> de::Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, such as [\"a\", \"b\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            texts.push(text);
        }
        Ok(texts)
    }
}

pub(super) fn shown_labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ShownLabels, D::Error> {
    ShownLabels::new(texts(deserializer)?).map_err(de::Error::custom)
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(Texts)
}

pub(super) fn places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Places, D::Error> {
    let Containers { lookup, state } = Containers::deserialize(deserializer)?;
    let state: Vec<PathBuf> = state.into_iter().map(PathBuf::from).collect();
    if state.len() > STATE_MAX {
        return Err(de::Error::custom(format!("containers.state may have at most {STATE_MAX} directories")));
    }
    match state.iter().find(|path| !path.is_absolute()) {
        Some(path) => {
            Err(de::Error::custom(format!("{}: write it from the root, as \"/data/docker\"", path.display())))
        }
        None => Ok(Places { lookup, state }),
    }
}
