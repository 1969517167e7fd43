//! `policy learn`: from the ledger to a minimal proposal, as a policy of its own or put into another one.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::anyhow;
use gdprport_core::learn::{Asked, Context, MergeError, Proposal, Seen, merge, propose};
use gdprport_core::ledger::{Edge, VerdictKey};
use gdprport_core::policy::Source;
use jiff::Timestamp;
use serde::Serialize;

use super::super::cli::{Color, LearnArgs};
use super::super::exit::Exit;
use super::super::format::{clean, counted, list};
use super::super::screen::{Output, choice};
use super::super::tone::Tone;
use super::files::{ETC, policy_files};
use super::new_file::{self, write_new};
use super::rows::Rows;
use super::waiting::shown_while;
use crate::app::{self, Trust};

/// What `policy learn --json` prints.
#[derive(Debug, Serialize)]
struct LearnReport<'r> {
    /// The policy's text; absent if it was written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'r Path>,
    /// Whether anything is proposed.
    changed: bool,
    ports: usize,
    rules: usize,
    /// Rules that are comments, because somebody has to decide.
    commented: usize,
    /// Comments beside rules that are there.
    beside: usize,
    blanks: usize,
    /// Groups that were too many to be written out.
    grouped: usize,
    /// What could not be seen.
    unseen: &'r [String],
}

pub(super) fn run(args: &LearnArgs, json: bool, color: Color, out: &mut Output) -> anyhow::Result<Exit> {
    let output = new_file::asked(args.output.as_deref(), args.force)?;
    let now = Timestamp::now();
    // A policy with mistakes is said before a ledger is read for it.
    let sources = match &args.merge {
        Some(file) => {
            let files = std::iter::once(file.clone()).chain(args.policy.iter().cloned()).collect();
            policy_files(files).outline(Trust::Anyone)?.sources
        }
        None => Vec::new(),
    };
    let host = app::host_name();
    let commands = next_commands(output.unwrap_or(Path::new("policy.toml")));
    let shown = commands.each_ref().map(String::as_str);
    let context = Context { host: &host, at: now, version: env!("CARGO_PKG_VERSION"), next: &shown };
    let learned = shown_while("learning from the ledger", || learned(args, sources, &context))?;
    let Learned { proposal, changed, unseen, unknown } = learned;
    match output {
        Some(path) => write_new(path, proposal.text.as_bytes(), args.force)?,
        None if !json => out.text(&proposal.text)?,
        None => {}
    }
    if json {
        let policy = output.is_none().then_some(proposal.text.as_str());
        let Proposal { ports, rules, commented, beside, blanks, grouped, .. } = proposal;
        out.value(&LearnReport {
            policy,
            file: output,
            changed,
            ports,
            rules,
            commented,
            beside,
            blanks,
            grouped,
            unseen: &unseen,
        })?;
    } else {
        next(color, args, (&proposal, changed), &commands, unknown.as_deref());
    }
    Ok(Exit::Fine)
}

/// What came of the ledger.
struct Learned {
    proposal: Proposal,
    /// Whether anything is proposed.
    changed: bool,
    /// What could not be seen.
    unseen: Vec<String>,
    /// What is not known of the period.
    unknown: Option<String>,
}

/// Reads the ledger, and proposes what the policy lacks, or a policy if there is none.
fn learned(args: &LearnArgs, mut sources: Vec<Source>, context: &Context<'_>) -> anyhow::Result<Learned> {
    let past = Rows::read(args.ledger.as_deref(), args.since, context.at)?;
    let seen = seen(&past, context.at)?;
    let asked = Asked { rows: &past.rows, seen: &seen, include_violations: args.include_violations, context };
    let (proposal, changed) = if sources.is_empty() {
        let fault = |problems| anyhow!("this is a fault of gdprport, please report it: {problems}");
        (propose(&asked).map_err(fault)?, true)
    } else {
        let others = sources.split_off(1);
        let file = &sources[0];
        let proposal = merge(&asked, file, &others).map_err(|error| match error {
            // It was valid when it was read.
            MergeError::Problems(problems) => {
                anyhow!("with what is missing {} would be no valid policy: {problems}", clean(&file.name))
            }
            error @ MergeError::Inline { .. } => error.into(),
        })?;
        let changed = proposal.text != file.text;
        (proposal, changed)
    };
    Ok(Learned { proposal, changed, unknown: past.unknown(), unseen: seen.unseen })
}

/// Services of the period, by the same rows.
fn seen(past: &Rows, now: Timestamp) -> anyhow::Result<Seen> {
    let observed = past.reader.present(past.since, now)?;
    // Attempts that a policy had declared are proposed like connections, and are not counted as left out.
    let is_declared_attempt = |edge: &&Edge| {
        edge.counts.failed > 0
            && edge.counts.failed >= edge.counts.standing()
            && matches!(*edge.key.verdict, VerdictKey::Declared { .. })
    };
    let edges = past.rows.iter().map(|(_, edge)| edge).filter(|edge| !is_declared_attempt(edge));
    let mut seen = Seen::of_rows(&observed, edges);
    seen.unseen.extend(past.unknown());
    Ok(seen)
}

/// What was proposed, and what there is to do next.
fn next(
    color: Color,
    args: &LearnArgs,
    (proposal, changed): (&Proposal, bool),
    commands: &[String],
    unknown: Option<&str>,
) {
    if !changed {
        say(
            color,
            Tone::Good,
            "\nnothing to propose: the policy allows what was seen, or has it as a proposal already",
        );
        unknown.iter().for_each(|text| say(color, Tone::Warn, text));
        return;
    }
    let count = |n: usize, what: &str| (n > 0).then(|| counted(n as u64, what));
    let what: Vec<String> = [
        count(proposal.ports, "port"),
        count(proposal.rules, "rule"),
        count(proposal.commented + proposal.beside, "comment")
            .map(|comments| format!("{comments} to decide on")),
        count(proposal.grouped, "group").map(|groups| format!("{groups} not written out")),
        count(proposal.blanks, "blank").map(|blanks| format!("{blanks} to fill in")),
    ]
    .into_iter()
    .flatten()
    .collect();
    say(color, Tone::Good, &format!("\nproposed: {}", list(what)));
    unknown.iter().for_each(|text| say(color, Tone::Warn, text));
    let present = Path::new(ETC).join("policy.toml");
    if args.merge.is_none() && present.exists() {
        let present = present.display();
        let text =
            format!("there is a policy at {present}: --merge {present} proposes what it lacks instead");
        say(color, Tone::Warn, &text);
    }
    if args.output.is_none() {
        say(
            color,
            Tone::Plain,
            "next: keep it in a file (--output FILE), read it, and decide on the comments",
        );
        return;
    }
    say(color, Tone::Plain, "next: read it, decide on the comments, fill in the blanks, then");
    for command in commands {
        say(color, Tone::Plain, &format!("  {}", clean(command)));
    }
}

/// The commands that check a proposal, for the file and for the terminal.
fn next_commands(output: &Path) -> [String; 2] {
    ["check", "replay"].map(|judge| format!("gdprport policy {judge} {}", output.display()))
}

/// Says something to the person, beside what goes to standard output.
fn say(color: Color, tone: Tone, text: &str) {
    let mut stderr = anstream::AutoStream::new(io::stderr().lock(), choice(color, &io::stderr()));
    // Nobody may be there to read it.
    let _ = writeln!(stderr, "{}", tone.paint(text));
}
