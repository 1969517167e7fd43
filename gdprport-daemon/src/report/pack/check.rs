//! Whether a pack is as it was made: its files against the list of digests.

use std::collections::{BTreeMap, BTreeSet};

use gdprport_core::evidence::{Hash, PublicKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::manifest::{FORMAT, MANIFEST, SIGNATURE, SUMS, sums};
use super::signature::{Claim, Signature, signature};

/// Files of a pack at most: more are no pack of ours.
const FILES_MAX: usize = 10_000;

/// The length of a file's name at most.
const NAME_MAX: usize = 100;

/// The bytes of a pack's own files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'f> {
    /// `MANIFEST.json`.
    pub(crate) manifest: &'f [u8],
    /// `MANIFEST.sig`; `None`: it is not there.
    pub(crate) signature: Option<&'f [u8]>,
    /// `rotations.txt`; empty: it is not there.
    pub(crate) rotations: &'f [u8],
}

/// A file as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileSum {
    /// A file.
    File {
        /// Its size.
        bytes: u64,
        /// 64 hexadecimal digits.
        sha256: String,
    },
    /// A directory, a link or something else: no file of a pack.
    Other,
    /// It cannot be read, and why.
    Unreadable(String),
}

/// What a check has found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Checked {
    /// When the pack was made, as it says.
    pub(crate) made: Option<Timestamp>,
    /// The digest of `MANIFEST.json`: whoever has it from elsewhere knows that the list is the same.
    pub(crate) manifest: String,
    /// Who signed the list.
    pub(crate) signature: Signature,
    /// Files that are as they were.
    pub(crate) same: usize,
    /// Files that are not, each with how.
    pub(crate) changed: Vec<(String, String)>,
    /// Files that are not there.
    pub(crate) missing: Vec<String>,
    /// What is there and does not belong to the pack.
    pub(crate) added: Vec<String>,
}

impl Checked {
    /// Whether no file differs.
    pub(crate) const fn is_same(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.added.is_empty()
    }

    /// Whether no file differs, and the signature is what it has to be.
    pub(crate) const fn is_fine(&self) -> bool {
        self.is_same() && !self.signature.is_wrong()
    }
}

#[derive(Debug, Deserialize)]
struct Read {
    format: String,
    made: Option<Timestamp>,
    files: Vec<ReadFile>,
    #[serde(default)]
    signature: Claim,
}

#[derive(Debug, Deserialize)]
struct ReadFile {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Compares a list with what is there, by name, and its signature with the key, if one is given. Neither the list nor the other
/// names are believed.
///
/// # Errors
/// If it is no list of ours: one sentence.
pub(crate) fn check(
    found: Found<'_>,
    there: &BTreeMap<String, FileSum>,
    key: Option<&PublicKey>,
) -> Result<Checked, String> {
    let read: Read = serde_json::from_slice(found.manifest)
        .map_err(|error| format!("{MANIFEST} is no list of files of an evidence pack: {error}"))?;
    if read.format != FORMAT {
        let format: String = read.format.escape_debug().take(40).collect();
        return Err(format!("{MANIFEST} has the format `{format}`, and this version reads `{FORMAT}`"));
    }
    if read.files.len() > FILES_MAX {
        return Err(format!("{MANIFEST} names more than {FILES_MAX} files: it is none of ours"));
    }
    let mut listed: BTreeMap<&str, &ReadFile> = BTreeMap::new();
    for file in &read.files {
        let is_plain = is_plain(&file.name) && ![MANIFEST, SUMS, SIGNATURE].contains(&&*file.name);
        if !is_plain || listed.insert(&file.name, file).is_some() {
            let name: String = file.name.escape_debug().take(80).collect();
            return Err(format!("{MANIFEST} names `{name}`, which no pack has: somebody changed it"));
        }
    }
    let own = Hash::of(found.manifest);
    let mut checked = Checked {
        made: read.made,
        manifest: own.to_string(),
        signature: signature(&read.signature, own, found.signature, found.rotations, key),
        same: 0,
        changed: Vec::new(),
        missing: Vec::new(),
        added: Vec::new(),
    };
    for (name, file) in &listed {
        let expected = FileSum::File { bytes: file.bytes, sha256: file.sha256.clone() };
        compare(name, &expected, there.get(*name), &mut checked);
    }
    let sums = sums(listed.iter().map(|(name, file)| (*name, &*file.sha256)), &checked.manifest);
    let expected = FileSum::File { bytes: sums.len() as u64, sha256: Hash::of(sums.as_bytes()).to_string() };
    compare(SUMS, &expected, there.get(SUMS), &mut checked);
    if !checked.signature.is_by_somebody()
        && let Some((_, how)) = checked.changed.last_mut().filter(|(name, _)| name == SUMS)
    {
        *how = format!("it is not that of {MANIFEST}: one of the two was changed");
    }
    let mut known: BTreeSet<&str> = listed.keys().copied().chain([MANIFEST, SUMS]).collect();
    if read.signature.signed {
        known.insert(SIGNATURE);
        match found.signature {
            None => checked.missing.push(SIGNATURE.to_owned()),
            Some(_) => checked.same += usize::from(checked.signature.is_by_somebody()),
        }
    }
    checked.added.extend(there.keys().filter(|name| !known.contains(name.as_str())).cloned());
    Ok(checked)
}

fn compare(name: &str, expected: &FileSum, there: Option<&FileSum>, checked: &mut Checked) {
    let how = match (expected, there) {
        (_, None) => return checked.missing.push(name.to_owned()),
        (expected, Some(there)) if expected == there => {
            checked.same += 1;
            return;
        }
        (FileSum::File { bytes, .. }, Some(FileSum::File { bytes: now, .. })) if bytes != now => {
            format!("it has {now} bytes and had {bytes}")
        }
        (_, Some(FileSum::File { .. })) => "it has other bytes".to_owned(),
        (_, Some(FileSum::Other)) => "it is no file any more".to_owned(),
        (_, Some(FileSum::Unreadable(why))) => format!("it cannot be read: {why}"),
    };
    checked.changed.push((name.to_owned(), how));
}

/// A name that leads nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
