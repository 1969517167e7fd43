//! Proofs of trees whose hashes are kept in memory.

use std::collections::HashMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// The hashes of tiles.
#[derive(Debug, Default)]
struct Memory {
    kept: HashMap<(u8, u64), Hash>,
    tree: Tree,
    roots: Vec<Hash>,
}

impl Memory {
    fn of(leaves: u64) -> Self {
        let mut memory = Self { roots: vec![Hash::of_no_leaf()], ..Self::default() };
        for index in 0..leaves {
            let kept = &mut memory.kept;
            memory.tree.append(leaf(index), |hash| {
                assert_eq!(kept.insert((hash.level, hash.index), hash.hash), None, "kept once");
            });
            memory.roots.push(memory.tree.root());
        }
        memory
    }

    fn head(&self, size: u64) -> Head {
        Head { size, root: self.roots[usize::try_from(size).expect("small")] }
    }
}

impl Hashes for Memory {
    type Error = Infallible;

    fn hashes(&mut self, level: u8, first: u64, count: u16) -> Result<Vec<Hash>, Infallible> {
        let end = first + u64::from(count);
        assert_eq!(first / WIDTH, (end - 1) / WIDTH, "all in one tile");
        Ok((first..end).map(|index| self.kept[&(level, index)]).collect())
    }
}

fn leaf(index: u64) -> Hash {
    Hash::of_leaf(&[&index.to_be_bytes()])
}

#[test]
fn a_root_is_found_from_tiles_at_each_size() {
    let mut memory = Memory::of(600);
    for size in 0..=600 {
        let expected = memory.head(size).root;
        assert_eq!(root(&mut memory, size), Ok(expected), "{size}");
        assert_eq!(tree(&mut memory, size).map(|tree| tree.root()), Ok(expected), "{size}");
    }
}

/// RFC 6962, section 2.1.3: the proofs of its example tree of seven leaves, by the names in its picture.
#[test]
fn the_example_of_rfc_6962_has_its_proofs() {
    let mut memory = Memory::of(7);
    let [a, b, c, d, e, f, j]: [Hash; 7] = std::array::from_fn(|index| leaf(index as u64));
    let (g, h, i) = (Hash::of_node(a, b), Hash::of_node(c, d), Hash::of_node(e, f));
    let (k, l) = (Hash::of_node(g, h), Hash::of_node(i, j));
    assert_eq!(inclusion(&mut memory, 0, 7), Ok(vec![b, h, l]));
    assert_eq!(inclusion(&mut memory, 3, 7), Ok(vec![c, g, l]));
    assert_eq!(inclusion(&mut memory, 4, 7), Ok(vec![f, j, k]));
    assert_eq!(inclusion(&mut memory, 6, 7), Ok(vec![i, k]));
    assert_eq!(consistency(&mut memory, 3, 7), Ok(vec![c, d, g, l]));
    assert_eq!(consistency(&mut memory, 4, 7), Ok(vec![l]));
    assert_eq!(consistency(&mut memory, 6, 7), Ok(vec![i, j, k]));
}

#[test]
fn every_proof_of_a_small_tree_holds_and_no_other() {
    let mut memory = Memory::of(33);
    for size in 1..=33 {
        let head = memory.head(size);
        for index in 0..size {
            let proof = inclusion(&mut memory, index, size).expect("all are there");
            assert!(includes(leaf(index), index, size, &proof, head.root), "{index} of {size}");
            assert!(!includes(leaf(index + 1), index, size, &proof, head.root), "another leaf");
            assert!(!includes(leaf(index), index, size, &proof, leaf(0)) || size == 1, "another root");
            assert!(!includes(leaf(index), size, size, &proof, head.root), "behind the end");
            let longer: Vec<Hash> = proof.iter().copied().chain([leaf(9)]).collect();
            assert!(!includes(leaf(index), index, size, &longer, head.root), "too long");
            if let Some((_, shorter)) = proof.split_last() {
                assert!(!includes(leaf(index), index, size, shorter, head.root), "too short");
            }
        }
        for old in 0..=size {
            let proof = consistency(&mut memory, old, size).expect("all are there");
            let older = memory.head(old);
            assert!(extends(older, head, &proof), "{old} of {size}");
            assert!(!extends(Head { root: leaf(77), ..older }, head, &proof), "another old tree");
            if old > 0 {
                assert!(!extends(older, Head { root: leaf(77), ..head }, &proof), "another new tree");
            }
            assert!(old == size || !extends(head, older, &proof), "backwards");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn proofs_of_a_large_tree_hold(size in 257_u64..3000, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let mut memory = Memory::of(size);
        let count = usize::try_from(size).expect("small");
        let (index, old) = (at.index(count) as u64, other.index(count) as u64);
        let head = memory.head(size);
        let proof = inclusion(&mut memory, index, size).expect("all are there");
        prop_assert!(includes(leaf(index), index, size, &proof, head.root));
        let (from, to) = (index.min(old), index.max(old) + 1);
        let beside = beside_range(&mut memory, (from, to), size).expect("all are there");
        let of = |shift| root_of_range((from, to), size, &beside, |at| Ok::<_, Infallible>(Some(leaf(at + shift))));
        prop_assert_eq!(of(0), Ok(Some(head.root)));
        prop_assert_ne!(of(1), Ok(Some(head.root)));
        let proof = consistency(&mut memory, old, size).expect("all are there");
        prop_assert!(extends(memory.head(old), head, &proof));
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = leaf(12345);
            prop_assert!(!extends(memory.head(old), head, &changed));
        }
    }

    #[test]
    fn any_proof_is_verified_to_its_end(index: u64, size: u64, old: u64, length in 0_usize..80) {
        let proof = vec![leaf(1); length];
        prop_assert!(!includes(leaf(0), index, size, &proof, leaf(2)));
        let (old, new) = (Head { size: old, root: leaf(3) }, Head { size, root: leaf(4) });
        prop_assert!(!extends(old, new, &proof));
        let ended = root_of_range((index, old.size), size, &proof, |_| Ok::<_, Infallible>(None));
        prop_assert!(ended != Ok(Some(leaf(5))));
    }
}
