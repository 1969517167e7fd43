//! The signature of an evidence pack: a note that names the digest of the pack's list of files.
//!
//! The key is the one of the log, so no text may be a checkpoint or a rotation and a seal too. The second line of a checkpoint is a
//! number (C2SP tlog-checkpoint), that of a seal begins with a word; the first line of a rotation is another one.

use std::fmt;

use super::hash::Hash;
use super::key::{PublicKey, SecretKey};
use super::note::{Note, NoteError, Unsigned};

/// The first line of the text.
const FORMAT: &str = "gdprport.pack.signature/1";

/// What is signed of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The SHA-256 of its list of files, which has that of each.
    pub manifest: Hash,
}

/// Why a note is no signature of this pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is not one of a seal.
    #[error("its text is not one of {FORMAT}")]
    Text,
    /// It is of another list.
    #[error("it signs another list of files")]
    Other,
    /// It is not signed as it should be.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
}

impl Seal {
    /// The signed note. The same list and key always give the same.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> Note {
        Note::sign(self.to_string(), &[key])
    }

    /// Whether this note is the key's signature of it.
    ///
    /// # Errors
    /// If it is something else, or somebody else's.
    pub fn verify(self, note: &[u8], key: &PublicKey) -> Result<(), SealError> {
        let note = Note::parse(note)?;
        // What is signed has one form only.
        if note.unverified_text() != self.to_string() {
            let is_seal = note.unverified_text().lines().next() == Some(FORMAT);
            return Err(if is_seal { SealError::Other } else { SealError::Text });
        }
        note.verified(std::slice::from_ref(key))?;
        Ok(())
    }
}

/// The text that is signed.
impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT}\nmanifest sha256:{}", self.manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Checkpoint, Head, KeyName, Rotation};

    fn key(name: &str, secret: u8) -> SecretKey {
        SecretKey::new(KeyName::new(name).expect("a name"), &[secret; 32])
    }

    #[test]
    fn a_seal_has_the_lines_that_are_documented() {
        insta::assert_snapshot!(Seal { manifest: Hash::of(b"{}") }, @r"
        gdprport.pack.signature/1
        manifest sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        ");
    }

    #[test]
    fn a_seal_is_of_one_list_and_one_key() {
        let (mine, other) = (key("gdprport/a", 1), key("gdprport/a", 2));
        let seal = Seal { manifest: Hash::of(b"{}") };
        let note = seal.sign(&mine).to_string();
        assert_eq!(note, seal.sign(&mine).to_string(), "always the same bytes");
        let verify = |seal: Seal, note: &str, key: &SecretKey| seal.verify(note.as_bytes(), key.public());
        assert_eq!(verify(seal, &note, &mine), Ok(()));
        assert_eq!(verify(seal, &note, &other), Err(SealError::Unsigned(Unsigned::Unknown)));
        assert_eq!(verify(Seal { manifest: Hash::of(b"[]") }, &note, &mine), Err(SealError::Other));
        assert_eq!(verify(seal, "x", &mine), Err(SealError::Note(NoteError::Form)));
        // The signature of another text, under this one.
        let of_other = Seal { manifest: Hash::of(b"[]") }.sign(&mine).to_string();
        let (text, _) = note.split_once("\n\n").expect("a note");
        let (_, signature) = of_other.split_once("\n\n").expect("a note");
        let moved = format!("{text}\n\n{signature}");
        assert_eq!(verify(seal, &moved, &mine), Err(SealError::Unsigned(Unsigned::Wrong)));
        for text in [format!("{seal}more\n"), seal.to_string().replace("sha256", "SHA256")] {
            let note = Note::sign(text, &[&mine]).to_string();
            assert_eq!(verify(seal, &note, &mine), Err(SealError::Other));
        }
    }

    /// One key signs all three. Whatever its name is, none is taken for another.
    #[test]
    fn no_seal_is_a_checkpoint_or_a_rotation_nor_one_of_them_a_seal() {
        for name in ["gdprport/db1", FORMAT, "gdprport.rotation/1"] {
            let key = key(name, 1);
            let seal = Seal { manifest: Hash::of(b"{}") };
            let note = seal.sign(&key);
            note.unverified_text().parse::<Checkpoint>().expect_err("a seal is no checkpoint");
            Rotation::verified(&note).expect_err("a seal is no rotation");
            let head = Head { size: 7, root: Hash::of(b"{}") };
            let checkpoint = Checkpoint { origin: key.public().name().clone(), head, facts: None };
            let checkpoint = Note::sign(checkpoint.to_string(), &[&key]).to_string();
            seal.verify(checkpoint.as_bytes(), key.public()).expect_err("a checkpoint is no seal");
            let rotation = Rotation::sign(&key, &key, 7, jiff::Timestamp::UNIX_EPOCH).to_string();
            seal.verify(rotation.as_bytes(), key.public()).expect_err("a rotation is no seal");
        }
    }
}
