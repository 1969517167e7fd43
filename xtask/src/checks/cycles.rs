//! No circles: files that import one another, directly or through others, can only be read, moved and tested together.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Import, Kind};

type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>;

/// Every circle: how many files are in it, then a line for each arrow, so that one sees which import to cut.
pub(crate) fn offences(imports: &[Import]) -> Vec<String> {
    let mut arrows = Arrows::new();
    for import in imports.iter().filter(|import| import.kind == Kind::Import) {
        let names = arrows.entry(&import.from).or_default().entry(&import.to).or_default();
        names.insert(&import.name);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|file| (*file, reachable(&arrows, file))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for file in arrows.keys().filter(|file| reaches(file, file)) {
        if !circles.iter().any(|circle| circle.contains(file)) {
            circles.push(reached[file].iter().copied().filter(|other| reaches(other, file)).collect());
        }
    }
    circles.iter().flat_map(|circle| lines(circle, &arrows)).collect()
}

/// The strongly connected component as text.
fn lines(circle: &BTreeSet<&str>, arrows: &Arrows<'_>) -> Vec<String> {
    let mut lines = vec![format!("a circle of {} files:", circle.len())];
    for from in circle {
        for (to, names) in arrows[from].iter().filter(|(to, _)| circle.contains(*to)) {
            let names: Vec<&str> = names.iter().copied().collect();
            lines.push(format!("  {from} -> {to}: {}", names.join(", ")));
        }
    }
    lines
}

/// The files that one imports, directly or through others; itself only if it is in a circle.
fn reachable<'a>(arrows: &Arrows<'a>, file: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(targets) = open.pop().map(|file| arrows.get(file)) {
        open.extend(targets.into_iter().flatten().map(|(to, _)| *to).filter(|to| reached.insert(*to)));
    }
    reached
}
