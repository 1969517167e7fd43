//! `policy replay`: the ledger's past judged by a proposed policy.

use gdprport_core::replay::{Change, Judge, replay};
use jiff::Timestamp;

use super::super::cli::ReplayArgs;
use super::super::exit::Exit;
use super::super::format::clean_lines;
use super::super::replay::{Replayed, show};
use super::super::screen::Output;
use super::files::policy_files;
use super::rows::Rows;
use super::waiting::shown_while;
use crate::app::{Trust, Written};

pub(super) fn run(args: &ReplayArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let screen = out.screen();
    let written = policy_files(args.files.clone()).outline(Trust::Anyone)?;
    for exposed in &written.exposed {
        eprintln!("gdprport: warning: {}", clean_lines(exposed));
    }
    let now = screen.now;
    let replayed = shown_while("judging what the ledger has", || replayed(args, written, now))?;
    if json {
        out.value(&replayed)?;
    } else {
        out.text(&show(&replayed, args.all, &screen))?;
    }
    let mut groups = replayed.replay.groups.iter();
    let breaks = groups.any(|group| group.change == Change::DeclaredToViolation);
    Ok(if breaks { Exit::Failed } else { Exit::Fine })
}

/// Reads the ledger and judges it.
pub(super) fn replayed(args: &ReplayArgs, written: Written, now: Timestamp) -> anyhow::Result<Replayed> {
    let past = Rows::read(args.ledger.as_deref(), args.since, now)?;
    let Written { outline, policy, digest, sources, .. } = written;
    let judge = Judge::new(policy, &outline, now);
    Ok(Replayed {
        since: past.since,
        until: now,
        begin: past.begin,
        policy: (!sources.is_empty()).then_some(digest),
        rows: past.rows.len() as u64,
        gaps: past.reader.gaps(past.since, now)?.len() as u64,
        replay: replay(past.rows.iter().map(|(row, edge)| (*row, edge)), &judge),
    })
}
