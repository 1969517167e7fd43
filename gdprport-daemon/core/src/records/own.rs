//! What gdprport itself processes, by its configuration: the record of `--self`, and its form for programs.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Serialize, Serializer};

use super::document::Responsible;
use crate::policy::Controller;

/// What gdprport itself processes, by its configuration: `record.json` of `report --self`. Options of the command line are not
/// known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Own {
    /// `gdprport.own-record/1`.
    pub format: &'static str,
    /// The host's name.
    pub host: Arc<str>,
    /// The version of gdprport.
    pub version: Arc<str>,
    /// When it was made.
    #[schemars(with = "String")]
    pub made: Timestamp,
    /// Whether there is a file of the configuration; false: the defaults apply.
    pub configured: bool,
    /// Who is responsible, as the policy declares; null: not declared.
    #[serde(serialize_with = "responsible")]
    #[schemars(with = "Option<Responsible<'_>>")]
    pub controller: Option<Controller>,
    /// How addresses of peers are kept and sent.
    pub peers: ShownAs,
    /// How accounts of persons are kept and sent.
    pub users: ShownAs,
    /// How long and how much the ledger keeps; null: none is kept.
    pub ledger: Option<KeptFor>,
    /// How long and how much waits for receivers; null: nothing does.
    pub spool: Option<KeptFor>,
    /// The file that events are written to; null: none is configured.
    pub file: Option<String>,
    /// Whether events go to the systemd journal.
    pub journald: bool,
    /// Whether receivers on the network are configured.
    pub receivers: bool,
    /// Whether metrics are served: counts, no addresses.
    pub metrics: bool,
}

/// How values are kept and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShownAs {
    /// As they are.
    AsIs,
    /// Their networks only.
    Networks,
    /// As pseudonyms (HMAC-SHA-256).
    Pseudonyms,
}

/// Bounds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeptFor {
    /// Seconds, at most.
    pub seconds: u64,
    /// Bytes, at most.
    pub bytes: u64,
}

impl Own {
    /// The format's name.
    pub const FORMAT: &'static str = "gdprport.own-record/1";

    /// The JSON Schema (draft 2020-12). Unknown fields are allowed: later versions add some.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>().to_value()
    }
}

/// Without the paths that a policy names.
fn responsible<S: Serializer>(controller: &Option<Controller>, serializer: S) -> Result<S::Ok, S::Error> {
    controller.as_ref().map(Responsible::of).serialize(serializer)
}
