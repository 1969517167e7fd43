//! One row of a table: its columns.
//!
//! Belongs here: variable-length numbers and the format of records (section 2.1 of the format). Only texts are of use here.

/// The columns of a row, or as many as its first bytes have.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    bytes: &'a [u8],
}

/// A variable-length number and how many bytes it has.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, index + 1));
        }
    }
    Some((number << 8 | u64::from(*bytes.get(8)?), 9))
}

impl<'a> Row<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The text in a column, from 0. `None` if there is no such column, or it is no UTF-8 text, or is not completely in the bytes.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&'a str> {
        let (kind, from) = self.column(column)?;
        if kind < 13 || kind % 2 == 0 {
            return None;
        }
        let length = usize::try_from((kind - 13) / 2).ok()?;
        str::from_utf8(self.bytes.get(from..from.checked_add(length)?)?).ok()
    }

    /// The whole number in a column.
    pub(super) fn number(&self, column: usize) -> Option<i64> {
        let (kind, from) = self.column(column)?;
        let length = match kind {
            8 => return Some(0),
            9 => return Some(1),
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 => 8,
            _ => return None,
        };
        let bytes = self.bytes.get(from..from.checked_add(length)?)?;
        // The first byte has the sign.
        let sign = i64::from(i8::from_be_bytes([*bytes.first()?]));
        Some(bytes[1..].iter().fold(sign, |number, byte| number << 8 | i64::from(*byte)))
    }

    /// The type of a column and where its value begins.
    fn column(&self, column: usize) -> Option<(u64, usize)> {
        let (header, mut at) = varint(self.bytes)?;
        let header = usize::try_from(header).ok()?;
        let mut from = header;
        for index in 0.. {
            let (kind, length) = varint(self.bytes.get(at..header)?)?;
            if index == column {
                return Some((kind, from));
            }
            at += length;
            from = from.checked_add(usize::try_from(size(kind)?).ok()?)?;
        }
        None
    }
}

/// Bytes of a value of a type; `None` for the types that are in no file.
const fn size(kind: u64) -> Option<u64> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => (kind - 12) / 2,
    })
}
