//! `scan`: one look at the host, and what was found.

use std::io::{self, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::cli::{Color, ScanArgs};
use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::scan::{FORMAT, PolicyNote, Report, markdown, page};
use super::super::screen::{Output, choice};
use super::super::tone::Tone;
use super::files::policy_files;
use crate::app::{self, Config, Look, PolicyError, Progress, Trust, Watch};
use gdprport_core::inventory::Inventory;
use gdprport_core::policy::{ActivePolicy, DnsNames, Severity};

/// How long a look takes before its progress is shown: nobody reads what is gone at once.
const QUIET: Duration = Duration::from_secs(1);

/// How often what is shown of the progress is drawn again.
const REDRAW: Duration = Duration::from_millis(100);

pub(super) fn run(args: &ScanArgs, json: bool, color: Color, out: &mut Output) -> anyhow::Result<Exit> {
    let (inventory, policy) = look(args, false, color)?;
    let report = Report { format: FORMAT, host: app::host_name(), policy, inventory };
    if json {
        out.value(&report)?;
    } else if args.markdown {
        out.text(&markdown(&report))?;
    } else {
        let screen = out.screen();
        out.text(&page(&report, &screen))?;
    }
    Ok(Exit::Fine)
}

/// Looks at the host or watches it, compares it with the policy if there is one, and shows how far it has come if that takes
/// long. `every_peer`: a look lists every address of every peer.
pub(super) fn look(
    args: &ScanArgs,
    every_peer: bool,
    color: Color,
) -> anyhow::Result<(Inventory, Option<PolicyNote>)> {
    let warn = |text: &str| warning(color, text);
    let (policy, note) = policy(args, &warn)?;
    let trust = if args.any_owner { Trust::Anyone } else { Trust::RootOnly };
    let config = Config::load(Config::PLACE.as_ref(), trust).unwrap_or_else(|error| {
        warn(&format!("sizes and the places of containers are the usual ones: {error}"));
        Config::default()
    });
    let progress = Progress::default();
    let look = Look { policy: policy.as_ref(), containers: &config.containers, progress: &progress };
    let inventory = shown(&progress, args.watch, || match args.watch {
        Some(period) => app::watch(&Watch { look, config: &config, period }),
        None if every_peer => app::look_at_all(&look),
        None => app::look(&look),
    })?;
    Ok((inventory, note))
}

/// Works on a thread of its own, and shows how far it has come if it takes long and somebody watches.
pub(super) fn shown<E: Into<anyhow::Error> + Send>(
    progress: &Progress,
    period: Option<Duration>,
    work: impl FnOnce() -> Result<Inventory, E> + Send,
) -> anyhow::Result<Inventory> {
    std::thread::scope(|scope| {
        let (to, found) = channel();
        scope.spawn(move || to.send(work()).is_ok());
        let found_within = |wait| match found.recv_timeout(wait) {
            Ok(found) => Some(found.map_err(Into::into)),
            Err(RecvTimeoutError::Timeout) => None,
            // It has panicked, and the scope says so.
            Err(RecvTimeoutError::Disconnected) => panic!("the look at the host has ended without a result"),
        };
        if let Some(found) = found_within(QUIET) {
            return found;
        }
        // It draws nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {msg}") {
            bar.set_style(style);
        }
        loop {
            let (done, of, text) = match (progress.remaining(), period) {
                (Some(left), Some(period)) => {
                    let done = period.saturating_sub(left);
                    let text =
                        format!("watching connections, {} s left; Ctrl-C ends it now", left.as_secs() + 1);
                    (done.as_millis() as u64, period.as_millis() as u64, text)
                }
                _ => {
                    let (step, done) = progress.now();
                    (done.min(Progress::STEPS), Progress::STEPS, step.text().to_owned())
                }
            };
            bar.set_length(of);
            bar.set_position(done);
            bar.set_message(text);
            bar.tick();
            if let Some(found) = found_within(REDRAW) {
                bar.finish_and_clear();
                return found;
            }
        }
    })
}

/// The policy to compare with, if there is one. One of the host that cannot be used is a warning: it is what the daemon
/// refuses too, and the host can be looked at without it.
///
/// # Errors
/// If a file that was named cannot be used: without it the look is not what was asked for.
fn policy(
    args: &ScanArgs,
    warn: &dyn Fn(&str),
) -> Result<(Option<ActivePolicy>, Option<PolicyNote>), PolicyError> {
    // What another user writes is a draft; what root compares is what the daemon would take.
    let root = rustix::process::geteuid().is_root();
    let trust = if root && !args.any_owner { Trust::RootOnly } else { Trust::Anyone };
    match policy_files(args.policy.clone()).check(trust) {
        Ok(loaded) if loaded.files.is_empty() => Ok((None, None)),
        Ok(loaded) => {
            let note = PolicyNote { digest: loaded.policy.digest().to_owned(), files: loaded.files };
            Ok((Some(ActivePolicy::new(loaded.policy, DnsNames::default())), Some(note)))
        }
        Err(error) if !args.policy.is_empty() => Err(error),
        Err(error) => {
            warn(&format!("nothing is compared with the policy: {}", reason(&error)));
            Ok((None, None))
        }
    }
}

/// Why a policy cannot be used, in one sentence.
fn reason(error: &PolicyError) -> String {
    let PolicyError::Problems(problems) = error else { return error.to_string() };
    let errors = problems.list.iter().filter(|problem| problem.severity == Severity::Error);
    let count = errors.clone().count() + problems.omitted;
    let first = errors.clone().next().map_or_else(String::new, |first| {
        format!(", the first in {} line {}: {}", first.source, first.line, first.message)
    });
    format!("it has {}{first}; `gdprport policy check` shows all", counted(count as u64, "error"))
}

pub(super) fn warning(color: Color, text: &str) {
    let mut stderr = anstream::AutoStream::new(io::stderr().lock(), choice(color, &io::stderr()));
    let _ = writeln!(stderr, "gdprport: {} {}", Tone::Warn.paint("warning:"), clean(text));
}
