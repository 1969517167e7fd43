//! `report --pack` and `report --framework`: evidence for auditors, written.

use std::path::Path;

use gdprport_core::audit::CountriesFile;
use gdprport_core::frameworks::{Assessed, Facts, Framework, Standing, answers};
use gdprport_core::records::Records;
use jiff::Timestamp;
use serde::Serialize;

use super::super::cli::{Color, ReportArgs};
use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::screen::Output;
use super::files::{evidence_place, open_ledger};
use super::new_folder::{FRAMEWORKS, Folder, FolderError, examine, examine_new};
use super::scan::warning;
use super::waiting::shown_while;
use crate::app::{self, Evidence, Proof, Written};
use crate::report::{self, Lang, MANIFEST, Pack, pretty};

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
    /// Checkpoints of the evidence log.
    checkpoints: usize,
    /// The public key that signed it; absent: nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
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

    /// In one line.
    fn said(&self) -> String {
        let Self { evidence, in_part, nothing } = self;
        format!(
            "{}: evidence for {evidence}, in part for {in_part}, nothing for {nothing}; whether it suffices an auditor judges\n",
            counted((evidence + in_part + nothing) as u64, "control")
        )
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
    let proof = match evidence_place(args) {
        Ok(place) => shown_while("reading the evidence log", || Proof::read(&place, since, now)),
        Err(why) => Proof::none(&why),
    };
    let (log, signer) =
        (proof.log.as_ref().map_err(String::as_str), proof.signer.as_ref().map_err(String::as_str));
    let facts = Facts {
        records: &records,
        observed: evidence.map(|evidence| &evidence.recorded.observed),
        rows: evidence.map_or(&[], |evidence| &evidence.recorded.rows),
        span: evidence.and_then(|evidence| evidence.span),
        versions: evidence.map_or(&[], |evidence| &evidence.versions),
        audit,
        log: log.ok(),
        is_signed: signer.is_ok(),
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
    let pack = Pack { facts, recorded, frameworks: &frameworks, log, signer, lang };
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
            signed_by: signer.ok().filter(|_| args.pack).map(|key| key.public().to_string()),
            checkpoints: log.map_or(0, |log| log.checkpoints.len()),
            manifest_sha256,
            controls,
            no_ledger: records.about.no_ledger.as_deref(),
        })?;
        return Ok(Exit::Fine);
    }
    let text = match manifest_sha256 {
        Some(digest) => said_of_pack(dir, files.len(), &controls, &pack, &digest),
        None => said_of_tables(dir, &controls, &report::pack_command(&frameworks, &records, lang)),
    };
    out.text(&text)?;
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

fn said_of_pack(dir: &Path, files: usize, controls: &Standings, pack: &Pack<'_>, digest: &str) -> String {
    let log = match pack.log {
        Ok(log) => format!("{} of the evidence log", counted(log.checkpoints.len() as u64, "checkpoint")),
        Err(why) => format!("no checkpoints: {}", clean(why)),
    };
    let (signed, keep) = match pack.signer {
        Ok(key) => (format!("signed by {}", key.public()), "keep the digest"),
        Err(why) => (format!("not signed: {}", clean(why)), "so keep the digest"),
    };
    format!(
        "wrote an evidence pack of {}; begin with {}\n{}{log}\n{signed}\n\
        {keep} of {MANIFEST} where nobody who can change the pack can change it:\n{digest}\n",
        counted(files as u64, "file"),
        shown(dir, "README.md"),
        controls.said(),
    )
}

/// `command`: makes the pack whose files are named.
fn said_of_tables(dir: &Path, controls: &Standings, command: &str) -> String {
    format!(
        "wrote what there is for controls; open {}\n{}the files that it names are those of an evidence pack, which this makes:\n{command}\n",
        shown(dir, "frameworks.html"),
        controls.said(),
    )
}

fn shown(dir: &Path, name: &str) -> String {
    clean(&dir.join(name).display().to_string()).into_owned()
}
