//! `gdprport evidence …`

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use gdprport_core::evidence::cut;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::super::cli::{EraseArgs, EvidenceCommand, VerifyArgs};
use super::super::evidence::{Json, show};
use super::super::exit::Exit;
use super::super::screen::Output;
use crate::app::transparency::{self, Erasure, EvidenceSettings};

pub(super) fn run(command: EvidenceCommand, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    match command {
        EvidenceCommand::Verify(args) => verify(&args, json, out),
        EvidenceCommand::Checkpoint(args) => {
            let dir = args.dir.unwrap_or_else(|| EvidenceSettings::DIR.into());
            let note = transparency::latest(&dir)?;
            out.text(&String::from_utf8_lossy(&note))?;
            Ok(Exit::Fine)
        }
        EvidenceCommand::Key(args) => {
            let file = args.file.unwrap_or_else(|| EvidenceSettings::KEY.into());
            out.text(&format!("{}\n", transparency::key_of(&file)?))?;
            Ok(Exit::Fine)
        }
        EvidenceCommand::Erase(args) => erase(&args, out),
    }
}

fn verify(args: &VerifyArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let key = transparency::public_key(&args.key)?;
    let bar = progress(&args.dir);
    let verified =
        transparency::verified(&args.dir, &key, &args.checkpoint, |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let verified = verified?;
    if json {
        out.value(&Json::of(&verified))?;
    } else {
        out.text(&show(&verified))?;
    }
    Ok(if verified.findings.count() == 0 { Exit::Fine } else { Exit::Failed })
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

fn erase(args: &EraseArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let mut settings = EvidenceSettings::default();
    if let (Some(dir), Some(key)) = (&args.dir, &args.key) {
        (settings.dir, settings.key) = (dir.clone(), key.clone());
    }
    let erasure = Erasure {
        from: args.from.map(|from| from.moment_of("--from", now)).transpose()?,
        before: args.before.moment_of("--before", now)?,
        why: cut(args.why.trim()),
        by: cut(&who()),
    };
    let done = transparency::erased(&settings, &erasure)?;
    let mut text = String::new();
    match done.note {
        None => text.push_str("nothing was erased: no whole bundle of entries lies in that time\n"),
        Some(note) => {
            let _infallible =
                write!(text, "{} entries were erased. The checkpoint that says so:\n\n{note}", done.entries);
        }
    }
    out.text(&text)?;
    Ok(Exit::Fine)
}

/// Who asks: the user behind sudo, or the user.
fn who() -> String {
    let name = |key: &str| std::env::var(key).ok().filter(|name| !name.is_empty());
    name("SUDO_USER")
        .or_else(|| name("USER"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
