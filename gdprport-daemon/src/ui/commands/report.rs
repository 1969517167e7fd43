//! `report`: the record of processing, written into a directory.

use std::path::Path;

use gdprport_core::audit::CountriesFile;
use gdprport_core::delivery::Delivery;
use gdprport_core::records::{Document, KeptFor, KeptLog, Own, OwnReceiver, Records, SentTo, ShownAs};
use jiff::Timestamp;
use serde::Serialize;

use super::super::cli::{Color, Form, ReportArgs, ReportCommand};
use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::map::drawn;
use super::super::screen::Output;
use super::check::check;
use super::files::{open_ledger, policy_files};
use super::incident;
use super::new_folder::{Folder, FolderError, MARK, examine, examine_new};
use super::pack;
use super::scan::warning;
use super::waiting::shown_while;
use crate::app::{self, Config, Recorded, Subject, Trust, Written};
use crate::deliver;
use crate::report::{self, Drawings, Lang, MAP_FILES, View, pretty};

/// The sheet.
const SHEET: &str = "record.csv";

/// Forms for other tools, in the order in which they are written.
const FORMS: [Form; 2] = [Form::Fides, Form::Dpv];

/// Files that not every record has.
const NOT_ALWAYS: [&str; 9] = {
    let ([map, dot, mermaid], [volume, encryption, violations]) = (MAP_FILES, report::CHART_FILES);
    [SHEET, Form::Fides.file(), Form::Dpv.file(), map, dot, mermaid, volume, encryption, violations]
};

/// What `report --json` prints.
#[derive(Debug, Serialize)]
struct Report<'r> {
    directory: &'r Path,
    files: Vec<String>,
    /// Declared activities.
    activities: usize,
    /// Services that were seen and that the policy does not declare.
    undeclared: usize,
    /// Why nothing was observed; absent: a ledger was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_ledger: Option<&'r str>,
}

pub(super) fn run(args: &ReportArgs, json: bool, color: Color, out: &mut Output) -> anyhow::Result<Exit> {
    if let Some(ReportCommand::Incident(args)) = &args.command {
        return incident::run(args, json, color, out);
    }
    if let Some(dir) = &args.check {
        return check(dir, args.key.as_deref(), json, out);
    }
    // What cannot be written is said before a ledger is read for it.
    if let Some(dir) = &args.out {
        if args.pack {
            examine_new(dir, args.force)?;
        } else {
            examine(dir, args.force)?;
        }
    }
    let now = Timestamp::now();
    let since = begin_of_day(args.since.moment(now)?);
    // What another user writes is a draft; what root reports is what the daemon would take.
    let root = rustix::process::geteuid().is_root();
    let trust = if root && !args.any_owner { Trust::RootOnly } else { Trust::Anyone };
    let written = policy_files(args.policy.clone()).outline(trust)?;
    for exposed in &written.exposed {
        warning(color, exposed);
    }
    let lang = args.lang.into();
    if args.own
        && let Some(dir) = &args.out
    {
        let config = Config::load(&args.config, trust)?;
        let sinks = deliver::load(&args.config, trust == Trust::Anyone)?;
        let own = described((&config, sinks), args.config.exists(), &written, now);
        return wrote_own(&own, (dir, args.force), lang, json, out);
    }
    let (countries, exposed) = app::countries(written.outline.controller.as_ref(), trust);
    if let Some(exposed) = exposed {
        warning(color, &exposed);
    }
    if let CountriesFile::Unusable(why) = &countries {
        warning(color, &format!("the record says no countries: {why}"));
    }
    if (args.pack || !args.framework.is_empty())
        && let Some(dir) = &args.out
    {
        let basis = pack::Basis { written: &written, countries: &countries, since, now };
        return pack::run(args, dir, &basis, json, color, out);
    }
    let records = shown_while("reading the ledger", || -> anyhow::Result<_> {
        let past = match open_ledger(args.ledger.as_deref()) {
            // Half an answer is none: a record of it would say that nothing was observed.
            Ok(reader) => Ok(Recorded::read(&reader, since, now)?),
            // A ledger that somebody names is one that has to be there.
            Err(error) if args.ledger.is_some() || error.is_wrong_usage() => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        Ok(app::records(&written, &countries, past.as_ref().map_err(Clone::clone), since, now))
    })?;
    if let Some(why) = &records.about.no_ledger {
        warning(color, &format!("nothing was observed: {why}"));
    }
    let Some(dir) = &args.out else {
        return mapped(&records, lang, json, out);
    };
    examine(dir, args.force)?;
    let files = shown_while("writing the record", || written_to(dir, &records, &args.format, lang))?;
    let (activities, undeclared) = (records.activities.len(), records.undeclared.len());
    if json {
        out.value(&Report {
            directory: dir,
            files,
            activities,
            undeclared,
            no_ledger: records.about.no_ledger.as_deref(),
        })?;
        return Ok(Exit::Fine);
    }
    let what = if activities == 1 { "activity" } else { "activities" };
    let services = counted(undeclared as u64, "service");
    let next = if activities == 0 { "gdprport init" } else { "gdprport audit" };
    out.text(&format!(
        "wrote the record of {activities} {what} and {services} that the policy does not declare; open {}, and see what is missing with `{next}`\n",
        clean(&dir.join("index.html").display().to_string())
    ))?;
    Ok(Exit::Fine)
}

/// Writes the files of a record, each as it is made. `record.json`, by which the directory is known, comes first, and the page last.
fn written_to(dir: &Path, records: &Records, forms: &[Form], lang: Lang) -> Result<Vec<String>, FolderError> {
    let mut folder = Folder::begin(dir)?;
    folder.put(MARK, &|out| pretty(&Document::of(records), out))?;
    folder.put_text(SHEET, &report::sheet(records, lang))?;
    let drawings = Drawings::of(records, lang);
    let page = report::page(records, &drawings, lang);
    folder.put_text("record.md", &report::record_markdown(&page))?;
    for form in FORMS.into_iter().filter(|form| forms.contains(form)) {
        folder.put(form.file(), &|out| match form {
            Form::Fides => report::fides(records, out),
            Form::Dpv => report::dpv(records, lang, out),
        })?;
    }
    for (name, text) in drawings.files() {
        folder.put_text(name, &text)?;
    }
    folder.put("index.html", &|out| report::html(&page, out))?;
    folder.end(&NOT_ALWAYS)
}

/// Connections are counted by whole days, so a period begins with one.
fn begin_of_day(at: Timestamp) -> Timestamp {
    const DAY_S: i64 = 86_400;
    Timestamp::from_second(at.as_second().div_euclid(DAY_S) * DAY_S).unwrap_or(at)
}

/// The map on this terminal; for programs the record itself, which has all of it.
fn mapped(records: &Records, lang: Lang, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    if json {
        out.value(&Document::of(records))?;
        return Ok(Exit::Fine);
    }
    let text = match View::of(records, lang) {
        Some(view) => drawn(&view, out.screen().width),
        None => {
            let asked = records.about.asked.strftime("%Y-%m-%d");
            format!(
                "nothing was seen since {asked}, so there is no map; `gdprport daemon status` says what is watched\n"
            )
        }
    };
    out.text(&text)?;
    Ok(Exit::Fine)
}

/// What gdprport itself processes, by its configuration.
fn described(
    (config, sinks): (&Config, Delivery),
    is_configured: bool,
    written: &Written,
    now: Timestamp,
) -> Own {
    let hides = |subject| config.privacy.pseudonymise.contains(&subject);
    Own {
        format: Own::FORMAT,
        host: app::host_name().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        made: now,
        configured: is_configured,
        controller: written.outline.controller.clone(),
        peers: match (hides(Subject::Peers), config.privacy.truncate) {
            (true, _) => ShownAs::Pseudonyms,
            (false, Some(_)) => ShownAs::Networks,
            (false, None) => ShownAs::AsIs,
        },
        users: if hides(Subject::Users) { ShownAs::Pseudonyms } else { ShownAs::AsIs },
        ledger: config
            .ledger
            .settings(None)
            .map(|kept| KeptFor { seconds: u64::from(kept.keep_days) * 86_400, bytes: kept.max_bytes }),
        spool: config.spool(None).map(|kept| KeptFor { seconds: kept.keep.as_secs(), bytes: kept.max_bytes }),
        evidence: config.evidence.of_host().map(|kept| KeptLog {
            path: kept.dir.display().to_string(),
            seconds: kept.keep.as_secs(),
            bytes: kept.max_bytes,
        }),
        file: config.file.as_ref().map(|file| file.display().to_string()),
        journald: config.journald,
        receivers: received(sinks),
        metrics: config.metrics.is_some(),
    }
}

/// Those that are used first, as they are written; then those with an error.
fn received(sinks: Delivery) -> Vec<OwnReceiver> {
    let used = sinks.sinks.into_iter().map(|sink| {
        let to = SentTo { kind: sink.target.kind().as_str(), place: sink.target.place() };
        OwnReceiver { name: Some(sink.name), to: Some(to) }
    });
    let faulty = sinks.faulty.into_iter().map(|sink| OwnReceiver { name: sink.name, to: None });
    used.chain(faulty).collect()
}

fn wrote_own(
    own: &Own,
    (dir, force): (&Path, bool),
    lang: Lang,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let page = report::own_page(own, lang);
    examine(dir, force)?;
    let mut folder = Folder::begin(dir)?;
    folder.put(MARK, &|out| pretty(own, out))?;
    folder.put_text("record.md", &report::record_markdown(&page))?;
    folder.put("index.html", &|out| report::html(&page, out))?;
    let files = folder.end(&NOT_ALWAYS)?;
    if json {
        out.value(&Report { directory: dir, files, activities: 1, undeclared: 0, no_ledger: None })?;
        return Ok(Exit::Fine);
    }
    let index = dir.join("index.html");
    out.text(&format!(
        "wrote the record of what gdprport itself processes; open {}, and have the controller add the legal basis\n",
        clean(&index.display().to_string())
    ))?;
    Ok(Exit::Fine)
}
