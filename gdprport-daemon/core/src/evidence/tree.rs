//! A Merkle tree that grows at its end: its root, and the hashes that tiles keep. Does not belong here: files.

use super::hash::Hash;
use super::tile::{HEIGHT, WIDTH};

/// The hash of a whole subtree that a tile keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Level of its tile: 0 holds leaves, 1 the roots of full tiles of level 0, and so on.
    pub level: u8,
    /// Number of the hash within its level.
    pub index: u64,
    /// The hash.
    pub hash: Hash,
}

/// The roots of the whole subtrees that a tree of this size consists of, which is all that is needed to append to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    /// One for each 1 in the binary digits of `size`, the largest first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// A tree of `size` leaves from the roots of its whole subtrees, the largest first; `None` if there are too few or too many.
    #[must_use]
    pub fn of_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root hash (RFC 6962, section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Hash::of_no_leaf() };
        peaks.fold(last, |right, left| Hash::of_node(left, right))
    }

    /// Appends a leaf. `keep` is called with each hash that a tile keeps from now on, from level 0 upwards: the leaf's always.
    ///
    /// # Panics
    /// With more than 2^64 leaves.
    pub fn append(&mut self, leaf: Hash, keep: impl FnMut(Kept)) {
        self.grow(leaf, 0, keep);
    }

    /// Appends a whole subtree of this height, whose place is aligned to it.
    fn grow(&mut self, root: Hash, height: u32, mut keep: impl FnMut(Kept)) {
        let (mut hash, leaves) = (root, 1 << height);
        let mut height = height;
        loop {
            if height.is_multiple_of(u32::from(HEIGHT)) {
                #[expect(clippy::cast_possible_truncation, reason = "at most 63 / 8")]
                keep(Kept { level: (height / u32::from(HEIGHT)) as u8, index: self.size >> height, hash });
            }
            if self.size >> height & 1 == 0 {
                break;
            }
            let left = self.peaks.pop().expect("there is one for each 1 in the size");
            hash = Hash::of_node(left, hash);
            height += 1;
        }
        self.peaks.push(hash);
        self.size = self.size.checked_add(leaves).expect("fewer than 2^64 leaves");
    }

    /// Appends a whole tile of leaves of which only its root is known. `keep` as for [`append`](Self::append), from level 1 on.
    ///
    /// # Panics
    /// If the tree does not end with a whole tile.
    pub fn append_tile(&mut self, root: Hash, keep: impl FnMut(Kept)) {
        assert_eq!(self.size % WIDTH, 0, "tiles are appended behind tiles");
        self.grow(root, u32::from(HEIGHT), keep);
    }
}

/// The root of a whole subtree of `hashes`, which are a power of two (1 to 256).
#[must_use]
pub(super) fn root_of_whole(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two(), "a whole subtree");
    match hashes {
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Hash::of_node(root_of_whole(left), root_of_whole(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962, section 2.1, as it is written there.
    pub(crate) fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_no_leaf(),
            [only] => *only,
            _ => {
                let k = 1 << (usize::BITS - 1 - (leaves.len() - 1).leading_zeros());
                Hash::of_node(root_by_definition(&leaves[..k]), root_by_definition(&leaves[k..]))
            }
        }
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|number| Hash::of_leaf(&[&number.to_be_bytes()])).collect()
    }

    /// The inputs of the reference implementation of RFC 6962 (certificate-transparency, `merkle_tree_test`), and its roots of
    /// the first 1 to 8 of them.
    #[test]
    fn the_reference_trees_of_rfc_6962_have_their_roots() {
        let inputs: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::new();
        for (input, root) in inputs.iter().zip(roots) {
            tree.append(Hash::of_leaf(&[input]), |_| {});
            assert_eq!(tree.root().to_string(), root, "of {} leaves", tree.size());
        }
    }

    #[test]
    fn a_grown_tree_has_the_root_of_its_definition() {
        let all = leaves(700);
        let mut tree = Tree::new();
        for (count, leaf) in all.iter().enumerate() {
            assert_eq!(tree.root(), root_by_definition(&all[..count]), "{count}");
            tree.append(*leaf, |_| {});
        }
    }

    #[test]
    fn a_tree_grows_by_whole_tiles_too() {
        let all = leaves(800);
        let (mut by_leaf, mut by_tile) = (Tree::new(), Tree::new());
        let (mut kept, mut of_tiles) = (Vec::new(), Vec::new());
        all[..768].iter().for_each(|leaf| by_leaf.append(*leaf, |hash| kept.push(hash)));
        for tile in all[..768].chunks(256) {
            by_tile.append_tile(root_of_whole(tile), |hash| of_tiles.push(hash));
        }
        assert_eq!(by_leaf, by_tile);
        kept.retain(|kept| kept.level > 0);
        assert_eq!(kept, of_tiles);
    }

    #[test]
    fn tiles_keep_the_roots_of_full_tiles_below() {
        let all = leaves(600);
        let mut tree = Tree::new();
        let mut kept = Vec::new();
        all.iter().for_each(|leaf| tree.append(*leaf, |hash| kept.push(hash)));
        let level_1: Vec<Kept> = kept.iter().copied().filter(|kept| kept.level == 1).collect();
        assert_eq!(kept.len(), 600 + 2);
        for (number, kept) in level_1.iter().enumerate() {
            let hash = root_of_whole(&all[number * 256..(number + 1) * 256]);
            assert_eq!(*kept, Kept { level: 1, index: number as u64, hash });
        }
    }

    proptest! {
        #[test]
        fn a_tree_goes_on_from_its_peaks(first in 0_u32..600, more in 0_u32..300) {
            let all = leaves(first + more);
            let mut whole = Tree::new();
            all[..first as usize].iter().for_each(|leaf| whole.append(*leaf, |_| {}));
            let mut resumed = Tree::of_peaks(whole.size(), whole.peaks.clone()).expect("its own peaks");
            for leaf in &all[first as usize..] {
                whole.append(*leaf, |_| {});
                resumed.append(*leaf, |_| {});
            }
            prop_assert_eq!(whole, resumed);
        }
    }
}
