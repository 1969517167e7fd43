//! Entries as they stand in a file: one behind the other, each after its length (C2SP tlog-tiles, "Log entries").

use super::entry::Entry;

/// Bytes of a length.
const LENGTH: usize = 2;

/// Why the bytes of a bundle end where no entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Whole entries before that place.
    pub whole: usize,
    /// Where that place is, in bytes from the beginning.
    pub at: usize,
}

/// The entries of a bundle, in their order. The last item is an error if the bytes end within an entry, or if one is too short
/// for a kind and a salt.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    whole: usize,
    torn: bool,
}

impl<'a> Entries<'a> {
    /// The entries of these bytes.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, whole: 0, torn: false }
    }

    /// Where the next entry begins, in bytes.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self) -> Option<Entry<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let entry = Entry::parse(rest.get(..length)?)?;
        self.at += LENGTH + length;
        self.whole += 1;
        Some(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.torn || self.at == self.bytes.len() {
            return None;
        }
        let torn = Torn { whole: self.whole, at: self.at };
        Some(self.take().ok_or_else(|| {
            self.torn = true;
            torn
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::{CONTENT_BYTES_MAX, ENTRY_BYTES_MAX, Kind, append};
    use super::super::hash::Hash;
    use super::*;

    #[test]
    fn an_entry_has_the_bytes_that_are_documented() {
        let mut bundle = Vec::new();
        let hash = append(&mut bundle, Kind::Event, &[7; 16], b"{}").expect("short");
        let mut entry = vec![1];
        entry.extend_from_slice(&[7; 16]);
        entry.extend_from_slice(b"{}");
        assert_eq!(bundle[..2], [0, 19]);
        assert_eq!(bundle[2..], entry);
        assert_eq!(hash, Hash::of_leaf(&[&entry]));
    }

    #[test]
    fn the_longest_entry_fits_and_no_longer_one_does() {
        let mut bundle = Vec::new();
        let longest = vec![b'x'; CONTENT_BYTES_MAX];
        assert!(append(&mut bundle, Kind::Own, &[0; 16], &longest).is_some());
        assert_eq!(bundle.len(), 2 + ENTRY_BYTES_MAX);
        let longer = vec![b'x'; CONTENT_BYTES_MAX + 1];
        assert_eq!(append(&mut bundle, Kind::Own, &[0; 16], &longer), None);
        assert_eq!(bundle.len(), 2 + ENTRY_BYTES_MAX, "nothing was begun");
    }

    #[test]
    fn the_same_content_has_another_hash_with_another_salt() {
        let hash = |salt| append(&mut Vec::new(), Kind::Event, &[salt; 16], b"10.0.0.1");
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn a_kind_of_a_newer_version_is_an_entry_still() {
        let mut bytes = vec![0, 18, 200];
        bytes.extend_from_slice(&[0; 17]);
        let entries: Vec<_> = Entries::of(&bytes).collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].expect("whole").kind, None);
    }

    proptest! {
        #[test]
        fn a_bundle_cut_anywhere_gives_its_whole_entries(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bundle = Vec::new();
            let mut ends = vec![0];
            for content in &contents {
                append(&mut bundle, Kind::Event, &[9; 16], content).expect("short");
                ends.push(bundle.len());
            }
            let cut = cut.index(bundle.len() + 1);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let read: Vec<_> = Entries::of(&bundle[..cut]).collect();
            prop_assert_eq!(read.iter().filter(|entry| entry.is_ok()).count(), whole);
            let torn = (!ends.contains(&cut)).then_some(Torn { whole, at: ends[whole] });
            prop_assert_eq!(read.last().and_then(|last| last.as_ref().err()).copied(), torn);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut entries = Entries::of(&bytes);
            let read = entries.by_ref().count();
            prop_assert!(read <= bytes.len());
            prop_assert!(entries.at() <= bytes.len());
        }
    }
}
