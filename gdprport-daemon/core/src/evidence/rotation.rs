//! Which key signs which part of a log: a chain of keys, each of which vouches for the next and is vouched for by it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::key::{PublicKey, SecretKey};
use super::note::{Note, NoteError};

/// The first line of the text.
const FORMAT: &str = "gdprport.rotation/1";

/// One key takes the other's place. Its text is signed by both, as a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Who signed until now.
    pub old: PublicKey,
    /// Who signs from now on.
    pub new: PublicKey,
    /// Index of the entry that states it: checkpoints with more entries are the new key's.
    pub entry: u64,
    /// When.
    pub time: Timestamp,
}

/// Why a rotation is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// It is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is not one of a rotation.
    #[error("its text is not one of {FORMAT}")]
    Text,
    /// One of the two keys did not sign it.
    #[error("it is not signed by both keys")]
    Unsigned,
    /// It does not go on where the one before ended.
    #[error("it does not go on with the key or the entry of the one before")]
    Chain,
    /// The given key is none of the chain.
    #[error("the given key is none of those that this log was signed with")]
    Stranger,
}

impl Rotation {
    /// The signed note.
    #[must_use]
    pub fn sign(old: &SecretKey, new: &SecretKey, entry: u64, time: Timestamp) -> Note {
        let (of_old, of_new) = (old.public().clone(), new.public().clone());
        Note::sign(Self { old: of_old, new: of_new, entry, time }.to_string(), &[old, new])
    }

    /// Reads a note that both keys signed.
    ///
    /// # Errors
    /// If it is something else.
    pub fn verified(note: &Note) -> Result<Self, RotationError> {
        let rotation: Self = note.unverified_text().parse()?;
        for key in [&rotation.old, &rotation.new] {
            note.verified(std::slice::from_ref(key)).map_err(|_| RotationError::Unsigned)?;
        }
        Ok(rotation)
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, entry, time } = self;
        writeln!(f, "{FORMAT}\nold {old}\nnew {new}\nentry {entry}\ntime {time:.6}")
    }
}

impl FromStr for Rotation {
    type Err = RotationError;

    fn from_str(text: &str) -> Result<Self, RotationError> {
        let read = || -> Option<Self> {
            let text = text.strip_prefix(FORMAT)?.strip_prefix('\n')?;
            let mut lines = text.lines();
            let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
            let (old, new) = (value("old")?.parse().ok()?, value("new")?.parse().ok()?);
            let (entry, time) = (value("entry")?.parse().ok()?, value("time")?.parse().ok()?);
            Some(Self { old, new, entry, time })
        };
        // What is signed has one form only.
        read().filter(|read| read.to_string() == text).ok_or(RotationError::Text)
    }
}

/// The keys of a log, in the order in which they signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    first: PublicKey,
    rotations: Vec<Rotation>,
}

impl Keys {
    /// The chain that the rotations make, one of whose keys is the `trusted` one. What comes before and behind it is trusted
    /// because its neighbours sign for each other.
    ///
    /// # Errors
    /// If a rotation is none, or the chain is broken, or the trusted key is none of it.
    pub fn of(trusted: &PublicKey, rotations: &[Note]) -> Result<Self, RotationError> {
        let rotations =
            rotations.iter().map(Rotation::verified).collect::<Result<Vec<Rotation>, RotationError>>()?;
        let follows = |pair: &[Rotation]| pair[0].new == pair[1].old && pair[0].entry < pair[1].entry;
        if !rotations.windows(2).all(follows) {
            return Err(RotationError::Chain);
        }
        let first = rotations.first().map_or(trusted, |rotation| &rotation.old).clone();
        let keys = Self { first, rotations };
        if keys.all().any(|key| key == trusted) { Ok(keys) } else { Err(RotationError::Stranger) }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.first).chain(self.rotations.iter().map(|rotation| &rotation.new))
    }

    /// Who signs a checkpoint of so many entries.
    #[must_use]
    pub fn at(&self, size: u64) -> &PublicKey {
        let behind = self.rotations.partition_point(|rotation| rotation.entry < size);
        behind.checked_sub(1).map_or(&self.first, |at| &self.rotations[at].new)
    }

    /// The rotations, in their order.
    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::KeyName;

    fn key(secret: u8) -> SecretKey {
        SecretKey::new(KeyName::new("gdprport/host").expect("a name"), &[secret; 32])
    }

    fn rotation(old: u8, new: u8, entry: u64) -> Note {
        Rotation::sign(&key(old), &key(new), entry, Timestamp::UNIX_EPOCH)
    }

    fn public(secret: u8) -> PublicKey {
        key(secret).public().clone()
    }

    #[test]
    fn each_part_of_a_log_has_the_key_of_its_time() {
        let notes = [rotation(1, 2, 10), rotation(2, 3, 20)];
        for trusted in 1..=3 {
            let keys = Keys::of(&public(trusted), &notes).expect("a chain");
            let at = [0, 10, 11, 20, 21, u64::MAX].map(|size| keys.at(size).clone());
            assert_eq!(at, [1, 1, 2, 2, 3, 3].map(public), "with key {trusted} trusted");
        }
    }

    #[test]
    fn a_chain_that_is_broken_is_refused() {
        let of = |trusted, notes: &[Note]| Keys::of(&public(trusted), notes).map(|_| ());
        assert_eq!(of(1, &[]), Ok(()));
        assert_eq!(of(4, &[rotation(1, 2, 10)]), Err(RotationError::Stranger));
        assert_eq!(of(1, &[rotation(1, 2, 10), rotation(3, 4, 20)]), Err(RotationError::Chain));
        assert_eq!(of(1, &[rotation(1, 2, 20), rotation(2, 3, 10)]), Err(RotationError::Chain));
        let text = rotation(1, 2, 10).unverified_text().to_owned();
        for signers in [&[&key(1)][..], &[&key(2)], &[&key(3)]] {
            assert_eq!(of(1, &[Note::sign(text.clone(), signers)]), Err(RotationError::Unsigned));
        }
        let other = Note::sign(text.replace("entry 10", "entry 010"), &[&key(1), &key(2)]);
        assert_eq!(of(1, &[other]), Err(RotationError::Text));
    }
}
