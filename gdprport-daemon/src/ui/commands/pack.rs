//! `report --pack`, `report --framework` and `report --check`: evidence for auditors, written and compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::bail;
use gdprport_core::audit::CountriesFile;
use gdprport_core::frameworks::{Assessed, Facts, Framework, Standing, answers};
use gdprport_core::records::Records;
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::super::cli::{Color, ReportArgs};
use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::screen::Output;
use super::files::open_ledger;
use super::new_folder::{FRAMEWORKS, Folder, FolderError, examine, examine_new};
use super::scan::warning;
use super::waiting::shown_while;
use crate::app::{self, Evidence, Written};
use crate::report::{self, Checked, FileSum, Lang, MANIFEST, Pack, pretty};

/// The size of a list of files at most, in bytes.
const MANIFEST_MAX: u64 = 16 << 20;

/// Entries of a directory that are compared: more are no pack of ours.
const ENTRIES_MAX: usize = 20_000;

/// What a report rests on beside the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Basis<'b> {
    /// The policy.
    pub(super) written: &'b Written,
    /// Which countries addresses are in.
    pub(super) countries: &'b CountriesFile,
    /// Begin of the time that it is about.
    pub(super) since: Timestamp,
    /// Its end: now.
    pub(super) now: Timestamp,
}

/// What `--json` prints of a pack.
#[derive(Debug, Serialize)]
struct WrittenPack<'w> {
    directory: &'w Path,
    files: Vec<&'w str>,
    /// The digest of `MANIFEST.json`; absent: it is no pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_sha256: Option<String>,
    controls: Standings,
    /// Why nothing was observed; absent: a ledger was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_ledger: Option<&'w str>,
}

/// Controls by what there is for them.
#[derive(Debug, Default, Serialize)]
struct Standings {
    evidence: usize,
    in_part: usize,
    nothing: usize,
}

impl Standings {
    fn of(frameworks: &[Assessed]) -> Self {
        let mut of = Self::default();
        for control in frameworks.iter().flat_map(|framework| &framework.controls) {
            match control.answer.standing() {
                Standing::Evidence => of.evidence += 1,
                Standing::InPart => of.in_part += 1,
                Standing::Nothing => of.nothing += 1,
            }
        }
        of
    }
}

/// Writes a pack, or tables of frameworks alone.
pub(super) fn run(
    args: &ReportArgs,
    dir: &Path,
    basis: &Basis<'_>,
    json: bool,
    color: Color,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let Basis { written, countries, since, now } = *basis;
    let asked = if args.framework.is_empty() { Framework::ALL.to_vec() } else { args.framework.clone() };
    let lang: Lang = args.lang.into();
    let (records, evidence) = shown_while("reading the ledger", || {
        let evidence = match open_ledger(args.ledger.as_deref()) {
            Ok(reader) => Ok(Evidence::read(written, countries.clone(), &reader, since, now)?),
            // A ledger that somebody names is one that has to be there.
            Err(error) if args.ledger.is_some() || error.is_wrong_usage() => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        let past = evidence.as_ref().map(|evidence| &evidence.recorded).map_err(Clone::clone);
        let records = app::records(written, countries, past, since, now);
        anyhow::Ok((records, evidence))
    })?;
    let alone;
    let (audit, evidence) = match &evidence {
        Ok(evidence) => (&evidence.audit, Some(evidence)),
        Err(why) => {
            alone = app::judge_alone(written, countries.clone(), why, since, now);
            (&alone, None)
        }
    };
    let facts = Facts {
        records: &records,
        observed: evidence.map(|evidence| &evidence.recorded.observed),
        rows: evidence.map_or(&[], |evidence| &evidence.recorded.rows),
        span: evidence.and_then(|evidence| evidence.span),
        versions: evidence.map_or(&[], |evidence| &evidence.versions),
        audit,
    };
    let frameworks = answers(&asked, &facts);
    if let Some(why) = &records.about.no_ledger {
        warning(color, &format!("nothing was observed: {why}"));
    }
    if args.pack {
        examine_new(dir, args.force)?;
    } else {
        examine(dir, args.force)?;
    }
    let recorded = evidence.map_or(&[][..], |evidence| &evidence.findings);
    let pack = Pack { facts, recorded, frameworks: &frameworks, lang };
    let (files, manifest_sha256) = shown_while("writing the files", || {
        let mut folder = Folder::begin(dir)?;
        let manifest = if args.pack {
            Some(report::write_pack(&pack, &mut |name, content| folder.put(name, content))?)
        } else {
            tables(&mut folder, &frameworks, &records, lang)?;
            None
        };
        Ok::<_, FolderError>((folder.end(&[])?, manifest))
    })?;
    let controls = Standings::of(&frameworks);
    if json {
        out.value(&WrittenPack {
            directory: dir,
            files: files.iter().map(String::as_str).collect(),
            manifest_sha256,
            controls,
            no_ledger: records.about.no_ledger.as_deref(),
        })?;
        return Ok(Exit::Fine);
    }
    let command = report::pack_command(&frameworks, &records, lang);
    out.text(&said(dir, files.len(), &controls, manifest_sha256.as_deref().ok_or(&*command)))?;
    Ok(Exit::Fine)
}

fn tables(
    folder: &mut Folder<'_>,
    frameworks: &[Assessed],
    records: &Records,
    lang: Lang,
) -> Result<(), FolderError> {
    let command = report::pack_command(frameworks, records, lang);
    let page = report::frameworks_page(frameworks, records, Some(&command));
    folder
        .put(FRAMEWORKS, &|out| pretty(&report::Frameworks::of(frameworks, records, Some(&command)), out))?;
    folder.put_text("frameworks.csv", &report::frameworks_sheet(frameworks))?;
    folder.put_text("frameworks.md", &report::record_markdown(&page))?;
    folder.put("frameworks.html", &|out| report::html(&page, out))
}

/// `manifest`: the digest of the list of files, or the command that makes the pack whose files are named.
fn said(dir: &Path, files: usize, controls: &Standings, manifest: Result<&str, &str>) -> String {
    let Standings { evidence, in_part, nothing } = controls;
    let controls = format!(
        "{}: evidence for {evidence}, in part for {in_part}, nothing for {nothing}; whether it suffices an auditor judges\n",
        counted((evidence + in_part + nothing) as u64, "control")
    );
    let path = |name: &str| clean(&dir.join(name).display().to_string()).into_owned();
    match manifest {
        Ok(digest) => format!(
            "wrote an evidence pack of {}; begin with {}\n{controls}\
            not signed: there is no key; keep this digest of {MANIFEST} where nobody who can change the pack can change it:\n\
            {digest}\n",
            counted(files as u64, "file"),
            path("README.md")
        ),
        Err(command) => format!(
            "wrote what there is for controls; open {}\n{controls}the files that it names are those of an evidence pack, which this makes:\n{command}\n",
            path("frameworks.html")
        ),
    }
}

/// Compares a pack with the digests of its files.
pub(super) fn check(dir: &Path, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let shown = dir.display();
    let manifest = match read_manifest(&dir.join(MANIFEST)) {
        Ok(manifest) => manifest,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            bail!("{shown} is no evidence pack: it has no {MANIFEST}")
        }
        Err(error) => bail!("cannot read {MANIFEST} of {shown}: {error}"),
    };
    let there = shown_while("reading the files", || list(dir))?;
    let checked = report::check_pack(&manifest, &there).map_err(anyhow::Error::msg)?;
    let exit = if checked.is_same() { Exit::Fine } else { Exit::Failed };
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
    put(format!(
        "not signed: compare the digest of {MANIFEST} with the one that was kept when the pack was made:"
    ));
    put(checked.manifest.clone());
    text
}

fn open(path: &Path) -> io::Result<File> {
    // Neither a link nor a pipe is followed or waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read_manifest(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(MANIFEST_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MANIFEST_MAX {
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
            Ok(0) => return Ok(FileSum::File { bytes, sha256: report::hexadecimal(&hash.finalize()) }),
            Ok(read) => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
