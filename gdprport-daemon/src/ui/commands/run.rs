//! `daemon run`: from arguments and configuration to a running daemon.

use std::io::{self, IsTerminal, Write as _};
use std::num::NonZeroU16;
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use jiff::tz::TimeZone;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::super::cli::{Color, EventsTarget, RunArgs};
use super::super::exit::Exit;
use super::super::lines::LineRenderer;
use super::super::problems;
use super::super::scan::First;
use super::super::screen::{choice, columns};
use super::files::policy_files;
use crate::app::{
    self, Brake, Config, FirstLookTo, Format, PolicyError, PolicyFiles, Render, RunError, RunOptions, Trust,
};

/// Runs the daemon in the foreground until a signal stops it.
pub(super) fn daemon(args: RunArgs, socket: PathBuf, color: Color) -> anyhow::Result<Exit> {
    log_to_stderr();
    let trust = if args.any_owner { Trust::Anyone } else { Trust::RootOnly };
    let config = Config::load(&args.config, trust)?;
    let policy = if args.no_policy { PolicyFiles::Catalog } else { policy_files(args.policy) };
    let spool = config.spool(args.spool.as_deref());
    let has_place = config.file.is_some() || config.journald || args.journald || spool.is_some();
    let (to_stdout, file) = match args.events {
        Some(EventsTarget::Stdout) => (Some(Format::Native), config.file.clone()),
        Some(EventsTarget::File(file)) => (lines_if_terminal(color), Some(file)),
        None if io::stdout().is_terminal() => (lines_if_terminal(color), config.file.clone()),
        // Without a terminal and without a place in the configuration, the events go where the output goes.
        None if !has_place => (Some(Format::Native), None),
        None => (None, config.file.clone()),
    };
    let journald = (args.journald || config.journald).then(|| render(false, None));
    let ledger = if args.no_ledger { None } else { config.ledger.settings(args.ledger.as_deref()) };
    let evidence = config.evidence.settings(args.evidence.as_deref(), args.keep_evidence);
    let pins = args.pin;
    let stdout = to_stdout;
    let first_look = Some(first_look(args.no_policy, color));
    let options = RunOptions {
        policy,
        trust,
        config,
        brake: Brake::beside(&args.config),
        socket,
        stdout,
        file,
        journald,
        ledger,
        spool,
        evidence,
        pins,
        first_look,
    };
    match app::run(options) {
        Ok(()) => Ok(Exit::Fine),
        Err(RunError::Policy(PolicyError::Problems(found))) => {
            let mut stderr = AutoStream::new(io::stderr().lock(), choice(color, &io::stderr()));
            for problem in problems::errors_last(&found.list) {
                writeln!(stderr, "{}", problems::show(problem))?;
            }
            if found.omitted > 0 {
                writeln!(stderr, "and {} more", found.omitted)?;
            }
            writeln!(stderr, "gdprport: the policy is invalid; nothing was started")?;
            Ok(Exit::Invalid)
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows what is on a host without a policy: as a screen to a person, as a few lines in a log.
fn first_look(no_policy: bool, color: Color) -> FirstLookTo {
    Box::new(move |look| {
        let first = First { look: &look, host: &app::host_name(), no_policy };
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return first.lines().iter().for_each(|line| tracing::info!("{line}"));
        }
        let width = columns(&stderr);
        let mut stderr = AutoStream::new(stderr.lock(), choice(color, &stderr));
        // Nobody may be there to read it.
        let _ = stderr.write_all(first.screen(width).as_bytes());
    })
}

fn lines_if_terminal(color: Color) -> Option<Format> {
    let stdout = io::stdout();
    stdout.is_terminal().then(|| {
        let color = choice(color, &stdout) != ColorChoice::Never;
        let columns = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col);
        Format::Human(render(color, columns.and_then(NonZeroU16::new)))
    })
}

fn render(color: bool, width: Option<NonZeroU16>) -> Render {
    let lines = LineRenderer::new(color, width, TimeZone::system());
    Box::new(move |event, out| lines.render(event, out))
}

/// What is logged unless `GDPRPORT_LOG` says otherwise.
const LOG: &str = "info";

/// Clients of the network, which are never logged, whatever `GDPRPORT_LOG` says: they write what was sent and what came back as it
/// is, and so secrets that a receiver repeats. What comes of it is in the deliverer's own lines.
const SILENT: [&str; 9] = [
    "async_nats",
    "rskafka",
    "reqwest",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "nkeys",
    "rustls",
    "tokio_rustls",
];

fn is_silent(target: &str) -> bool {
    SILENT.contains(&target.split("::").next().unwrap_or(target))
}

/// The daemon's log, not its events: to standard error, from level `info` or as `GDPRPORT_LOG` sets.
pub(super) fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("GDPRPORT_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    let terminal = io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(terminal);
    // What collects the output of a service adds the time.
    let loud = filter_fn(|metadata| !is_silent(metadata.target()));
    let outcome = if terminal {
        subscriber.finish().with(loud).try_init()
    } else {
        subscriber.without_time().finish().with(loud).try_init()
    };
    outcome.expect("no other subscriber was set");
}
