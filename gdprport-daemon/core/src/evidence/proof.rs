//! Proofs that an entry is in a tree, and that one tree is the beginning of another: made from the hashes of tiles, and
//! verified from a few hashes alone (RFC 6962, sections 2.1.1 and 2.1.2; the verification is RFC 9162's, 2.1.3.2 and 2.1.4.2).

use super::hash::Hash;
use super::tile::{HEIGHT, WIDTH};
use super::tree::{Tree, root_of_whole};

/// Where a tree's hashes are.
pub trait Hashes {
    /// Why they cannot be had.
    type Error;

    /// `count` hashes (1 to 256) of a level of tiles from the one with this index on, all in one tile.
    ///
    /// # Errors
    /// If one of them is not there.
    fn hashes(&mut self, level: u8, first: u64, count: u16) -> Result<Vec<Hash>, Self::Error>;
}

/// The leaves of a range, `begin..end`.
#[derive(Debug, Clone, Copy)]
struct Range {
    begin: u64,
    end: u64,
}

impl Range {
    const fn count(self) -> u64 {
        self.end - self.begin
    }

    /// Divided as RFC 6962 divides a tree: the left half is the largest whole tree that is not all of it.
    const fn divided(self) -> (Self, Self) {
        let left = 1 << (u64::BITS - 1 - (self.count() - 1).leading_zeros());
        let middle = self.begin + left;
        (Self { begin: self.begin, end: middle }, Self { begin: middle, end: self.end })
    }
}

/// The root of the first `size` leaves.
///
/// # Errors
/// If a hash is missing.
pub fn root<H: Hashes>(hashes: &mut H, size: u64) -> Result<Hash, H::Error> {
    if size == 0 { Ok(Hash::of_no_leaf()) } else { subtree(hashes, Range { begin: 0, end: size }) }
}

/// The tree of the first `size` leaves, to append to.
///
/// # Errors
/// If a hash is missing.
pub fn tree<H: Hashes>(hashes: &mut H, size: u64) -> Result<Tree, H::Error> {
    let mut peaks = Vec::new();
    let mut begin = 0;
    for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
        let end = begin + (1 << height);
        peaks.push(subtree(hashes, Range { begin, end })?);
        begin = end;
    }
    Ok(Tree::of_peaks(size, peaks).expect("one peak for each 1 in the size"))
}

fn subtree<H: Hashes>(hashes: &mut H, range: Range) -> Result<Hash, H::Error> {
    let count = range.count();
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        let level = height / u32::from(HEIGHT);
        // A hash of the level spans `1 << shift` leaves; up to 128 of them make the subtree.
        let shift = level * u32::from(HEIGHT);
        let wanted = count >> shift;
        debug_assert!(wanted < WIDTH, "a whole tile is one hash of the next level");
        #[expect(clippy::cast_possible_truncation, reason = "at most 7, and at most 128")]
        let kept = hashes.hashes(level as u8, range.begin >> shift, wanted as u16)?;
        return Ok(root_of_whole(&kept));
    }
    let (left, right) = range.divided();
    Ok(Hash::of_node(subtree(hashes, left)?, subtree(hashes, right)?))
}

/// That the leaf with this index, less than `size`, is in the tree of the first `size` leaves: from the leaf's sibling up to the
/// root's child.
///
/// # Errors
/// If a hash is missing.
pub fn inclusion<H: Hashes>(hashes: &mut H, index: u64, size: u64) -> Result<Vec<Hash>, H::Error> {
    debug_assert!(index < size, "a leaf of the tree");
    let mut range = Range { begin: 0, end: size };
    let mut proof = Vec::new();
    while range.count() > 1 {
        let (left, right) = range.divided();
        let (inside, beside) = if index < left.end { (left, right) } else { (right, left) };
        proof.push(subtree(hashes, beside)?);
        range = inside;
    }
    proof.reverse();
    Ok(proof)
}

/// That the tree of the first `old` leaves is the beginning of that of the first `new`. It is empty if `old` is 0 or `new`.
///
/// # Errors
/// If a hash is missing.
pub fn consistency<H: Hashes>(hashes: &mut H, old: u64, new: u64) -> Result<Vec<Hash>, H::Error> {
    debug_assert!(old <= new, "an older tree");
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut range = Range { begin: 0, end: new };
    let mut proof = Vec::new();
    while range.end != old {
        let (left, right) = range.divided();
        let (inside, beside) = if old <= left.end { (left, right) } else { (right, left) };
        proof.push(subtree(hashes, beside)?);
        range = inside;
    }
    if range.begin != 0 {
        proof.push(subtree(hashes, range)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The roots of the largest subtrees of the first `size` leaves in which none of the leaves `from..to` is, from left to right: with
/// those leaves they make the root. Of one leaf these are the hashes of its inclusion proof.
///
/// # Errors
/// If a hash is missing.
pub fn beside_range<H: Hashes>(
    hashes: &mut H,
    (from, to): (u64, u64),
    size: u64,
) -> Result<Vec<Hash>, H::Error> {
    debug_assert!(from < to && to <= size, "leaves of the tree");
    let mut proof = Vec::new();
    let mut waiting = vec![Range { begin: 0, end: size }];
    while let Some(range) = waiting.pop() {
        if range.end <= from || to <= range.begin {
            proof.push(subtree(hashes, range)?);
        } else if range.begin < from || to < range.end {
            let (left, right) = range.divided();
            waiting.extend([right, left]);
        }
    }
    Ok(proof)
}

/// The root of a tree of `size` leaves, from the leaves `from..to` and the [hashes beside them](beside_range); `None` if there are
/// more or fewer hashes, or `leaf` has one not.
///
/// # Errors
/// What `leaf` returns, which is asked for each leaf in their order.
pub fn root_of_range<E>(
    (from, to): (u64, u64),
    size: u64,
    proof: &[Hash],
    mut leaf: impl FnMut(u64) -> Result<Option<Hash>, E>,
) -> Result<Option<Hash>, E> {
    if from >= to || to > size {
        return Ok(None);
    }
    let mut beside = proof.iter().copied();
    let mut next = |range: Range| {
        if range.end <= from || to <= range.begin { Ok(beside.next()) } else { leaf(range.begin) }
    };
    let of = |range: Range| -> bool { range.end <= from || to <= range.begin || range.count() == 1 };
    let root = folded(Range { begin: 0, end: size }, &of, &mut next)?;
    Ok(if beside.next().is_none() { root } else { None })
}

/// The root of a range, from what `next` has for the parts that are not divided further.
fn folded<E>(
    range: Range,
    is_whole: &impl Fn(Range) -> bool,
    next: &mut impl FnMut(Range) -> Result<Option<Hash>, E>,
) -> Result<Option<Hash>, E> {
    if is_whole(range) {
        return next(range);
    }
    let (left, right) = range.divided();
    let Some(left) = folded(left, is_whole, next)? else { return Ok(None) };
    let Some(right) = folded(right, is_whole, next)? else { return Ok(None) };
    Ok(Some(Hash::of_node(left, right)))
}

/// Whether the proof shows that the leaf with this hash is the one with this index of the tree with this size and root.
#[must_use]
pub fn includes(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut index, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in proof {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            hash = Hash::of_node(*beside, hash);
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            hash = Hash::of_node(hash, *beside);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && hash == root
}

/// A tree: its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
}

/// Whether the proof shows that `old` is the beginning of `new`.
#[must_use]
pub fn extends(old: Head, new: Head, proof: &[Hash]) -> bool {
    if old.size > new.size {
        return false;
    }
    if old.size == new.size {
        return proof.is_empty() && old.root == new.root;
    }
    if old.size == 0 {
        return proof.is_empty() && old.root == Hash::of_no_leaf();
    }
    let mut path = proof.iter().copied();
    let first = if old.size.is_power_of_two() { Some(old.root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut index, mut last) = (old.size - 1, new.size - 1);
    while index & 1 == 1 {
        (index, last) = (index >> 1, last >> 1);
    }
    let (mut of_old, mut of_new) = (first, first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            of_old = Hash::of_node(beside, of_old);
            of_new = Hash::of_node(beside, of_new);
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            of_new = Hash::of_node(of_new, beside);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && of_old == old.root && of_new == new.root
}

#[cfg(test)]
mod tests;
