//! Where the hashes and the entries of a log stand: numbers and paths of tiles and bundles (C2SP tlog-tiles). Does not belong
//! here: reading or writing them.

use std::fmt;

/// Levels of the tree that one tile spans.
pub const HEIGHT: u8 = 8;

/// Hashes of a full tile, and entries of a full bundle.
pub const WIDTH: u64 = 1 << HEIGHT;

/// Levels that a tree of 2^64 leaves needs.
const LEVELS: u8 = 8;

/// What a file below `tile/` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// Entries.
    Entries,
    /// Hashes, at this level.
    Hashes(u8),
}

/// A file below `tile/`: a tile or a bundle, full or partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub content: Content,
    /// Its number within its level, from 0.
    pub number: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// Whether it is full.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width as u64 == WIDTH
    }

    /// The same place, full.
    #[must_use]
    pub const fn full(self) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "256")]
        Self { width: WIDTH as u16, ..self }
    }

    /// The file by its path below the log's directory; `None` if it is none of a tile or bundle, written in its one form.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let content = match level {
            "entries" => Content::Entries,
            level => Content::Hashes(decimal(level).filter(|level| *level < u16::from(LEVELS))? as u8),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                (number, decimal(width).filter(|width| (1..WIDTH).contains(&u64::from(*width)))?)
            }
            None => (rest, WIDTH as u16),
        };
        Some(Self { content, number: number_of(number)?, width })
    }

    /// The tiles of hashes of a tree of `size` leaves that are not full, at most one a level.
    pub fn partials(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).filter_map(move |level| {
            let hashes = size.checked_shr(u32::from(level * HEIGHT))?;
            let width = (hashes % WIDTH) as u16;
            (width > 0).then_some(Self { content: Content::Hashes(level), number: hashes / WIDTH, width })
        })
    }
}

/// A decimal number without leading zeros.
fn decimal(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// A number in groups of three digits, all but the last with an `x` before them; the first group is not `x000`.
fn number_of(text: &str) -> Option<u64> {
    let mut number = 0_u64;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let is_last = groups.peek().is_none();
        let digits = if is_last { group } else { group.strip_prefix('x')? };
        if digits.len() != 3
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
            || (first && !is_last && digits == "000")
        {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        first = false;
    }
    Some(number)
}

/// The path below the log's directory.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries/")?,
            Content::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut divisor = 1;
        while self.number / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.number / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_specification_have_their_paths() {
        let tile = |content, number, width| Tile { content, number, width }.to_string();
        assert_eq!(tile(Content::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(Content::Entries, 0, 1), "tile/entries/000.p/1");
        assert_eq!(tile(Content::Entries, 1_000, 256), "tile/entries/x001/000");
        // "a tree of size 70,000"
        let partial: Vec<String> = Tile::partials(70_000).map(|tile| tile.to_string()).collect();
        assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        // "a tree of size 256"
        assert_eq!(Tile::partials(256).map(|tile| tile.to_string()).collect::<Vec<_>>(), ["tile/1/000.p/1"]);
    }

    #[test]
    fn a_path_in_another_form_is_no_tile() {
        for path in [
            "tile/0/1",
            "tile/0/0001",
            "tile/00/001",
            "tile/8/001",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/001.p",
            "tile/entries/+01",
            "tile/-/001",
            "tile/0/\u{0661}\u{0662}",
            "tile//001",
            "tile/entries/x999/x999/x999/x999/x999/x999/x999/999",
            "checkpoint",
        ] {
            assert_eq!(Tile::from_path(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_leads_back_to_its_tile(level in 0_u8..LEVELS, entries: bool, number: u64, width in 1_u16..=256) {
            let content = if entries { Content::Entries } else { Content::Hashes(level) };
            let tile = Tile { content, number, width };
            prop_assert_eq!(Tile::from_path(&tile.to_string()), Some(tile));
        }

        #[test]
        fn any_text_is_a_tile_or_none(path in "(tile/)?(entries|[0-9]{1,2})/[x0-9/]{0,20}(\\.p/[0-9]{0,4})?") {
            if let Some(tile) = Tile::from_path(&path) {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }
}
