//! The name and version of the schema, as the first field of every event.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Name and major version of the schema; within a major version fields are only ever added.
const SCHEMA: &str = "gdprport.event/1";

/// The field `schema`: a value that can only be [`SCHEMA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SchemaName;

impl Serialize for SchemaName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SCHEMA)
    }
}

impl<'de> Deserialize<'de> for SchemaName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == SCHEMA {
            Ok(Self)
        } else {
            Err(de::Error::custom(format_args!("this is an event of schema {name:?}, expected {SCHEMA:?}")))
        }
    }
}

impl JsonSchema for SchemaName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SchemaName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Name and major version of the schema.", "const": SCHEMA })
    }
}
