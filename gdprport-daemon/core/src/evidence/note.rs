//! Signed notes: a text and its signatures (C2SP signed-note). Does not belong here: what the text says (`checkpoint`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{KeyName, PublicKey, SIGNATURE_BYTES, SecretKey};

/// What begins the line of a signature: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// Bytes of a note at most. A checkpoint has some 600 with two signatures; witnesses' signatures have up to 5 KB each.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;

/// Signatures of a note at most; a reader has to accept 16.
const SIGNATURES_MAX: usize = 64;

/// A text and its signatures. That it was parsed says nothing about who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature of a note, by a key that may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: KeyName,
    id: u32,
    signature: Vec<u8>,
}

/// Why bytes are no signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is longer than [`NOTE_BYTES_MAX`], or has more signatures than are read.
    #[error("it is too long for a signed note")]
    TooLong,
    /// It is no UTF-8, or has control characters in it.
    #[error("it is no plain text")]
    NotText,
    /// No empty line divides text and signatures, or there is no signature.
    #[error(
        "it is no signed note: a text, an empty line, and lines of signatures that begin with an em dash"
    )]
    Form,
    /// The line of a signature is malformed.
    #[error("one of its signatures is malformed")]
    Signature,
}

/// Why a note is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// None of its signatures is by a known key.
    #[error("it is not signed by this key")]
    Unknown,
    /// A signature by a known key is not one of this text.
    #[error("its signature is not one of its text: the text or the signature was changed")]
    Wrong,
}

impl Note {
    /// Signs a text, which ends with a line feed.
    #[must_use]
    pub fn sign(text: String, keys: &[&SecretKey]) -> Self {
        debug_assert!(text.ends_with('\n'), "a note's text consists of lines");
        let signatures = keys
            .iter()
            .map(|key| NoteSignature {
                name: key.public().name().clone(),
                id: key.public().id(),
                signature: key.sign(text.as_bytes()).to_vec(),
            })
            .collect();
        Self { text, signatures }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// If the bytes are no signed note; no signature is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::NotText);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
        let signatures = lines
            .split('\n')
            .map(|line| {
                signature(line.strip_prefix(MARK).ok_or(NoteError::Form)?).ok_or(NoteError::Signature)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooLong);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, if one of these keys signed it.
    ///
    /// # Errors
    /// If no signature is by one of the keys, or one that names such a key is wrong.
    pub fn verified(&self, keys: &[PublicKey]) -> Result<&str, Unsigned> {
        let mut verified = false;
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| *key.name() == signature.name && key.id() == signature.id) {
                let bytes = signature.signature.as_slice().try_into().map_err(|_| Unsigned::Wrong)?;
                if !key.verifies(self.text.as_bytes(), bytes) {
                    return Err(Unsigned::Wrong);
                }
                verified = true;
            }
        }
        if verified { Ok(&self.text) } else { Err(Unsigned::Unknown) }
    }

    /// The text, whoever signed it.
    #[must_use]
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// Appends the signatures of another note with the same text, without those that are there already.
    pub fn join(&mut self, other: &Self) {
        if self.text == other.text {
            let new = other.signatures.iter().filter(|signature| !self.signatures.contains(signature));
            let new: Vec<NoteSignature> = new.cloned().collect();
            self.signatures.extend(new);
        }
    }
}

/// What stands behind the mark: a name and the Base64 of id and signature.
fn signature(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let name = KeyName::new(name)?;
    (!signature.is_empty()).then(|| NoteSignature {
        name,
        id: u32::from_be_bytes(*id),
        signature: signature.to_vec(),
    })
}

/// Notes that stand one behind the other in a file, each as its bytes. Their texts have no empty lines, as those of checkpoints
/// and rotations have none: a note ends where a line behind its signatures is none. What is malformed comes out as it is.
pub fn divided(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let mut signed = false;
        let mut end = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            let is_signature = line.starts_with(MARK.as_bytes());
            if signed && !is_signature {
                break;
            }
            signed = is_signature;
            end += line.len();
        }
        let (note, behind) = rest.split_at(end);
        rest = behind;
        (!note.is_empty()).then_some(note)
    })
}

/// Whether the end of a note is missing, as where a host ended while it was written: its last line is no whole signature. A line
/// of its text may end as one does, with the root of a tree.
#[must_use]
pub fn is_torn(note: &[u8]) -> bool {
    let last = note.split_inclusive(|byte| *byte == b'\n').next_back().unwrap_or_default();
    !(last.starts_with(MARK.as_bytes()) && last.ends_with(b"=\n"))
}

/// The note as it is kept and sent.
impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        let mut bytes = Vec::with_capacity(4 + SIGNATURE_BYTES);
        for signature in &self.signatures {
            bytes.clear();
            bytes.extend_from_slice(&signature.id.to_be_bytes());
            bytes.extend_from_slice(&signature.signature);
            f.write_str(MARK)?;
            writeln!(f, "{} {}", signature.name, STANDARD.encode(&bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
