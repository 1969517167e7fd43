//! `gdprport evidence …`

use std::fs::{self, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::cut;
use gdprport_core::figures::thousands;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::super::cli::{EraseArgs, EvidenceCommand, ExportArgs, RotateKeyArgs, VerifyArgs};
use super::super::evidence::{Json, show};
use super::super::evidence_export::{ExportJson, show_export};
use super::super::exit::Exit;
use super::super::format::clean;
use super::super::screen::Output;
use super::files::log_place;
use super::waiting::runtime;
use crate::app::stamps;
use crate::app::transparency::{self, Carried, Erasure, EvidenceSettings, Order, Wanted};
use crate::control::api::{EraseQuery, EvidenceOrder, EvidenceReply};
use crate::control::client::{ClientError, ControlClient};
use crate::deliver;

pub(super) fn run(
    command: EvidenceCommand,
    client: &ControlClient,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    match command {
        EvidenceCommand::Verify(args) => verify(&args, json, out),
        EvidenceCommand::Checkpoint(args) => {
            let note = transparency::latest(&log_place(args.dir.as_deref())?.dir)?;
            out.text(&String::from_utf8_lossy(&note))?;
            Ok(Exit::Fine)
        }
        EvidenceCommand::Key(args) => {
            let place = match args.key {
                Some(file) => SecretRef::File(file),
                None => log_place(args.dir.as_deref())?.key,
            };
            out.text(&format!("{}\n", transparency::key_of(&place)?))?;
            Ok(Exit::Fine)
        }
        EvidenceCommand::Erase(args) => erase(&args, client, json, out),
        EvidenceCommand::Export(args) => export(&args, json, out),
        EvidenceCommand::Rotate(args) => rotate(&args, client, json, out),
    }
}

fn verify(args: &VerifyArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let key = transparency::public_key(&args.key)?;
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => log_place(None)?.dir,
    };
    if dir.is_file() {
        anyhow::ensure!(
            args.tsa.is_none(),
            "{} is an export: timestamps are of checkpoints of a whole log; name its directory, or leave --tsa out",
            dir.display()
        );
        let verified = transparency::verified_export(&dir, &key, &args.checkpoint)?;
        if json {
            out.value(&ExportJson::of(&verified))?;
        } else {
            out.text(&show_export(&verified))?;
        }
        return Ok(if verified.findings.count() == 0 { Exit::Fine } else { Exit::Failed });
    }
    let mut elsewhere = transparency::kept_all(&args.checkpoint, &key)?;
    if let Some(tsa) = &args.tsa {
        let dir_of_stamps = args.stamps.clone().unwrap_or_else(stamps_place);
        elsewhere.extend(stamps::read(&dir_of_stamps, tsa)?);
    }
    let bar = progress(&dir);
    let verified = transparency::verified(&dir, &key, &elsewhere, |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let verified = verified?;
    if json {
        out.value(&Json::of(&verified))?;
    } else {
        out.text(&show(&verified))?;
    }
    Ok(if verified.findings.count() == 0 { Exit::Fine } else { Exit::Failed })
}

/// Where this host's deliverer keeps timestamps.
fn stamps_place() -> PathBuf {
    let read = deliver::load(deliver::CONFIG.as_ref(), true).ok();
    read.map(|read| read.settings).unwrap_or_default().state().join(deliver::STAMPS)
}

/// A bar of as many entries as the checkpoint says, unverified. It draws nothing where standard error is no terminal.
fn progress(dir: &Path) -> ProgressBar {
    let note = transparency::latest(dir).unwrap_or_default();
    let size = String::from_utf8_lossy(&note).lines().nth(1).and_then(|line| line.parse().ok());
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(8));
    if let Ok(style) =
        ProgressStyle::with_template("verifying {wide_bar} {human_pos} of {human_len} entries, {eta} left")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

fn export(args: &ExportArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let dir = log_place(args.dir.as_deref())?.dir;
    let to = args.to.map(|to| to.moment_of("--to", now)).transpose()?.unwrap_or(now);
    let mut wanted = Wanted { from: args.from.moment_of("--from", now)?, to, elsewhere: Vec::new() };
    anyhow::ensure!(wanted.from < to, "--from has to be before --to");
    for path in &args.checkpoint {
        wanted.elsewhere.extend(transparency::notes_of(path, &dir)?);
    }
    let shown = args.output.display();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&args.output);
    let file = file.map_err(|error| anyhow::anyhow!("cannot write {shown}: {error}; name another file"))?;
    let mut file = BufWriter::new(file);
    let exported = transparency::export(&dir, &wanted, &mut file).inspect_err(|_| {
        // Half of it is of no use.
        let _ = fs::remove_file(&args.output);
    })?;
    if json {
        out.value(&exported)?;
    } else {
        let entries = thousands(exported.to - exported.from);
        let hidden = if exported.hidden == 0 {
            String::new()
        } else {
            format!(
                ", of {} of which only the hash is there, as they were erased",
                thousands(exported.hidden)
            )
        };
        let line = format!("{entries} entries from {} on{hidden}: {shown}", thousands(exported.from));
        out.text(&format!("{}\n", clean(&line)))?;
    }
    Ok(Exit::Fine)
}

fn erase(args: &EraseArgs, client: &ControlClient, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let query = EraseQuery {
        from: args.from.map(|from| from.moment_of("--from", now)).transpose()?,
        before: args.before.moment_of("--before", now)?,
        why: cut(args.why.trim()),
        by: cut(&who()),
    };
    let done = order(EvidenceOrder::Erase(query), place(args.dir.as_deref(), args.key.as_deref())?, client)?;
    if json {
        out.value(&done)?;
        return Ok(Exit::Fine);
    }
    out.text(&match &done.checkpoint {
        None => "nothing was erased: no whole bundle of entries lies in that time\n".to_owned(),
        Some(note) => {
            format!("{} entries were erased. The checkpoint that says so:\n\n{note}", done.entries)
        }
    })?;
    Ok(Exit::Fine)
}

/// Prints the new public key alone, so that it can be written into a file.
fn rotate(
    args: &RotateKeyArgs,
    client: &ControlClient,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let done = order(EvidenceOrder::Rotate, place(args.dir.as_deref(), args.key.as_deref())?, client)?;
    if json {
        out.value(&done)?;
    } else {
        out.text(&format!("{}\n", done.key))?;
    }
    Ok(Exit::Fine)
}

/// The log that is named; `None`: the host's.
fn place(dir: Option<&Path>, key: Option<&Path>) -> anyhow::Result<Option<EvidenceSettings>> {
    let Some(dir) = dir else { return Ok(None) };
    let beside = log_place(Some(dir))?;
    Ok(Some(EvidenceSettings {
        key: key.map_or(beside.key, |key| SecretRef::File(key.to_owned())),
        ..beside
    }))
}

/// Has the running daemon do it, or does it, if there is none or another log is named.
fn order(
    order: EvidenceOrder,
    place: Option<EvidenceSettings>,
    client: &ControlClient,
) -> anyhow::Result<EvidenceReply> {
    if place.is_none() {
        match runtime()?.block_on(client.evidence(&order)) {
            Ok(reply) => return Ok(reply.value),
            Err(ClientError::NoDaemon(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let order = match order {
        EvidenceOrder::Rotate => Order::Rotate,
        EvidenceOrder::Erase(EraseQuery { from, before, why, by }) => {
            Order::Erase(Erasure { from, before, why, by })
        }
    };
    let place = match place {
        Some(place) => place,
        None => log_place(None)?,
    };
    let Carried { entries, checkpoint, key } = transparency::carry_out(&place, &order)?;
    Ok(EvidenceReply { entries, checkpoint, key })
}

/// Who asks: the user behind sudo, or the user.
fn who() -> String {
    let name = |key: &str| std::env::var(key).ok().filter(|name| !name.is_empty());
    name("SUDO_USER")
        .or_else(|| name("USER"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
