//! The list of a pack's files with their digests (`MANIFEST.json`), the same for `sha256sum -c` (`SHA256SUMS`), and the check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::contents::Pack;

/// The list. It is written last: a directory without it is no pack.
pub(crate) const MANIFEST: &str = "MANIFEST.json";

/// The same for `sha256sum -c`, with the list itself.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The format of the list. Fields are only ever added.
const FORMAT: &str = "gdprport.pack/1";

/// Files of a pack at most: more are no pack of ours.
const FILES_MAX: usize = 10_000;

/// The length of a file's name at most.
const NAME_MAX: usize = 100;

/// What `MANIFEST.json` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Manifest<'p> {
    /// `gdprport.pack/1`.
    format: &'static str,
    /// The host's name.
    host: &'p str,
    /// The version of gdprport.
    version: &'p str,
    #[cfg_attr(test, schemars(with = "String"))]
    made: Timestamp,
    period: Period,
    /// The digest of the policy whose declarations are shown; null: there is none.
    policy: Option<&'p str>,
    /// Makes the same again, from the same ledger and policy and at the same time.
    command: String,
    /// Of which frameworks it has controls.
    frameworks: Vec<&'static str>,
    /// Of a log of evidence, which this version does not keep.
    #[cfg_attr(test, schemars(with = "Vec<serde_json::Value>"))]
    checkpoints: Vec<()>,
    signature: Signature,
    /// Every other file but `SHA256SUMS`, by name.
    files: &'p [Listed],
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Period {
    /// Begin that was asked for.
    #[cfg_attr(test, schemars(with = "String"))]
    asked: Timestamp,
    /// Begin of what the ledger has of it.
    #[cfg_attr(test, schemars(with = "String"))]
    from: Timestamp,
    #[cfg_attr(test, schemars(with = "String"))]
    to: Timestamp,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Signature {
    /// Nobody signed it.
    signed: bool,
    /// Why not.
    why: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Listed {
    /// Its name in the directory.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: usize,
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// The size and the digest of what was written.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) bytes: usize,
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// Adds up what is written, and hands it on if there is somebody.
#[derive(Default)]
pub(super) struct Summed<'o> {
    out: Option<&'o mut dyn Write>,
    bytes: usize,
    hash: Sha256,
}

impl<'o> Summed<'o> {
    /// On the way to a file.
    pub(super) fn beside(out: &'o mut dyn Write) -> Self {
        Self { out: Some(out), ..Self::default() }
    }

    /// What it came to.
    pub(super) fn sum(self) -> Sum {
        Sum { bytes: self.bytes, sha256: hexadecimal(&self.hash.finalize()) }
    }
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(bytes)?;
        }
        self.hash.update(bytes);
        self.bytes += bytes.len();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl<'p> Manifest<'p> {
    pub(super) fn of(pack: &'p Pack<'_>, files: &'p [Listed]) -> Self {
        let about = &pack.facts.records.about;
        Self {
            format: FORMAT,
            host: &about.host,
            version: &about.version,
            made: about.made,
            period: Period { asked: about.asked, from: about.from, to: about.to },
            policy: about.policy.as_deref(),
            command: pack.command(),
            frameworks: pack.frameworks.iter().map(|of| of.framework.id()).collect(),
            checkpoints: Vec::new(),
            signature: Signature { signed: false, why: "there is no key" },
            files,
        }
    }
}

/// 64 hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

/// `SHA256SUMS`: a line for each file, and one for the list of digests, which has this one.
pub(super) fn sums(files: &[Listed], manifest: &str) -> String {
    let of = |name: &str, sha256: &str| format!("{sha256}  {name}\n");
    files.iter().map(|file| of(&file.name, &file.sha256)).chain([of(MANIFEST, manifest)]).collect()
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
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Checked {
    /// When the pack was made, as it says.
    pub(crate) made: Option<Timestamp>,
    /// The digest of `MANIFEST.json`: whoever has it from elsewhere knows that the list is the same.
    pub(crate) manifest: String,
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
    /// Whether nothing differs.
    pub(crate) const fn is_same(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.added.is_empty()
    }
}

#[derive(Debug, Deserialize)]
struct Read {
    format: String,
    made: Option<Timestamp>,
    files: Vec<ReadFile>,
}

#[derive(Debug, Deserialize)]
struct ReadFile {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Compares a list with what is there, by name. Neither the list nor the other names are believed.
///
/// # Errors
/// If it is no list of ours: one sentence.
pub(crate) fn check(manifest: &[u8], there: &BTreeMap<String, FileSum>) -> Result<Checked, String> {
    let read: Read = serde_json::from_slice(manifest)
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
        let is_plain = is_plain(&file.name) && file.name != MANIFEST && file.name != SUMS;
        if !is_plain || listed.insert(&file.name, file).is_some() {
            let name: String = file.name.escape_debug().take(80).collect();
            return Err(format!("{MANIFEST} names `{name}`, which no pack has: somebody changed it"));
        }
    }
    let own = digest(manifest);
    let mut checked = Checked { made: read.made, manifest: own.clone(), ..Checked::default() };
    for (name, file) in &listed {
        let expected = FileSum::File { bytes: file.bytes, sha256: file.sha256.clone() };
        compare(name, &expected, there.get(*name), &mut checked);
    }
    let mut sums: String = listed.iter().map(|(name, file)| format!("{}  {name}\n", file.sha256)).collect();
    writeln!(sums, "{own}  {MANIFEST}").expect("writing to a String cannot fail");
    let expected = FileSum::File { bytes: sums.len() as u64, sha256: digest(sums.as_bytes()) };
    compare(SUMS, &expected, there.get(SUMS), &mut checked);
    let known: BTreeSet<&str> = listed.keys().copied().chain([MANIFEST, SUMS]).collect();
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
