//! The bytes of a segment: its header, and its frames. Pure: bytes in, values out, for any bytes.
//!
//! All numbers are little-endian. A header is [`HEADER`] bytes:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 2 | [`VERSION`] |
//! | 10 | 2 | flags: 1 = ordinary events were removed from it |
//! | 12 | 4 | 0 |
//! | 16 | 16 | the spool's id, a UUID |
//! | 32 | 16 | the boot in which it was begun, a UUID (`/proc/sys/kernel/random/boot_id`) |
//! | 48 | 8 | index of its first record |
//! | 56 | 8 | when it was begun, ms since 1970 |
//! | 64 | 16 | the last indexes that were left out: from, and to, which is the next that was used; 0, 0: none ever were |
//! | 80 | 12 | 0 |
//! | 92 | 4 | CRC-32 of the 92 bytes before |
//!
//! A frame is [`FRAME`] bytes and its payload:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 2 | 0x1e 0x01: no byte of an event's line is a control character |
//! | 2 | 1 | class: 1 ordinary, 2 kept longest, 3 end of a segment that was closed in order |
//! | 3 | 1 | 0 |
//! | 4 | 4 | bytes of the payload, at most [`LINE_MAX`] |
//! | 8 | 8 | index; of an end: the next one |
//! | 16 | 8 | when it was appended, ms since 1970 |
//! | 24 | 4 | CRC-32 of the spool's id, the segment's first index and the 24 bytes before |
//! | 28 | 4 | CRC-32 of the payload |
//! | 32 | | payload: the event's line without its line feed; of an end 16 bytes, the records of the segment and those of class 1 |

use uuid::Uuid;

/// How every segment begins.
pub(super) const MAGIC: [u8; 8] = *b"gdprspl\x1a";

/// The format that this program writes, and the newest that it reads.
pub(super) const VERSION: u16 = 1;

/// Bytes of a segment's header.
pub(super) const HEADER: usize = 96;

/// Bytes of a frame before its payload.
pub(super) const FRAME: usize = 32;

/// Bytes that a line may have: a hundred times what the longest has that was seen, a `coverage` of a host with many gaps.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// Bytes of an end with its frame.
pub(super) const END: usize = FRAME + 16;

const FRAME_MAGIC: [u8; 2] = [0x1e, 0x01];
const KEPT_ONLY: u16 = 1;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) spool: Uuid,
    pub(super) boot: Uuid,
    pub(super) first: u64,
    /// ms since 1970.
    pub(super) created: i64,
    /// Indexes that were left out last, up to this segment.
    pub(super) skip: Skip,
    /// Whether ordinary events were removed from it.
    pub(super) kept_only: bool,
}

/// Indexes that were never used: from, up to and without the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Skip {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Skip {
    /// How many of them lie from `begin` up to and without `end`.
    pub(super) const fn within(self, begin: u64, end: u64) -> u64 {
        let from = if self.from > begin { self.from } else { begin };
        let to = if self.to < end { self.to } else { end };
        to.saturating_sub(from)
    }
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// There are too few, as when it is being written.
    Short,
    /// A newer program wrote it, in this version of the format.
    Newer(u16),
    /// Anything else.
    Damaged,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(if self.kept_only { KEPT_ONLY } else { 0 }).to_le_bytes());
        bytes[16..32].copy_from_slice(self.spool.as_bytes());
        bytes[32..48].copy_from_slice(self.boot.as_bytes());
        bytes[48..56].copy_from_slice(&self.first.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.created.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.skip.from.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.skip.to.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..92]);
        bytes[92..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header from the beginning of a segment.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoHeader> {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else { return Err(NoHeader::Short) };
        if bytes[..8] != MAGIC {
            return Err(NoHeader::Damaged);
        }
        let sums = crc32fast::hash(&bytes[..92]) == u32::from_le_bytes(part(bytes, 92));
        match u16::from_le_bytes(part(bytes, 8)) {
            // What a later format sums up is not known here.
            version if version > VERSION => return Err(NoHeader::Newer(version)),
            VERSION if sums => {}
            _ => return Err(NoHeader::Damaged),
        }
        let number = |at| u64::from_le_bytes(part(bytes, at));
        Ok(Self {
            spool: Uuid::from_bytes(part(bytes, 16)),
            boot: Uuid::from_bytes(part(bytes, 32)),
            first: number(48),
            created: i64::from_le_bytes(part(bytes, 56)),
            skip: Skip { from: number(64), to: number(72) },
            kept_only: u16::from_le_bytes(part(bytes, 10)) & KEPT_ONLY != 0,
        })
    }

    /// What the sums of its frames begin with, so that no frame of another segment is taken for one of this.
    pub(super) fn seed(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.spool.as_bytes());
        sum.update(&self.first.to_le_bytes());
        sum.finalize()
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// The flag of an end behind which another segment was begun.
const FOLLOWED: u8 = 1;

/// What a frame holds, and how long its event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// An event that is removed first.
    Ordinary = 1,
    /// One that is kept longest.
    Kept = 2,
    /// No event: the segment was closed in order.
    End = 3,
}

/// A frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) class: Class,
    pub(super) index: u64,
    /// ms since 1970.
    pub(super) time: i64,
    /// Bytes of its payload.
    pub(super) length: usize,
    /// Of an end: another segment was begun behind it.
    pub(super) followed: bool,
    /// CRC-32 of its payload.
    pub(super) sum: u32,
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// So many bytes are needed, counted from its beginning.
    Short(usize),
    /// These bytes are none.
    Bad,
}

impl Frame {
    /// Bytes of it and its payload.
    pub(super) const fn whole(&self) -> usize {
        FRAME + self.length
    }

    /// Reads a frame from the beginning of these bytes, which hold its payload too.
    pub(super) fn parse(bytes: &[u8], seed: u32) -> Result<Self, NoFrame> {
        let Some(head) = bytes.first_chunk::<FRAME>() else {
            // What can be no beginning of one is none, however much follows.
            let begins = bytes.iter().zip(FRAME_MAGIC).all(|(byte, magic)| *byte == magic);
            return Err(if begins { NoFrame::Short(FRAME) } else { NoFrame::Bad });
        };
        let mut sum = crc32fast::Hasher::new_with_initial(seed);
        sum.update(&head[..24]);
        if head[..2] != FRAME_MAGIC || sum.finalize() != u32::from_le_bytes(part(head, 24)) {
            return Err(NoFrame::Bad);
        }
        let length = u32::from_le_bytes(part(head, 4)) as usize;
        let class = match head[2] {
            1 => Class::Ordinary,
            2 => Class::Kept,
            3 => Class::End,
            _ => return Err(NoFrame::Bad),
        };
        if length > LINE_MAX || (class == Class::End && length != END - FRAME) {
            return Err(NoFrame::Bad);
        }
        let frame = Self {
            class,
            index: u64::from_le_bytes(part(head, 8)),
            time: i64::from_le_bytes(part(head, 16)),
            length,
            followed: class == Class::End && head[3] & FOLLOWED != 0,
            sum: u32::from_le_bytes(part(head, 28)),
        };
        match bytes.get(FRAME..frame.whole()) {
            None => Err(NoFrame::Short(frame.whole())),
            Some(payload) if crc32fast::hash(payload) == frame.sum => Ok(frame),
            Some(_) => Err(NoFrame::Bad),
        }
    }
}

/// Appends a frame. The payload has at most [`LINE_MAX`] bytes.
pub(super) fn append(to: &mut Vec<u8>, seed: u32, class: Class, index: u64, time: i64, payload: &[u8]) {
    write(to, seed, [class as u8, 0], index, time, payload);
}

/// Appends an end. `followed`: another segment is begun behind it.
pub(super) fn append_end(to: &mut Vec<u8>, seed: u32, followed: bool, index: u64, time: i64, counts: Counts) {
    let flags = if followed { FOLLOWED } else { 0 };
    write(to, seed, [Class::End as u8, flags], index, time, &counts.encode());
}

fn write(to: &mut Vec<u8>, seed: u32, class: [u8; 2], index: u64, time: i64, payload: &[u8]) {
    debug_assert!(payload.len() <= LINE_MAX);
    let mut head = [0; FRAME];
    head[..2].copy_from_slice(&FRAME_MAGIC);
    head[2..4].copy_from_slice(&class);
    head[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    head[8..16].copy_from_slice(&index.to_le_bytes());
    head[16..24].copy_from_slice(&time.to_le_bytes());
    let mut sum = crc32fast::Hasher::new_with_initial(seed);
    sum.update(&head[..24]);
    head[24..28].copy_from_slice(&sum.finalize().to_le_bytes());
    head[28..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    to.extend_from_slice(&head);
    to.extend_from_slice(payload);
}

/// Records of a segment: all, and those of class ordinary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) ordinary: u64,
}

impl Counts {
    pub(super) const fn add(&mut self, class: Class) {
        match class {
            Class::Ordinary => {
                self.records += 1;
                self.ordinary += 1;
            }
            Class::Kept => self.records += 1,
            Class::End => {}
        }
    }

    fn encode(self) -> [u8; END - FRAME] {
        let mut bytes = [0; END - FRAME];
        bytes[..8].copy_from_slice(&self.records.to_le_bytes());
        bytes[8..].copy_from_slice(&self.ordinary.to_le_bytes());
        bytes
    }

    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let bytes = payload.first_chunk::<16>()?;
        let (records, ordinary) = (u64::from_le_bytes(part(bytes, 0)), u64::from_le_bytes(part(bytes, 8)));
        Some(Self { records, ordinary })
    }
}
