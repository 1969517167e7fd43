//! Reading numbers and slices from the front of a byte slice, with `None` where it ends too early.
//!
//! Belongs here: bounds. A parser written with it cannot index out of range, so none does its own arithmetic.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next `count` bytes; nothing is consumed if there are fewer.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `count` bytes or as many as there are.
    pub(super) fn take_up_to(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next byte.
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    /// The next two bytes, most significant first.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes, most significant first.
    pub(super) fn u24(&mut self) -> Option<usize> {
        self.array().map(|[a, b, c]: [u8; 3]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    /// The next four bytes, most significant first.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next four bytes, least significant first.
    pub(super) fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A slice with its length before it in one byte.
    pub(super) fn vec8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// A slice with its length before it in two bytes, most significant first.
    pub(super) fn vec16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// Whether `bytes` begin with `pattern`; `None` while they are a beginning of it.
pub(super) fn starts(bytes: &[u8], pattern: &[u8]) -> Option<bool> {
    let common = bytes.len().min(pattern.len());
    if bytes[..common] != pattern[..common] {
        Some(false)
    } else if common == pattern.len() {
        Some(true)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_slice_gives_nothing_and_loses_nothing() {
        let mut cursor = Cursor(&[1, 2, 3]);
        assert_eq!(cursor.u32(), None);
        assert_eq!(cursor.u24(), Some(0x01_02_03));
        assert_eq!(cursor.u8(), None);
        assert_eq!(Cursor(&[0, 9, 1]).vec16(), None);
    }

    #[test]
    fn a_beginning_of_a_pattern_is_not_yet_decided() {
        assert_eq!(starts(b"AM", b"AMQP"), None);
        assert_eq!(starts(b"AMQP\0", b"AMQP"), Some(true));
        assert_eq!(starts(b"AX", b"AMQP"), Some(false));
    }
}
