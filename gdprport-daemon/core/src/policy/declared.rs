//! What the author of a policy declares of a port and of the controller, beside the rules.
//!
//! Belongs here: the public types. How they are written is `read`'s; how a flow compares with a demand is `evaluate`'s.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::TlsVersion;

/// Which events a port's flows produce. Counts add up in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Every flow while there are few; the others in summaries.
    Auto {
        /// How many events a minute flows of one kind with one peer may send one by one, at least 1.
        most: u32,
    },
    /// Every flow.
    Every,
    /// Violations and undecided flows only.
    Violations,
    /// One summary per period, and violations.
    Summary {
        /// The period, from one second to one day.
        every: Duration,
    },
}

impl Emit {
    /// Events a minute, where `"auto"` does not say how many: ten short connections. A person can still read along, and a
    /// group writes some 40 MB a day at most.
    pub const AUTO_MOST: u32 = 20;
}

impl Default for Emit {
    fn default() -> Self {
        Self::Auto { most: Self::AUTO_MOST }
    }
}

/// What a declaration demands of the encryption of its flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsDemand {
    /// Not declared, so that nothing is demanded.
    None,
    /// TLS is not required.
    NotRequired {
        /// Why not, as declared; never empty.
        why: Arc<str>,
    },
    /// At least this version of TLS, with a cipher suite that is not weak.
    AtLeast(TlsVersion),
}

/// The controller of the data (Art. 30(1)(a) GDPR).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// The controller's name.
    pub name: Arc<str>,
    /// How to reach the controller.
    pub contact: Option<Arc<str>>,
    /// How to reach the data protection officer.
    pub dpo: Option<Arc<str>>,
    /// Who is responsible for the data together with the controller (Art. 26), for every declared port.
    pub joint: Option<Box<[Arc<str>]>>,
    /// The controller's representative in the Union (Art. 27).
    pub representative: Option<Arc<str>>,
    /// A file of networks and the countries that they are in: an absolute path.
    pub countries: Option<Arc<str>>,
    /// How long after becoming aware of a breach the controller has to notify it (Art. 33(1)), from one hour to 31 days.
    pub notify_within: Option<Duration>,
}

/// A record of processing (Art. 30(1)(b)–(g) GDPR): declared, never inferred. `None`: not declared; an empty list:
/// declared to be none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessingRecord {
    /// The purposes of the processing (b).
    pub purpose: Option<Arc<str>>,
    /// The legal basis (Art. 6(1)).
    pub basis: Option<Arc<str>>,
    /// The categories of data subjects (c).
    pub subjects: Option<Box<[Arc<str>]>>,
    /// The categories of personal data (c).
    pub data: Option<Box<[Arc<str>]>>,
    /// Whether special categories of data (Art. 9) are among them.
    pub special_category: Option<bool>,
    /// The categories of recipients (d).
    pub recipients: Option<Box<[Arc<str>]>>,
    /// Transfers to third countries (e).
    pub transfers: Option<Box<[Arc<str>]>>,
    /// The time limits for erasure (f).
    pub retention: Option<Arc<str>>,
    /// Technical and organisational security measures (g).
    pub measures: Option<Box<[Arc<str>]>>,
    /// The team responsible for the service.
    pub owner: Option<Arc<str>>,
    /// The controllers for whom the data are processed (Art. 30(2)(a)): this host's operator is a processor.
    pub on_behalf_of: Option<Box<[Arc<str>]>>,
    /// Who is responsible for the data together with the controller (Art. 26), for this port.
    pub joint: Option<Box<[Arc<str>]>>,
    /// Safeguards of transfers to third countries (Art. 30(1)(e), Art. 46 and 49).
    pub safeguards: Option<Box<[Arc<str>]>>,
    /// Where the data are kept: sites, countries.
    pub location: Option<Box<[Arc<str>]>>,
    /// The data protection impact assessment (Art. 35): where it is, or why there is none.
    pub dpia: Option<Arc<str>>,
}

impl ProcessingRecord {
    /// The keys that Art. 30(1)(b)–(f) requires and that are not declared. Those of (g) are required only "where
    /// possible".
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let keys = [
            ("purpose", self.purpose.is_none()),
            ("subjects", self.subjects.is_none()),
            ("data", self.data.is_none()),
            ("recipients", self.recipients.is_none()),
            ("transfers", self.transfers.is_none()),
            ("retention", self.retention.is_none()),
        ];
        keys.into_iter().filter_map(|(key, missing)| missing.then_some(key)).collect()
    }
}
