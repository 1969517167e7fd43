//! One direction of a flow: captured pieces put in order, within a bound.
//!
//! Belongs here: overlaps, repetitions, gaps, order. What the bytes mean is not known here.

/// The most that is kept of the beginning of a direction: a mail server's greeting, capabilities, go-ahead and
/// ServerHello, or a PROXY header with a certificate and a ClientHello.
pub(super) const HEAD_BYTES: usize = 4096;

/// The most that is kept of pieces behind a gap: one segment as long as is captured.
pub(super) const ISLAND_BYTES: usize = 2048;

/// The most pieces kept behind gaps.
const ISLANDS: usize = 4;

/// The bytes of one direction, as far as they were captured. Where two pieces overlap, the byte that came first
/// stays, as with most receivers.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// From the first byte of the direction, without a gap.
    head: Vec<u8>,
    /// Up to where the bytes came without a gap, those that the head has no room for included: what joins them begins
    /// nothing, wherever they were cut.
    reach: u64,
    /// Pieces behind a gap, ascending, neither overlapping nor touching.
    islands: Vec<Island>,
    /// How many bytes stand before all of these, and are not kept.
    skipped: u64,
    /// Whether two pieces had different bytes at one place.
    contradicted: bool,
}

#[derive(Debug)]
struct Island {
    offset: u64,
    bytes: Vec<u8>,
}

impl Island {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }

    /// Its bytes from this place of the direction on.
    fn from(&self, offset: u64) -> &[u8] {
        let before = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.bytes.get(before..).unwrap_or_default()
    }

    /// Whether both have different bytes at one place.
    fn contradicts(&self, other: &Self) -> bool {
        let begin = self.offset.max(other.offset);
        differ(self.from(begin), other.from(begin))
    }
}

impl Stream {
    /// Adds a piece that begins `offset` bytes after the start of the direction. Returns whether that made a
    /// difference. What does not fit within the bounds is dropped.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let before = usize::try_from(self.skipped.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = bytes.get(before..).unwrap_or_default();
        let offset = offset.saturating_sub(self.skipped);
        let contradicted = self.contradicted;
        let grown = if offset <= self.reach { self.grow(offset, bytes) } else { self.land(offset, bytes) };
        grown || self.contradicted != contradicted
    }

    /// Whether two pieces had different bytes at one place. TCP repeats what it sent, so that one of them was never
    /// taken by the receiver, and which one is not known here.
    pub(super) const fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// Lets the direction begin `length` bytes later; none were skipped before. Bytes there need not have been captured.
    pub(super) fn skip(&mut self, length: u64) {
        let islands = std::mem::take(&mut self.islands);
        self.skipped = length;
        self.head.drain(..usize::try_from(length).unwrap_or(usize::MAX).min(self.head.len()));
        // What the head had no room for is missing.
        self.reach = self.head.len() as u64;
        for island in islands {
            self.write(island.offset, &island.bytes);
        }
    }

    /// How many bytes were skipped.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The bytes from the start of the direction up to the first gap.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn islands(&self) -> impl Iterator<Item = &[u8]> {
        self.islands.iter().map(|island| island.bytes.as_slice())
    }

    /// Whether bytes are known to be missing behind the head.
    pub(super) fn is_cut(&self) -> bool {
        !self.islands.is_empty() || self.head.len() == HEAD_BYTES
    }

    /// Whether nothing was captured, of what was not skipped.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.islands.is_empty()
    }

    /// How many bytes are held, allocated ones counted.
    pub(super) fn held(&self) -> usize {
        self.head.capacity() + self.islands.iter().map(|island| island.bytes.capacity()).sum::<usize>()
    }

    fn grow(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let before = (self.head.len(), self.islands.len());
        self.join(offset, bytes);
        while self.islands.first().is_some_and(|island| island.offset <= self.reach) {
            let island = self.islands.remove(0);
            self.join(island.offset, &island.bytes);
        }
        (self.head.len(), self.islands.len()) != before
    }

    /// Adds what joins the bytes that came without a gap, as far as there is room.
    fn join(&mut self, offset: u64, bytes: &[u8]) {
        let known = usize::try_from(self.reach - offset).unwrap_or(usize::MAX);
        let new = bytes.get(known..).unwrap_or_default();
        let held = usize::try_from(offset).ok().and_then(|from| self.head.get(from..));
        self.contradicted |= differ(held.unwrap_or_default(), bytes);
        // Once it is full, the head ends before the reach.
        append(&mut self.head, new, HEAD_BYTES);
        self.reach = self.reach.saturating_add(new.len() as u64);
    }

    fn land(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let kept: usize = self.islands.iter().map(|island| island.bytes.len()).sum();
        let bytes = &bytes[..bytes.len().min(ISLAND_BYTES.saturating_sub(kept))];
        if bytes.is_empty() {
            return false;
        }
        let mut new = Island { offset, bytes: Vec::with_capacity(bytes.len()) };
        new.bytes.extend_from_slice(bytes);
        let touches =
            |island: &Island, new: &Island| island.offset <= new.end() && new.offset <= island.end();
        while let Some(at) = self.islands.iter().position(|island| touches(island, &new)) {
            let known = self.islands.remove(at);
            self.contradicted |= known.contradicts(&new);
            if known.offset <= new.offset && new.end() <= known.end() {
                self.islands.insert(at, known);
                return false;
            }
            new = union(&known, &new);
        }
        if self.islands.len() == ISLANDS {
            return false;
        }
        let at = self.islands.partition_point(|island| island.offset < new.offset);
        self.islands.insert(at, new);
        true
    }
}

/// Whether these differ, as far as both go.
fn differ(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).any(|(one, other)| one != other)
}

/// Both pieces, which overlap or touch, as one; `known` wins where they overlap.
fn union(known: &Island, new: &Island) -> Island {
    let mut bytes = Vec::new();
    let before = usize::try_from(known.offset.saturating_sub(new.offset)).unwrap_or(usize::MAX);
    append(&mut bytes, &new.bytes[..before.min(new.bytes.len())], usize::MAX);
    append(&mut bytes, &known.bytes, usize::MAX);
    let behind = usize::try_from(known.end().saturating_sub(new.offset)).unwrap_or(usize::MAX);
    append(&mut bytes, new.bytes.get(behind..).unwrap_or_default(), usize::MAX);
    Island { offset: known.offset.min(new.offset), bytes }
}

/// Appends what fits within `limit`, without the spare room that doubling would take.
fn append(to: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let bytes = &bytes[..bytes.len().min(limit.saturating_sub(to.len()))];
    to.reserve_exact(bytes.len());
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(length: usize) -> Vec<u8> {
        (0..length).map(|index| u8::try_from(index % 251).expect("below 251")).collect()
    }

    #[test]
    fn pieces_in_any_order_with_overlaps_are_one_stream() {
        let bytes = source(60);
        let mut stream = Stream::default();
        for range in [40..60, 10..20, 15..30, 30..41, 12..18, 0..10] {
            stream.write(range.start as u64, &bytes[range]);
        }
        assert_eq!(stream.head(), bytes);
        assert!(!stream.is_cut());
    }

    #[test]
    fn a_repetition_makes_no_difference() {
        let mut stream = Stream::default();
        assert!(stream.write(0, b"abc"));
        assert!(!stream.write(0, b"abc"));
        assert!(!stream.write(1, b"b"));
        assert!(stream.write(9, b"xy"));
        assert!(!stream.write(9, b"xy"));
        assert!(stream.write(2, b"cde"));
        assert_eq!(stream.head(), b"abcde");
        assert_eq!(stream.islands().collect::<Vec<_>>(), [b"xy"]);
    }

    #[test]
    fn skipped_bytes_are_nobodys_wherever_they_stand() {
        let bytes = source(100);
        let mut stream = Stream::default();
        stream.write(0, &bytes[..20]);
        stream.write(45, &bytes[45..55]);
        stream.write(70, &bytes[70..80]);
        stream.skip(50);
        assert_eq!(stream.head(), &bytes[50..55]);
        assert_eq!(stream.islands().collect::<Vec<_>>(), [&bytes[70..80]]);
        assert!(!stream.write(10, &bytes[10..45]), "all of it is skipped");
        stream.write(40, &bytes[40..75]);
        assert_eq!(stream.head(), &bytes[50..80]);
    }

    #[test]
    fn other_bytes_at_the_same_place_are_noticed_wherever_it_is() {
        let bytes = source(60);
        let other: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        let known = [0..20, 30..40, 45..50];
        for (at, expected) in [
            (5..10, true),
            (19..21, true),
            (20..30, false),
            (25..35, true),
            (39..45, true),
            (40..45, false),
            (28..60, true),
        ] {
            let mut stream = Stream::default();
            for range in known.clone() {
                stream.write(range.start as u64, &bytes[range]);
            }
            for range in [known.clone(), [5..10, 15..45, 0..60]].concat() {
                stream.write(range.start as u64, &bytes[range]);
            }
            assert!(!stream.is_contradicted());
            let mut stream = Stream::default();
            for range in known.clone() {
                stream.write(range.start as u64, &bytes[range]);
            }
            assert!(stream.write(at.start as u64, &other[at.clone()]), "{at:?}");
            assert_eq!(stream.is_contradicted(), expected, "{at:?}");
            stream.write(0, &bytes);
            assert!(stream.is_contradicted(), "{at:?}");
        }
    }

    #[test]
    fn offsets_at_the_end_of_the_range_do_no_harm() {
        let mut stream = Stream::default();
        stream.write(u64::MAX, b"abc");
        stream.write(u64::MAX - 1, b"abc");
        stream.write(0, b"x");
        assert_eq!(stream.head(), b"x");
    }

    proptest! {
        #[test]
        fn any_pieces_of_one_source_stay_bounded_and_true_to_it(
            pieces in prop::collection::vec((0_usize..7000, 0_usize..2100), 0..40)
        ) {
            let bytes = source(9100);
            let mut stream = Stream::default();
            for (start, length) in pieces {
                stream.write(start as u64, &bytes[start..start + length]);
                prop_assert!(stream.head.capacity() <= HEAD_BYTES);
                prop_assert!(stream.islands.len() <= ISLANDS);
                let kept: usize = stream.islands.iter().map(|island| island.bytes.capacity()).sum();
                prop_assert!(kept <= ISLAND_BYTES, "{kept}");
            }
            prop_assert_eq!(stream.head(), &bytes[..stream.head.len()]);
            let mut end = stream.head.len() as u64;
            for island in &stream.islands {
                prop_assert!(island.offset > end, "a gap lies before every island");
                let start = usize::try_from(island.offset).expect("small");
                prop_assert_eq!(&island.bytes[..], &bytes[start..start + island.bytes.len()]);
                end = island.end();
            }
        }
    }
}
