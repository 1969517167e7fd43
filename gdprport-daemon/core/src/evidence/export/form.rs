//! The file of an export: lines of JSON, of which the first is the head and each other one an entry, in their order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::evidence::bundle::Entries;
use crate::evidence::entry::{Entry, SALT_BYTES};
use crate::evidence::hash::Hash;

/// The value of `schema`.
pub const EXPORT: &str = "gdprport.evidence.export/1";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// [`EXPORT`].
    pub schema: String,
    /// The checkpoint that everything is proven against, a signed note.
    pub checkpoint: String,
    /// The file `rotations` of the log; empty if there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rotations: String,
    /// Index of the first entry.
    pub from: u64,
    /// Index behind the last one.
    pub to: u64,
    /// The roots of the subtrees beside the entries, the largest there are, from left to right; each in Base64.
    pub hashes: Vec<String>,
    /// The last checkpoint at or before the beginning of the time: `from` is its size. Absent: the log begins in that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Anchor>,
    /// The first checkpoint at or after the end of the time, or the latest: `to` is its size.
    pub until: Anchor,
    /// Checkpoints that were kept elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Anchor>,
    /// The last entry that states what was erased, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Included>,
}

/// An older checkpoint, and the proof that its tree is the beginning of the head's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The signed note.
    pub note: String,
    /// The consistency proof of RFC 6962, each hash in Base64.
    pub consistency: Vec<String>,
}

/// An entry outside of the range, and the proof that it is in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The entry.
    pub entry: ExportLine,
    /// The inclusion proof of RFC 6962, each hash in Base64.
    pub inclusion: Vec<String>,
}

/// An entry: its bytes, or its hash alone if it was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLine {
    /// Its index.
    pub index: u64,
    /// Its first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<u8>,
    /// Its salt, Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Of one that is not there: its hash, Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl ExportLine {
    /// Of an entry that is there; `None` if its content is no text, as nothing that the daemon logs is.
    #[must_use]
    pub fn of_entry(index: u64, entry: &Entry<'_>) -> Option<Self> {
        let (kind, rest) = entry.bytes().split_first()?;
        let (salt, content) = rest.split_at_checked(SALT_BYTES)?;
        Some(Self {
            index,
            kind: Some(*kind),
            salt: Some(STANDARD.encode(salt)),
            content: Some(std::str::from_utf8(content).ok()?.to_owned()),
            hash: None,
        })
    }

    /// Of one that is not.
    #[must_use]
    pub fn of_hash(index: u64, hash: Hash) -> Self {
        Self { index, kind: None, salt: None, content: None, hash: Some(hash.base64()) }
    }

    /// The entry as it stands in a bundle, with its length, and its hash; `None` for both if the line is neither an entry nor a hash.
    #[must_use]
    pub(super) fn read(&self) -> Option<(Option<Vec<u8>>, Hash)> {
        match self {
            Self { kind: Some(kind), salt: Some(salt), content: Some(content), hash: None, .. } => {
                let salt = STANDARD.decode(salt).ok().filter(|salt| salt.len() == SALT_BYTES)?;
                let length = u16::try_from(1 + SALT_BYTES + content.len()).ok()?;
                let mut bundle = length.to_be_bytes().to_vec();
                bundle.push(*kind);
                bundle.extend_from_slice(&salt);
                bundle.extend_from_slice(content.as_bytes());
                let hash = Entries::of(&bundle).next()?.ok()?.hash();
                Some((Some(bundle), hash))
            }
            Self { kind: None, salt: None, content: None, hash: Some(hash), .. } => {
                Some((None, Hash::from_base64(hash)?))
            }
            _ => None,
        }
    }
}

/// Hashes as they are written.
#[must_use]
pub(super) fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    texts.iter().map(|text| Hash::from_base64(text)).collect()
}
