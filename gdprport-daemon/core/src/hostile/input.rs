//! Taking values from the front of the bytes that a fuzzer or a generator made.

/// What is left of the bytes. Taking more than there is gives zeros or nothing: every input is complete.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes, least significant first.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// The next eight bytes, least significant first.
    pub fn u64(&mut self) -> u64 {
        (0..8).map(|at| u64::from(self.u8()) << (8 * at)).sum()
    }

    /// The next bytes, as many as there are up to `count`.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next bytes, their number before them in one byte, as text.
    pub fn text(&mut self) -> String {
        let count = self.u8();
        String::from_utf8_lossy(self.take(count.into())).into_owned()
    }

    /// Nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Numbers that are always the same for the same bytes, and look random.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(bytes: &[u8]) -> Self {
        // FNV-1a; a state of zero would stay zero.
        Self(
            bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            }) | 1,
        )
    }

    /// A number below `bound`, which is not 0.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
