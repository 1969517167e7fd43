//! `policy apply`, `confirm` and `revert`: a policy is put in force, and taken back by itself unless it is confirmed.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use gdprport_core::policy::{Source, difference, outline};
use tokio::runtime::Runtime;

use super::super::cli::{ApplyArgs, ReplayArgs};
use super::super::diff::{Compared, Side, show};
use super::super::exit::Exit;
use super::super::format::{clean, clean_lines, counted, duration};
use super::super::reloaded::reload;
use super::super::replay;
use super::super::screen::{Output, Screen};
use super::super::table::wrap;
use super::super::tightened::{cannot_return, tightened};
use super::ask;
use super::files::policy_files;
use super::new_file::replace;
use super::replay::replayed;
use super::trial::{End, watch};
use super::waiting::{runtime, shown_while};
use crate::app::{PolicyError, PolicyFiles, Written, locked_out};
use crate::control::api::{PolicyPlace, PolicyText, ReloadReply, Status, TrialOrder};
use crate::control::client::ControlClient;

/// A policy that is to be put in force.
struct Candidate {
    /// All of its files.
    files: Vec<Source>,
    /// The one that differs from what is in force.
    place: String,
}

/// What is to become of what.
struct Change<'c> {
    in_force: &'c PolicyText,
    status: &'c Status,
    /// The file that is to have another text.
    place: String,
    text: String,
}

pub(super) fn run(
    args: &ApplyArgs,
    client: &ControlClient,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let runtime = runtime()?;
    let in_force = runtime.block_on(client.policy())?.value;
    if let Some(trial) = &in_force.trial {
        bail!(
            "another policy is on trial for {} more: end that first, with `sudo gdprport policy confirm` or \
             `sudo gdprport policy revert`",
            duration(trial.left_s)
        );
    }
    let place = place(args, &in_force.place)?;
    unchanged(&in_force)?;
    let text = text(&args.file)?;
    if in_force.files.iter().any(|source| source.name == place && source.text == text) {
        if json {
            return shown(&outcome(true, in_force.digest, ""), json, out);
        }
        out.text(&format!("{} is in force already\n", clean(&args.file.display().to_string())))?;
        return Ok(Exit::Fine);
    }
    let status = runtime.block_on(client.status())?.value.status;
    let change = Change { in_force: &in_force, status: &status, place, text };
    let candidate = candidate(args, change, json, out)?;
    if !args.yes {
        if json || !io::stdin().is_terminal() {
            bail!("nobody can be asked here whether to put it in force: say --yes");
        }
        if !ask::agreed("Put it in force?")? {
            out.text("nothing was changed\n")?;
            return Ok(Exit::Failed);
        }
    }
    let Some(within) = args.confirm else {
        let text = candidate.text().to_owned();
        return keep(&runtime, client, &candidate.place, &text, None, json, out);
    };
    let order = TrialOrder {
        file: candidate.place.clone(),
        files: candidate.files,
        confirm_within_s: within.as_secs(),
    };
    let reply = runtime.block_on(client.try_out(&order))?;
    if !reply.value.applied {
        return shown(&reply.value, json, out);
    }
    if !json {
        out.text(&said(&reply.value))?;
    }
    let end = watch(&runtime, client, &reply.value.digest)?;
    ended(&end, &runtime, client, &reply.value.digest, json, out)
}

/// `policy confirm`.
pub(super) fn confirm(client: &ControlClient, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let runtime = runtime()?;
    let in_force = runtime.block_on(client.policy())?.value;
    let Some(trial) = &in_force.trial else {
        bail!(
            "no policy is on trial, so nothing was changed; one whose time is over was taken back: apply it again, and confirm it in time"
        );
    };
    let Some(source) = in_force.files.iter().find(|source| source.name == trial.file) else {
        bail!("the policy on trial has no file {}: nothing was changed", clean(&trial.file));
    };
    keep(&runtime, client, &source.name, &source.text, Some(&in_force.digest), json, out)
}

/// `policy revert`.
pub(super) fn revert(client: &ControlClient, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let reply = runtime()?.block_on(client.revert())?.value;
    if json {
        return shown(&reply, json, out);
    }
    if !reply.applied {
        bail!("{}: nothing was changed", clean(&reply.problems));
    }
    out.text(&format!("taken back; in force is {} again\n", clean(&reply.digest)))?;
    Ok(Exit::Fine)
}

fn shown(reply: &ReloadReply, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    if json {
        out.value(reply)?;
    } else {
        out.text(&said(reply))?;
    }
    Ok(if reply.applied { Exit::Fine } else { Exit::Invalid })
}

/// What came of a trial, for programs.
fn outcome(applied: bool, digest: String, why: &str) -> ReloadReply {
    ReloadReply::new(applied, digest, why.to_owned())
}

/// What came of it. Warnings are many, and not what somebody waits for now.
fn said(reply: &ReloadReply) -> String {
    let warnings = reply.warnings.lines().filter(|line| line.contains(": warning: ")).count();
    let brief = ReloadReply { warnings: String::new(), ..reply.clone() };
    let mut text = reload(&brief);
    if warnings > 0 {
        text += &format!("{}, which `gdprport policy check` lists\n", counted(warnings as u64, "warning"));
    }
    text
}

/// The file of the daemon's policy whose place is taken.
fn place(args: &ApplyArgs, places: &PolicyPlace) -> anyhow::Result<String> {
    let place = match &args.place {
        Some(named) if places.holds(named) => named.clone(),
        None if places.main().is_some() => places.main().unwrap_or_default(),
        named => {
            let known = match places {
                PolicyPlace::Files(files) => {
                    format!("it reads {}: name one of them with --as", files.join(", "))
                }
                PolicyPlace::Directory(path) => {
                    format!("it reads policy.toml and policy.d/*.toml in {path}: name one of them with --as")
                }
                PolicyPlace::Catalog => {
                    "it was started with --no-policy: start it without, and it reads /etc/gdprport".to_owned()
                }
            };
            let named = named.as_deref().unwrap_or("a file alone");
            bail!("{} is no place in the daemon's policy; {}", clean(named), clean(&known));
        }
    };
    let same = |path: &Path| path.canonicalize().ok();
    if same(&args.file).is_some_and(|file| same(Path::new(&place)) == Some(file)) {
        bail!(
            "{} is the daemon's own file: change a copy of it, and apply that; what is changed in it already, `sudo gdprport \
             daemon reload` puts in force, and nothing takes it back",
            clean(&place)
        );
    }
    Ok(place)
}

/// Refuses to go on where the files are not what was loaded: they would come into force as well.
fn unchanged(in_force: &PolicyText) -> anyhow::Result<()> {
    let files = match &in_force.place {
        PolicyPlace::Files(files) => PolicyFiles::Named(files.iter().map(PathBuf::from).collect()),
        PolicyPlace::Directory(path) => PolicyFiles::Directory(path.into()),
        PolicyPlace::Catalog => PolicyFiles::Catalog,
    };
    let there = files.texts()?;
    let differs = |one: &[Source], other: &[Source]| {
        one.iter().find(|source| !other.contains(source)).map(|source| source.name.clone())
    };
    match differs(&there, &in_force.files).or_else(|| differs(&in_force.files, &there)) {
        Some(name) => bail!(
            "{} is not what the daemon has loaded: load it with `sudo gdprport daemon reload`, or put it back, and try again",
            clean(&name)
        ),
        None => Ok(()),
    }
}

fn text(file: &Path) -> Result<String, PolicyError> {
    let mut texts = policy_files(vec![file.to_owned()]).texts()?;
    Ok(texts.pop().map(|source| source.text).unwrap_or_default())
}

/// Compiles it and shows what it means.
fn candidate(
    args: &ApplyArgs,
    change: Change<'_>,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Candidate> {
    let Change { in_force, status, place, text } = change;
    let screen = &out.screen();
    let shown = args.file.display().to_string();
    // Problems name the file that was given, and not the one that it is to become.
    let named = with(&in_force.files, &place, &Source { name: shown.clone(), text: text.clone() });
    let (after, policy) = outline(&named).map_err(PolicyError::from)?;
    let (before, _) = outline(&in_force.files).map_err(PolicyError::from)?;
    if !json {
        let width = screen.width.into();
        let mut remarks = tightened(&policy, status, width);
        if let Some((from, port)) = locked_out(&named) {
            remarks += &cannot_return(from, port, width);
        }
        let differences = difference(&before, &after);
        let before =
            Side { name: "the policy in force".to_owned(), digest: in_force.digest.clone(), outline: before };
        let digest = policy.digest().to_owned();
        let now = Side { name: clean(&shown).into_owned(), digest: digest.clone(), outline: after };
        let same = differences.is_empty();
        out.text(&show(&Compared { same, before: &before, now: &now, differences }, screen))?;
        let written = Written {
            outline: now.outline,
            policy,
            digest: Arc::from(digest),
            sources: named,
            exposed: Vec::new(),
        };
        past(args, written, screen, out)?;
        if !remarks.is_empty() {
            out.text(&format!("{remarks}\n"))?;
        }
    }
    let files = with(&in_force.files, &place, &Source { name: place.clone(), text });
    Ok(Candidate { files, place })
}

/// Shows what it would have said of the past, as far as that is known.
fn past(args: &ApplyArgs, written: Written, screen: &Screen, out: &mut Output) -> anyhow::Result<()> {
    let asked = ReplayArgs { files: Vec::new(), since: args.since, ledger: args.ledger.clone(), all: false };
    out.text("\n")?;
    let now = screen.now;
    match shown_while("judging what the ledger has", || replayed(&asked, written, now)) {
        Ok(replayed) => out.text(&replay::show(&replayed, false, screen))?,
        Err(error) => {
            let line = format!("the past is not judged: {}", clean_lines(&error.to_string()));
            for line in wrap(&line, screen.width.into()) {
                out.text(&(line + "\n"))?;
            }
        }
    }
    out.text("\n")?;
    Ok(())
}

impl Candidate {
    /// The text of the file that differs.
    fn text(&self) -> &str {
        self.files.iter().find(|source| source.name == self.place).map_or("", |source| &source.text)
    }
}

/// The files with this one in its place, in the order in which the daemon reads them.
fn with(files: &[Source], place: &str, new: &Source) -> Vec<Source> {
    let mut all: Vec<(&str, &Source)> = files.iter().map(|source| (&*source.name, source)).collect();
    match all.iter_mut().find(|(name, _)| *name == place) {
        Some((_, source)) => *source = new,
        None => {
            // Files of a directory: its `policy.toml`, then the others by name.
            let is_main = Path::new(place).file_name().is_some_and(|name| name == "policy.toml");
            let after = |(name, _): &&(&str, &Source)| {
                !is_main
                    && (Path::new(name).file_name().is_some_and(|name| name == "policy.toml")
                        || *name < place)
            };
            let at = all.iter().take_while(after).count();
            all.insert(at, (place, new));
        }
    }
    all.into_iter().map(|(_, source)| source.clone()).collect()
}

fn ended(
    end: &End,
    runtime: &Runtime,
    client: &ControlClient,
    digest: &str,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    match end {
        End::Keep => confirm(client, json, out),
        End::TakeBack => {
            revert(client, json, out)?;
            Ok(Exit::Failed)
        }
        End::Kept if json => shown(&outcome(true, digest.to_owned(), ""), json, out),
        End::Kept => {
            out.text(&format!("kept; in force is {}\n", clean(digest)))?;
            Ok(Exit::Fine)
        }
        End::TakenBack => {
            let now = runtime.block_on(client.policy())?.value.digest;
            if json {
                out.value(&outcome(false, now, "the policy on trial was not kept"))?;
            } else {
                out.text(&format!("not kept; in force is {} again\n", clean(&now)))?;
            }
            Ok(Exit::Failed)
        }
    }
}

/// Writes it into its place and has it loaded. `tried`: the digest that was on trial.
fn keep(
    runtime: &Runtime,
    client: &ControlClient,
    place: &str,
    text: &str,
    tried: Option<&str>,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let path = Path::new(place);
    let before = match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => bail!("cannot read {}: {error}; nothing was changed", clean(place)),
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".previous");
    let beside = PathBuf::from(beside);
    if let Some(before) = &before {
        replace(&beside, before)?;
    }
    replace(path, text.as_bytes())?;
    let reply = runtime.block_on(client.reload())?.value;
    if !reply.applied {
        match &before {
            Some(before) => replace(path, before)?,
            None => std::fs::remove_file(path).map_err(|error| anyhow!("cannot remove {place}: {error}"))?,
        }
        return shown(&reply, json, out);
    }
    if tried.is_some_and(|tried| tried != reply.digest) {
        eprintln!(
            "gdprport: warning: other files of the policy had changed since they were loaded, and are in force too"
        );
    }
    if before.is_some() && !json {
        out.text(&format!("written to  {}\nbefore in   {}\n", clean(place), beside.display()))?;
    }
    shown(&reply, json, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> Source {
        Source { name: format!("/etc/gdprport/{name}"), text: name.to_owned() }
    }

    #[test]
    fn a_file_takes_its_place_in_the_order_of_reading() {
        let files = [source("policy.toml"), source("policy.d/a.toml"), source("policy.d/c.toml")];
        let names = |files: &[Source], name: &str| {
            let new = Source { name: "new".to_owned(), text: String::new() };
            let all = with(files, &source(name).name, &new);
            all.into_iter().map(|source| source.name).collect::<Vec<_>>()
        };
        let [main, a, c] = files.clone().map(|source| source.name);
        let new = || "new".to_owned();
        assert_eq!(names(&files, "policy.toml"), [new(), a.clone(), c.clone()]);
        assert_eq!(names(&files, "policy.d/b.toml"), [main.clone(), a.clone(), new(), c.clone()]);
        assert_eq!(names(&files, "policy.d/d.toml"), [main, a.clone(), c.clone(), new()]);
        assert_eq!(names(&files[1..], "policy.toml"), [new(), a, c]);
        assert_eq!(names(&[], "policy.toml"), [new()]);
    }
}
