//! The daemon's one loop: from the first check to the last event.
//!
//! Order of the start, so that nothing is missed and nothing half-done: the policy is read and the control
//! socket taken before anything touches the kernel; hooks are attached before existing processes are
//! numbered, and ports are watched before existing sockets are listed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gdprport_common::Counters;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::before::{Before, start_known};
use super::config::Config;
use super::daemon::{Daemon, Parts};
use super::files::{PolicyError, PolicyFiles};
use super::publish::Publisher;
use super::signals::{Signals, Stop, Told};
use super::snapshot::{Adoption, Survey, start_whole};
use super::start::take_backlog;
use super::{doctor, notify};
use crate::control::api::ReloadReply;
use crate::control::handle::{Inbox, Request, channel};
use crate::control::server::{BindError, Options, Server};
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::memory;
use crate::host::probes::{self, LoadError, PinDirectory, Probes, Ring};
use crate::host::process::{Resolver, Roots};
use crate::sink::{Fanout, Format, JOURNALD_SOCKET, Render, Sink, SinkError};
use gdprport_core::event::{Agent, Body, DaemonEnd, DaemonStop, Host, Stamper};
use gdprport_core::flow::Table;
use gdprport_core::policy::Names;

/// Records taken in before the loop looks at anything else: some milliseconds of work.
pub(super) const BATCH: usize = 1_024;

/// How often flows from before, and those whose update is due, are asked about.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How long sinks that lag behind are left to themselves before the next portion of a listing.
const SINKS_PAUSE: Duration = Duration::from_millis(1);

/// How long the sinks may take to write what is queued when the daemon ends.
const DRAIN: Duration = Duration::from_secs(5);

/// How the daemon is to run.
pub struct RunOptions {
    /// Where the policy is.
    pub policy: PolicyFiles,
    /// Sizes and intervals.
    pub config: Config,
    /// The control socket.
    pub socket: PathBuf,
    /// What to write to standard output, if anything.
    pub stdout: Option<Format>,
    /// A file for JSON lines.
    pub file: Option<PathBuf>,
    /// The message of a journal entry, if the journal is wanted.
    pub journald: Option<Render>,
    /// A directory on a bpffs in which the kernel side outlives the daemon.
    pub pins: Option<PathBuf>,
}

/// Why the daemon did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The control socket cannot be taken.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The kernel programs cannot run.
    #[error("{}", with_remedy(.0))]
    Kernel(#[from] LoadError),
    /// A sink cannot be opened.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// `/proc` is not as it should be.
    #[error("cannot read /proc: {0}; mount it (`mount -t proc proc /proc`)")]
    Proc(std::io::Error),
    /// The process lacks something every process has.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}

fn with_remedy(error: &LoadError) -> String {
    match error {
        // It says itself what to do.
        LoadError::Pins(_) => error.to_string(),
        _ => format!("{error}: {}", error.remedy().unwrap_or("`gdprport doctor` shows what works here")),
    }
}

/// Runs the daemon until SIGTERM or SIGINT. With pins, SIGTERM leaves the hooks to the next daemon; SIGINT, which
/// a person sends, leaves nothing.
///
/// # Errors
/// Why it could not start; once it runs it does not fail, it reports.
pub fn run(mut options: RunOptions) -> Result<(), RunError> {
    memory::give_back_large_blocks();
    let loaded = options.policy.load()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    let host = HostId::read().map_err(RunError::Proc)?;
    let roots = Roots::discover().map_err(RunError::Proc)?;
    // Whoever lacks privileges is told of those, not of the directory that they cannot make.
    probes::check(&host.kernel, roots.cgroups.cgroup2.as_deref())?;
    let server = Server::bind(&options.socket, Options::default())?;
    let pins = options.pins.as_deref().map(PinDirectory::take).transpose().map_err(LoadError::from)?;
    runtime.block_on(async {
        // Before anything that takes long: a log that is rotated meanwhile must not kill the daemon.
        let signals = Signals::listen().map_err(RunError::System)?;
        let clock = BootClock::measure();
        let (probes, ring) =
            Probes::load(options.config.sizes(), &host.kernel, roots.cgroups.cgroup2.clone(), pins)?;
        let resolver = Resolver::new(&roots, clock).map_err(RunError::Proc)?;
        let memory = memory::limit();
        let capacity = options.config.queue(memory);
        let publisher = publisher(&mut options, &host, capacity)?;
        let (names_to, names) = mpsc::channel(1);
        let config = &options.config;
        let mut daemon = Daemon::new(Parts {
            host,
            clock,
            probes,
            resolver,
            table: Table::new(config.flow_limits(memory)),
            publisher,
            files: options.policy.clone(),
            loaded,
            names_period: config.intervals.names,
            names_to,
            coverage_period: config.intervals.coverage,
        })?;
        daemon.number_processes();
        Box::pin(serve(daemon, ring, server, names, signals)).await
    })
}

fn publisher(options: &mut RunOptions, host: &HostId, capacity: NonZeroUsize) -> Result<Publisher, RunError> {
    let mut sinks = Vec::new();
    if let Some(format) = options.stdout.take() {
        sinks.push(Sink::stdout(capacity, format)?);
    }
    if let Some(file) = &options.file {
        sinks.push(Sink::file(file, capacity)?);
    }
    if let Some(render) = options.journald.take() {
        sinks.push(Sink::journald(std::path::Path::new(JOURNALD_SOCKET), capacity, render)?);
    }
    let origin = Host { name: host.name.as_str().into(), boot_id: host.boot_id.as_str().into() };
    let agent = Agent { version: env!("CARGO_PKG_VERSION").into(), run: Uuid::now_v7() };
    Ok(Publisher::new(Fanout::new(sinks), Stamper::new(origin, agent)))
}

async fn serve(
    mut daemon: Daemon,
    mut ring: Ring,
    server: Server,
    mut names: mpsc::Receiver<Names>,
    mut signals: Signals,
) -> Result<(), RunError> {
    let (handle, mut inbox) = channel();
    let (stop_control, stopped) = oneshot::channel::<()>();
    // A thread of its own: a long list of flows must not hold up the reading of records.
    let control = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(server.serve(handle, async {
                let _ = stopped.await;
            }))
        })
        .map_err(RunError::System)?;
    let (surveys_to, mut surveys) = mpsc::channel::<Survey>(2);
    let mut before = Before::new(surveys_to.clone());
    daemon.announce_start();
    daemon.begin_survey();
    take_backlog(&mut daemon, &mut ring).await;
    start_whole(daemon.port_set(), surveys_to.clone());
    daemon.probes.leave(true);
    notify::ready(&daemon.watching());

    let mut every_second = interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking = interval(ASK_EVERY);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ask_under_way = false;
    let watchdog = notify::watchdog_period();

    let ended_by = loop {
        let full = take_records(&mut daemon, &mut ring) == BATCH;
        let adoption = daemon.adopt_some(&mut before);
        let settle_at = daemon.next_settle().map(Instant::from_std);
        tokio::select! {
            biased;
            told = signals.next() => match told {
                Told::End(stop) => break stop,
                Told::Reload => {
                    daemon.reopen();
                    let now = daemon.now();
                    if let Err(error) = daemon.reload(now) {
                        tracing::error!("the policy was not applied, the old one stays in force\n{error}");
                    }
                }
                Told::Reopen => daemon.reopen(),
            },
            request = inbox.recv() => if let Some(request) = request { answer(&mut daemon, request, &inbox) },
            resolved = names.recv() => if let Some(resolved) = resolved {
                let now = daemon.now();
                daemon.names_resolved(resolved, now);
            },
            survey = surveys.recv() => if let Some(survey) = survey {
                ask_under_way &= !matches!(survey, Survey::Known(_));
                // What the list shows is compared with the table, so every record from before it counts.
                while take_records(&mut daemon, &mut ring) > 0 {}
                let now = daemon.now();
                daemon.survey(survey, &mut before, now);
            },
            _ = every_second.tick() => {
                let now = daemon.now();
                daemon.housekeeping(now);
                if daemon.wants_survey() {
                    daemon.begin_survey();
                    start_whole(daemon.port_set(), surveys_to.clone());
                }
                if watchdog.is_some() {
                    notify::alive();
                }
            }
            _ = asking.tick() => if !ask_under_way
                && let Some(asked) = daemon.take_questions(&mut before, boottime_ns())
            {
                ask_under_way = true;
                start_known(asked, surveys_to.clone());
            },
            () = async { match settle_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            } } => {}
            // The next portion of a listing comes when the runtime has heard everyone else, or the sinks have had time.
            () = tokio::task::yield_now(), if adoption == Adoption::More && !full => {}
            () = tokio::time::sleep(SINKS_PAUSE), if adoption == Adoption::Waiting && !full => {}
            waited = async { if full { Ok(()) } else { ring.wait().await } }, if adoption == Adoption::Done || full
                => if let Err(error) = waited {
                tracing::error!(%error, "the ring buffer cannot be waited for; it is polled");
                tokio::time::sleep(Duration::from_millis(10)).await;
            },
        }
    };
    notify::stopping();
    Box::pin(end(daemon, ring, ended_by)).await;
    let _ = stop_control.send(());
    let _ = tokio::task::spawn_blocking(move || control.join()).await;
    Ok(())
}

/// Takes in what is in the ring, at most a batch; says how much it was.
fn take_records(daemon: &mut Daemon, ring: &mut Ring) -> usize {
    let now = daemon.now();
    let taken = ring.drain(BATCH, |record| daemon.record(record, now));
    daemon.settle_after_reading(taken == BATCH);
    daemon.publisher.deliver();
    taken
}

fn answer(daemon: &mut Daemon, request: Request, inbox: &Inbox) {
    // A client that no longer waits is no error.
    match request {
        Request::Status(reply) => {
            let _ = reply.send(daemon.status(inbox.counters()));
        }
        Request::Flows(query, reply) => {
            let _ = reply.send(daemon.flows(&query));
        }
        Request::Follow(follower, reply) => {
            daemon.follow(follower);
            let _ = reply.send(());
        }
        Request::Reload(reply) => {
            let now = daemon.now();
            let outcome = daemon.reload(now);
            let policy = &daemon.in_force.policy;
            // Those of a policy that stays in force are no news, and would seem to be about the refused one.
            let warnings: Vec<String> = match outcome {
                Ok(()) => policy.warnings().iter().map(ToString::to_string).collect(),
                Err(_) => Vec::new(),
            };
            let _ = reply.send(ReloadReply {
                applied: outcome.is_ok(),
                digest: policy.digest().to_owned(),
                problems: outcome.err().map(|error| error.to_string()).unwrap_or_default(),
                warnings: warnings.join("\n\n"),
            });
        }
        Request::Doctor(reply) => {
            let _ = reply.send(doctor::examine(Some(daemon.probes.hooks())));
        }
    }
}

/// Waits until the sinks have written what is queued, so that the last events, which tell what was lost, are
/// not lost themselves; a sink that is stuck is not waited for longer than [`DRAIN`].
pub(super) async fn make_room(daemon: &Daemon) {
    let until = Instant::now() + DRAIN;
    let queued = || daemon.publisher.fanout().stats().iter().any(|sink| sink.counts.queued > 0);
    while queued() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Detaches the hooks, unless they are kept for the next daemon, takes in what is left, and says farewell.
async fn end(mut daemon: Daemon, mut ring: Ring, stop: Stop) {
    let kept = daemon.probes.pins().is_some() && stop == Stop::Terminated;
    if !kept {
        daemon.unwatch();
    }
    // Hooks that go on are counted before the ring is read: what comes later is the next daemon's.
    let told = if kept { daemon.kernel_counters() } else { None };
    while take_records(&mut daemon, &mut ring) > 0 {}
    daemon.settle(u64::MAX);
    daemon.publisher.deliver();
    make_room(&daemon).await;
    let told = told.or_else(|| daemon.kernel_counters());
    let now = daemon.now();
    daemon.finish(stop.signal(), kept, told.as_ref(), now);
    let (fanout, mut probes) = daemon.into_outputs();
    drop(ring);
    probes.leave(kept);
    let probes = if kept {
        Some(probes)
    } else {
        drop(probes);
        None
    };
    let books = tokio::task::spawn_blocking(move || fanout.shutdown(DRAIN)).await.unwrap_or_default();
    let mut all_written = true;
    for sink in books {
        let lost: u64 = sink.counts.dropped.values().sum();
        if lost > 0 {
            tracing::warn!(sink = %sink.counts.name, lost, "events were not written");
            all_written = false;
        }
    }
    if all_written
        && let (Some(mut probes), Some(told)) = (probes, told)
        && let Some(position) = probes.position()
        && let Err(error) = probes.note(&told, boottime_ns(), position)
    {
        tracing::warn!(%error, "nothing was noted for the next daemon");
    }
}

impl Daemon {
    /// What is watched, in one line.
    fn watching(&self) -> String {
        let policy = &self.in_force.policy;
        let declared = policy.watched().filter(|port| port.declared).count();
        format!("watching {} ports, {declared} of them declared", policy.watched().count())
    }

    /// When settling is next due, on the clock that the runtime sleeps by.
    fn next_settle(&self) -> Option<std::time::Instant> {
        let wait = self.table.next_settle()?.saturating_sub(boottime_ns());
        // At least a millisecond: the runtime's clock has no finer grain.
        Some(std::time::Instant::now() + Duration::from_nanos(wait).max(Duration::from_millis(1)))
    }

    fn reopen(&self) {
        self.publisher.fanout().reopen();
    }

    fn follow(&mut self, follower: crate::control::handle::Follower) {
        self.publisher.follow(follower);
    }

    fn unwatch(&mut self) {
        if let Err(error) = self.probes.watch([]) {
            tracing::warn!(%error, "the kernel side was not told to stop");
        }
    }

    fn finish(&mut self, reason: &str, kept: bool, told: Option<&Counters>, now: jiff::Timestamp) {
        self.publisher.flush(now);
        self.look_for_losses(told, now);
        self.send_coverage(Vec::new(), told, now);
        let uptime_ms = boottime_ns().saturating_sub(self.started_ns) / 1_000_000;
        let daemon = DaemonEnd { pid: std::process::id(), reason: reason.to_owned(), uptime_ms, kept };
        self.publisher.send(Body::DaemonStop(Box::new(DaemonStop { daemon })), now);
    }

    fn into_outputs(self) -> (Fanout, Probes) {
        (self.publisher.into_fanout(), self.probes)
    }
}
