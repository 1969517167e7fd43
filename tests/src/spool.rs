//! A spool as a program reads it that knows nothing but docs/spool.md.

use std::path::Path;
use std::sync::LazyLock;

/// One event of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the spool.
    pub index: u64,
    /// Whether it is kept longest.
    pub kept: bool,
    /// The event.
    pub line: String,
}

/// Bytes of a segment's header, and of a frame before its payload.
const HEADER: usize = 96;
const FRAME: usize = 32;

/// Reads all records that are whole, in order.
///
/// # Panics
/// When something is in it that the format does not allow.
#[must_use]
#[track_caller]
pub fn read(dir: &Path) -> Vec<Record> {
    let mut segments: Vec<_> = std::fs::read_dir(dir)
        .expect("a spool")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .collect();
    segments.sort();
    let mut records: Vec<Record> = Vec::new();
    for path in segments {
        let bytes = std::fs::read(&path).expect("root may read it");
        assert_eq!(&bytes[..8], b"gdprspl\x1a", "{}", path.display());
        assert_eq!(number(&bytes, 8, 2), 1, "the version");
        assert_eq!(u64::from(crc(0, &bytes[..92])), number(&bytes, 92, 4), "the sum of the header");
        let seed = crc(crc(0, &bytes[16..32]), &bytes[48..56]);
        let mut at = HEADER;
        while let Some(frame) = bytes.get(at..at + FRAME) {
            let length = usize::try_from(number(frame, 4, 4)).expect("small");
            let Some(payload) = bytes.get(at + FRAME..at + FRAME + length) else { break };
            assert_eq!(frame[..2], [0x1e, 1], "{} at {at}", path.display());
            assert_eq!(u64::from(crc(seed, &frame[..24])), number(frame, 24, 4), "the sum of a frame");
            assert_eq!(u64::from(crc(0, payload)), number(frame, 28, 4), "the sum of a payload");
            at += FRAME + length;
            if frame[2] == 3 {
                continue;
            }
            let line = String::from_utf8(payload.to_vec()).expect("JSON");
            records.push(Record { index: number(frame, 8, 8), kept: frame[2] == 2, line });
        }
    }
    assert!(records.windows(2).all(|two| two[0].index < two[1].index), "indexes ascend");
    records
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What each byte adds to the sum. Bit by bit, a spool of fifty thousand events takes several seconds to read.
static BYTES: LazyLock<[u32; 256]> = LazyLock::new(|| {
    let bit = |sum: u32, _| if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0xedb8_8320 };
    std::array::from_fn(|byte| (0..8).fold(u32::try_from(byte).expect("a byte"), bit))
});

/// CRC-32 of IEEE 802.3, as zlib's `crc32` goes on from one part to the next.
fn crc(before: u32, bytes: &[u8]) -> u32 {
    let table = &*BYTES;
    let mut sum = !before;
    for byte in bytes {
        sum = sum >> 8 ^ table[usize::from(sum.to_le_bytes()[0] ^ byte)];
    }
    !sum
}
