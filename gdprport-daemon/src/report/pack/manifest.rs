//! The list of a pack's files with their digests (`MANIFEST.json`), and the same for `sha256sum -c` (`SHA256SUMS`).

use std::io::{self, Write};

use gdprport_core::evidence::Hash;
use gdprport_core::pack::Handed;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::contents::Pack;

/// The list. It is written last: a directory without it is no pack.
pub(crate) const MANIFEST: &str = "MANIFEST.json";

/// The same for `sha256sum -c`, with the list itself.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The signature of the list.
pub(crate) const SIGNATURE: &str = "MANIFEST.sig";

/// Checkpoints of the evidence log.
pub(super) const CHECKPOINTS: &str = "checkpoints.txt";

/// Rotations of its key.
pub(crate) const ROTATIONS: &str = "rotations.txt";

/// The format of the list. Fields are only ever added.
pub(super) const FORMAT: &str = "gdprport.pack/1";

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
    /// Those of the evidence log in `checkpoints.txt`, in their order: the last one before the period, its first, and the last of each
    /// of its days (UTC).
    checkpoints: &'p [Handed],
    evidence_log: EvidenceLog<'p>,
    signature: Signature<'p>,
    /// Every other file but `SHA256SUMS` and `MANIFEST.sig`, by name.
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

/// The evidence log that the checkpoints are of.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EvidenceLog<'p> {
    /// Why there are no checkpoints; null: there are.
    why: Option<&'p str>,
    /// What stood among the log's checkpoints and is none: it is not in `checkpoints.txt`, and `gdprport evidence verify` of the log says more.
    unreadable: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Signature<'p> {
    /// Whether this list is signed: then `MANIFEST.sig` is there.
    signed: bool,
    /// The public key, as `name+id+key`; null: nobody signed it. That it is the host's is not proven by what stands here.
    by: Option<String>,
    /// Why it is not signed; null: it is.
    why: Option<&'p str>,
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
        Sum { bytes: self.bytes, sha256: self.digest().to_string() }
    }

    /// Its digest.
    pub(super) fn digest(self) -> Hash {
        Hash::from(<[u8; 32]>::from(self.hash.finalize()))
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
            checkpoints: pack.log.map_or(&[][..], |log| &log.checkpoints),
            evidence_log: EvidenceLog {
                why: pack.no_checkpoints(),
                unreadable: pack.log.map_or(0, |log| log.unreadable),
            },
            signature: Signature {
                signed: pack.signer.is_ok(),
                by: pack.signer.ok().map(|key| key.public().to_string()),
                why: pack.signer.err(),
            },
            files,
        }
    }
}

/// `SHA256SUMS`: a line for each file with its digest, and one for the list of digests, which has this one.
pub(super) fn sums<'f>(files: impl Iterator<Item = (&'f str, &'f str)>, manifest: &'f str) -> String {
    files.chain([(MANIFEST, manifest)]).map(|(name, sha256)| format!("{sha256}  {name}\n")).collect()
}
