//! `report --check`: an evidence pack compared with its list of digests, and its signature with a key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::bail;
use gdprport_core::evidence::{Hash, NOTE_BYTES_MAX};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::screen::Output;
use super::waiting::shown_while;
use crate::app::transparency::public_key;
use crate::report::{self, Checked, FileSum, Found, MANIFEST, ROTATIONS, SIGNATURE, Signature};

/// The size of a list of files at most, in bytes.
const MANIFEST_MAX: u64 = 16 << 20;

/// The size of a file of rotations at most, in bytes: thousands of them.
const ROTATIONS_MAX: u64 = 4 << 20;

/// Entries of a directory that are compared: more are no pack of ours.
const ENTRIES_MAX: usize = 20_000;

/// Compares a pack with the digests of its files, and verifies its signature.
pub(super) fn check(dir: &Path, key: Option<&str>, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let shown = dir.display();
    let key = key.map(public_key).transpose()?;
    let manifest = match read(&dir.join(MANIFEST), MANIFEST_MAX) {
        Ok(manifest) => manifest,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            bail!("{shown} is no evidence pack: it has no {MANIFEST}")
        }
        Err(error) => bail!("cannot read {MANIFEST} of {shown}: {error}"),
    };
    let beside = |name: &str, most: u64| match read(&dir.join(name), most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::anyhow!("cannot read {name} of {shown}: {error}")),
    };
    let signature = beside(SIGNATURE, NOTE_BYTES_MAX as u64)?;
    let rotations = beside(ROTATIONS, ROTATIONS_MAX)?.unwrap_or_default();
    let there = shown_while("reading the files", || list(dir))?;
    let found = Found { manifest: &manifest, signature: signature.as_deref(), rotations: &rotations };
    let checked = report::check_pack(found, &there, key.as_ref()).map_err(anyhow::Error::msg)?;
    let exit = if checked.is_fine() { Exit::Fine } else { Exit::Failed };
    if json {
        out.value(&checked)?;
    } else {
        out.text(&compared(dir, &checked))?;
    }
    Ok(exit)
}

fn compared(dir: &Path, checked: &Checked) -> String {
    let mut text = String::new();
    let mut put = |line: String| writeln!(text, "{}", clean(&line)).expect("writing to a String cannot fail");
    for (name, how) in &checked.changed {
        put(format!("changed: {name}: {how}"));
    }
    checked.missing.iter().for_each(|name| put(format!("missing: {name}")));
    checked.added.iter().for_each(|name| put(format!("added: {name}: it does not belong to the pack")));
    let files = counted(checked.same as u64, "file");
    let made = checked.made.map(|made| format!(", made {made:.0}")).unwrap_or_default();
    if checked.is_same() {
        put(format!("{}{made}: {files} as they were, none added, none missing", dir.display()));
    } else {
        put(format!("{}{made}: {files} as they were, others are not", dir.display()));
    }
    let compare =
        format!("compare the digest of {MANIFEST} with the one that was kept when the pack was made");
    match &checked.signature {
        Signature::Verified { by, rotations: 0 } => {
            put(format!("signed by {by}, the given key; the digest of {MANIFEST}:"));
        }
        Signature::Verified { by, rotations } => put(format!(
            "signed by {by}, which took the given key's place by {}; the digest of {MANIFEST}:",
            counted(*rotations as u64, "rotation")
        )),
        Signature::Named { by } => {
            put(format!(
                "signed by {by}, as the pack says itself: whether that is the host's key, --key shows; or {compare}:"
            ));
        }
        Signature::Unsigned { why } => put(format!("not signed: {why}; {compare}:")),
        Signature::Wrong { why } => put(format!("not verified: {why}; the digest of {MANIFEST}:")),
    }
    put(checked.manifest.clone());
    text
}

fn open(path: &Path) -> io::Result<File> {
    // Neither a link nor a pipe is followed or waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("it is larger than any of ours"));
    }
    Ok(bytes)
}

fn list(dir: &Path) -> anyhow::Result<BTreeMap<String, FileSum>> {
    let mut there = BTreeMap::new();
    let failed = |error: io::Error| anyhow::anyhow!("cannot list {}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if there.len() >= ENTRIES_MAX {
            bail!("{} has more than {ENTRIES_MAX} files: it is no evidence pack of ours", dir.display());
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let sum = match entry.file_type() {
            Ok(kind) if kind.is_file() => {
                sum(&entry.path()).unwrap_or_else(|error| FileSum::Unreadable(error.to_string()))
            }
            Ok(_) => FileSum::Other,
            Err(error) => FileSum::Unreadable(error.to_string()),
        };
        there.insert(name, sum);
    }
    Ok(there)
}

fn sum(path: &Path) -> io::Result<FileSum> {
    let mut file = open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    let mut bytes = 0_u64;
    loop {
        match file.read(&mut piece) {
            Ok(0) => {
                return Ok(FileSum::File {
                    bytes,
                    sha256: Hash::from(<[u8; 32]>::from(hash.finalize())).to_string(),
                });
            }
            Ok(read) => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
