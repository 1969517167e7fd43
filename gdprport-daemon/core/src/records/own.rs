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
    /// Where and for how long the evidence log keeps events; null: the configuration asks for none.
    pub evidence: Option<KeptLog>,
    /// The file that events are written to; null: none is configured.
    pub file: Option<String>,
    /// Whether events go to the systemd journal.
    pub journald: bool,
    /// Receivers that the deliverer sends events to, in the order of the configuration; they get none where `spool` is null.
    pub receivers: Vec<OwnReceiver>,
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

/// The evidence log. Entries that are erased leave their hashes: the tree stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeptLog {
    /// Its directory.
    pub path: String,
    /// Seconds after which entries are erased.
    pub seconds: u64,
    /// Bytes that entries may have: beyond it the oldest are erased.
    pub bytes: u64,
}

/// A `[[sink]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnReceiver {
    /// Its name; null: it has none that can be read.
    pub name: Option<Arc<str>>,
    /// Where events go to; null: it has an error, and is left out.
    pub to: Option<SentTo>,
}

/// Where events go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SentTo {
    /// The `type` of the sink.
    pub kind: &'static str,
    /// An address or a URL, without a secret.
    pub place: String,
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
