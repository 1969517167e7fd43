//! One block of a log: whether its bundle and its tile agree, and which of the two is wrong if they do not.

use super::finding::What;
use super::log::Block;
use crate::evidence::bundle::Entries;
use crate::evidence::entry::Entry;
use crate::evidence::hash::Hash;
use crate::evidence::tile::WIDTH;
use crate::evidence::tree::root_of_whole;

/// What a block is, after its two files were compared.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    /// The hashes of its entries; `None`: neither file has them.
    pub(super) hashes: Option<Vec<Hash>>,
    /// The entries that are the ones of the tree, by their place in the block.
    pub(super) entries: Vec<(u16, Entry<'a>)>,
    /// Whether there is no bundle.
    pub(super) is_absent: bool,
    /// What is wrong, by the first place in the block.
    pub(super) wrong: Vec<(What, u16, String)>,
}

/// Compares the files of a block of `width` entries. `root`: the hash that the tile above has of the whole block, if it is one.
pub(super) fn judge(block: &Block, width: u16, root: Option<Hash>) -> Judged<'_> {
    let mut wrong = Vec::new();
    let tile = block.tile.as_deref().and_then(|bytes| {
        let hashes = hashes_of(bytes);
        if hashes.len() < usize::from(width) {
            let detail = format!("the tile of level 0 ends after {} of {width} hashes", hashes.len());
            wrong.push((What::Truncated, clamp(hashes.len()), detail));
        } else if bytes.len() > usize::from(width) * Hash::BYTES {
            let detail = format!("the tile of level 0 goes on behind its {width} hashes");
            wrong.push((What::TileChanged, width, detail));
        }
        (hashes.len() >= usize::from(width)).then(|| hashes[..usize::from(width)].to_vec())
    });
    if block.tile.is_none() {
        wrong.push((What::TileChanged, 0, "the tile of level 0 is missing".into()));
    }
    let Some(bytes) = &block.bundle else {
        return Judged { hashes: tile, entries: Vec::new(), is_absent: true, wrong };
    };
    let (entries, torn, more) = entries_of(bytes, width);
    let found: Vec<Hash> = entries.iter().map(Entry::hash).collect();
    let is_right = |hashes: &[Hash]| root.is_some_and(|root| root_of(hashes) == Some(root));
    let complete = found.len() == usize::from(width);
    let Some(tile) = tile else {
        if torn.is_some() || !complete {
            let at = clamp(found.len());
            wrong.push((What::Truncated, at, format!("the bundle ends after {} entries", found.len())));
            return Judged { hashes: None, entries: Vec::new(), is_absent: false, wrong };
        }
        return Judged { entries: placed(entries, |_| true), hashes: Some(found), is_absent: false, wrong };
    };
    if complete && torn.is_none() && found != tile && is_right(&found) && !is_right(&tile) {
        let at = first_difference(&found, &tile);
        wrong.push((
            What::TileChanged,
            at,
            "the hash in the tile of level 0 is not that of the entry".into(),
        ));
        return Judged { entries: placed(entries, |_| true), hashes: Some(found), is_absent: false, wrong };
    }
    for at in 0..found.len() {
        if found[at] != tile[at] {
            wrong.push(difference(&found, &tile, at));
            break;
        }
    }
    if found.len() < tile.len() {
        let detail = match torn {
            Some(at) => format!("the bundle ends within an entry, at byte {at}"),
            None => format!("the bundle ends after {} of {width} entries", found.len()),
        };
        wrong.push((What::Truncated, clamp(found.len()), detail));
    } else if more {
        wrong.push((What::Inserted, width, format!("the bundle goes on behind its {width} entries")));
    }
    let right = placed(entries, |at| found[at] == tile[at]);
    Judged { hashes: Some(tile), entries: right, is_absent: false, wrong }
}

/// What is wrong with the entry at this place of the block, whose hash is another one than the tile's.
fn difference(found: &[Hash], tile: &[Hash], at: usize) -> (What, u16, String) {
    let place = clamp(at);
    let next = |hashes: &[Hash], of: &[Hash]| hashes.get(at + 1).is_some_and(|next| *next == of[at]);
    // Swapped neighbours follow both of the patterns below.
    if next(found, tile) && !next(tile, found) {
        return (What::Inserted, place, "an entry that the tree does not have stands before this one".into());
    }
    if next(tile, found) && !next(found, tile) {
        return (What::Missing, place, "this entry was taken out of its bundle".into());
    }
    if let Some(of) = tile.iter().position(|hash| *hash == found[at]) {
        return (What::Reordered, place, format!("here stands the entry of place {of} of the block"));
    }
    (What::Changed, place, "it is not the entry whose hash the tree has".into())
}

fn first_difference(left: &[Hash], right: &[Hash]) -> u16 {
    clamp(left.iter().zip(right).position(|(left, right)| left != right).unwrap_or(0))
}

fn clamp(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn hashes_of(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<{ Hash::BYTES }>().0.iter().map(|bytes| Hash::from(*bytes)).collect()
}

fn root_of(hashes: &[Hash]) -> Option<Hash> {
    (hashes.len() as u64 == WIDTH).then(|| root_of_whole(hashes))
}

/// The first `width` entries, where the bytes are torn before that, and whether there are more.
fn entries_of(bytes: &[u8], width: u16) -> (Vec<Entry<'_>>, Option<usize>, bool) {
    let mut entries = Vec::with_capacity(usize::from(width));
    for entry in Entries::of(bytes) {
        match entry {
            _ if entries.len() == usize::from(width) => return (entries, None, true),
            Ok(entry) => entries.push(entry),
            Err(torn) => return (entries, Some(torn.at), false),
        }
    }
    (entries, None, false)
}

fn placed(entries: Vec<Entry<'_>>, keep: impl Fn(usize) -> bool) -> Vec<(u16, Entry<'_>)> {
    let all = entries.into_iter().enumerate().filter(|(at, _)| keep(*at));
    all.map(|(at, entry)| (clamp(at), entry)).collect()
}
