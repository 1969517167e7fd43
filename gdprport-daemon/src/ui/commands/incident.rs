//! `report incident`: a draft notification of a breach, printed or written into a directory.

use anyhow::bail;
use gdprport_core::incident::Deadline;
use jiff::Timestamp;

use super::super::cli::{Color, IncidentArgs};
use super::super::exit::Exit;
use super::super::format::clean;
use super::super::screen::Output;
use super::files::{open_ledger, policy_files};
use super::new_folder::{Folder, INCIDENT, examine};
use super::scan::warning;
use super::waiting::shown_while;
use crate::app::{self, Asked, PastOf, Trust};
use crate::report::{self, IncidentDocument, pretty};

pub(super) fn run(args: &IncidentArgs, json: bool, color: Color, out: &mut Output) -> anyhow::Result<Exit> {
    if let Some(dir) = &args.out {
        examine(dir, args.force)?;
    }
    let now = Timestamp::now();
    let from = args.from.moment_of("--from", now)?;
    let to = args.to.map_or(Ok(now), |to| to.moment_of("--to", now))?;
    if from >= to {
        bail!("--from {from:.0} is not before --to {to:.0}: name a time that begins before it ends");
    }
    if let Some(aware) = args.aware.filter(|aware| *aware > now) {
        bail!("--aware {aware:.0} has not come yet: nobody can be aware by then");
    }
    let root = rustix::process::geteuid().is_root();
    let trust = if root && !args.any_owner { Trust::RootOnly } else { Trust::Anyone };
    let written = policy_files(args.policy.clone()).outline(trust)?;
    for exposed in &written.exposed {
        warning(color, exposed);
    }
    let deadline = Deadline::new(args.deadline, written.outline.controller.as_ref(), args.aware);
    let asked = Asked { port: args.port.clone(), from, to, deadline };
    let incident = shown_while("reading the ledger", || {
        let past = match open_ledger(args.ledger.as_deref()) {
            Ok(reader) => Ok(PastOf::read(&reader, from, to)?),
            // A ledger that somebody names is one that has to be there.
            Err(error) if args.ledger.is_some() || error.is_wrong_usage() => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        app::incident(&written, past.as_ref().map_err(Clone::clone), asked, now).map_err(anyhow::Error::msg)
    })?;
    if let Some(why) = &incident.records.about.no_ledger {
        warning(color, &format!("nothing was observed: {why}"));
    }
    let document = IncidentDocument::of(&incident);
    let page = report::incident_page(&incident, args.lang.into());
    if let Some(dir) = &args.out {
        examine(dir, args.force)?;
        let mut folder = Folder::begin(dir)?;
        folder.put(INCIDENT, &|out| pretty(&document, out))?;
        folder.put_text("incident.md", &report::record_markdown(&page))?;
        folder.put("index.html", &|out| report::html(&page, out))?;
        folder.end(&[])?;
    }
    match (&args.out, json) {
        (_, true) => out.value(&document)?,
        (None, false) => out.text(&report::record_markdown(&page))?,
        (Some(dir), false) => out.text(&format!(
            "wrote a draft; open {}, and have a person fill in what is marked\n",
            clean(&dir.join("index.html").display().to_string())
        ))?,
    }
    Ok(Exit::Fine)
}
