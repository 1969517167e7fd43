//! Who signed a pack: what its list of files says of it, against the signature and the key that somebody gives.

use gdprport_core::evidence::{Hash, Keys, Note, PublicKey, Seal, SealError, Unsigned, divided};
use serde::{Deserialize, Serialize};

use super::manifest::{MANIFEST, ROTATIONS, SIGNATURE};

/// What `MANIFEST.json` says of its signature. A list of an earlier version says nothing, and is not signed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claim {
    pub(super) signed: bool,
    by: Option<String>,
    why: Option<String>,
}

/// What is known of who signed a pack.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Signature {
    /// The key that was given, or one that it leads to.
    Verified {
        /// The public key.
        by: String,
        /// How many rotations lead from the given key to it.
        rotations: usize,
    },
    /// The key that the pack itself names; none was given to compare it with.
    Named {
        /// The public key.
        by: String,
    },
    /// Nobody, and no key was given.
    Unsigned {
        /// Why, as it says.
        why: String,
    },
    /// It is not signed by the given key, or not as it says.
    Wrong {
        /// One sentence.
        why: String,
    },
}

impl Signature {
    /// Whether it is not what it has to be.
    pub(super) const fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong { .. })
    }

    /// Whether somebody signed the list as it is.
    pub(super) const fn is_by_somebody(&self) -> bool {
        matches!(self, Self::Verified { .. } | Self::Named { .. })
    }
}

/// Compares what a list says of its signature with the bytes of the signature and the given key.
pub(super) fn signature(
    claim: &Claim,
    manifest: Hash,
    note: Option<&[u8]>,
    rotations: &[u8],
    given: Option<&PublicKey>,
) -> Signature {
    let signer = match signer(claim, manifest, note) {
        Ok(signer) => signer,
        Err(why) => return Signature::Wrong { why },
    };
    match (signer, given) {
        (None, None) => Signature::Unsigned { why: unsigned(claim) },
        (None, Some(given)) => Signature::Wrong {
            why: format!("the pack is not signed, by the given key {given} or another: {}", unsigned(claim)),
        },
        (Some(signer), None) => Signature::Named { by: signer.to_string() },
        (Some(signer), Some(given)) => match leads(given, &signer, rotations) {
            Some(rotations) => Signature::Verified { by: signer.to_string(), rotations },
            None => Signature::Wrong {
                why: format!(
                    "the pack is signed by {signer}, and not by the given key {given} or one that took its place ({ROTATIONS})"
                ),
            },
        },
    }
}

/// Why it is not signed, as the pack says, which anybody can have written.
fn unsigned(claim: &Claim) -> String {
    let why = claim.why.as_deref().unwrap_or("it does not say why");
    why.chars().take(400).collect()
}

/// Who signed the list; `None`: it says that nobody did.
fn signer(claim: &Claim, manifest: Hash, note: Option<&[u8]>) -> Result<Option<PublicKey>, String> {
    if !claim.signed {
        return Ok(None);
    }
    let key = claim.by.as_deref().unwrap_or_default().parse::<PublicKey>();
    let key = key.map_err(|error| format!("{MANIFEST} says that it is signed, and names no key: {error}"))?;
    let note = note
        .ok_or_else(|| format!("{MANIFEST} says that it is signed by {key}, and {SIGNATURE} is missing"))?;
    Seal { manifest }.verify(note, &key).map_err(|error| match error {
        SealError::Other => {
            format!("{MANIFEST} was changed since it was signed, or {SIGNATURE} is of another pack")
        }
        SealError::Unsigned(Unsigned::Unknown) => {
            format!("{SIGNATURE} is not signed by {key}, which {MANIFEST} names")
        }
        SealError::Unsigned(Unsigned::Wrong) => {
            format!("the signature in {SIGNATURE} is not one of {key}: somebody changed it")
        }
        SealError::Note(_) | SealError::Text => format!("{SIGNATURE} is no signature of a pack: {error}"),
    })?;
    Ok(Some(key))
}

/// How many rotations lead from one key to another: each is signed by both, so whoever trusts the first trusts the second.
fn leads(from: &PublicKey, to: &PublicKey, rotations: &[u8]) -> Option<usize> {
    if from == to {
        return Some(0);
    }
    let notes = divided(rotations).map(Note::parse).collect::<Result<Vec<_>, _>>().ok()?;
    let keys = Keys::of(from, &notes).ok()?;
    let at = |key: &PublicKey| keys.all().position(|known| known == key);
    at(to)?.checked_sub(at(from)?)
}
