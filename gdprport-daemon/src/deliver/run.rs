//! The deliverer's life: start, reload, end.
//!
//! One thread and a small pool for files. Nothing here waits for a receiver: each sink has a task of its own (`worker`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::delivery::{Delivery, Sink};
use gdprport_core::event::Host;
use gdprport_core::figures::counted;
use jiff::Timestamp;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::beginning::Beginning;
use super::board::{Board, Known, Row};
use super::config;
use super::cursor::{CursorFile, is_same};
use super::files::directory;
use super::receiver::transport;
use super::routes;
use super::running::{Running, stop_all};
use super::secret::seal;
use super::stamps::{Stamper, Stamping};
use super::standing::Standing;
use super::worker::Worker;
use crate::control::DELIVER_SOCKET;
use crate::control::api::ConfigStanding;
use crate::control::server::scrapes::{self, ListenError};
use crate::control::server::{BindError, Options, Server};
use crate::host::clock::HostId;
use crate::host::configuration::ConfigError;
use crate::host::lock::{Lock, LockError, flock};
use crate::host::notify;
use crate::sink::spool::SpoolSettings;

/// Threads that read the spool, write cursors and ask the resolver for names; one that is not needed ends. A lookup without an
/// answer keeps its thread until the resolver's own timeouts are over, half a minute and more: with few threads, the names of
/// some sinks would hold up all of them. The unit's `TasksMax=` is above it.
const THREADS: usize = 64;

/// How long an end may take: a disk that hangs does not hold it up.
const END_WITHIN: Duration = Duration::from_secs(8);

/// How long those that are changed may take to stop, more than a worker's own grace, and how long cursors may take to be read.
const CHANGE_WITHIN: Duration = Duration::from_secs(5);

/// How often all of the spool is looked at: what lies before each sink is in its cursor, so that a loss of the whole spool has a
/// number.
const LOOKED_EVERY: Duration = Duration::from_secs(30);

/// How often the service manager is told that the loop turns, if it asks.
const ALIVE_PARTS: u32 = 3;

/// What the command line says; what it does not say is the configuration's.
#[derive(Debug, Clone)]
pub(crate) struct DeliverOptions {
    pub(crate) config: PathBuf,
    pub(crate) state: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) any_owner: bool,
}

/// Why the deliverer does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket cannot be taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address of the metrics cannot be taken.
    #[error(transparent)]
    Metrics(#[from] ListenError),
    /// Cursors cannot be kept.
    #[error(
        "cannot keep cursors in {}: {source}: create the directory for the deliverer's user or name another with --state",
        path.display()
    )]
    State { path: PathBuf, source: io::Error },
    /// Another one uses the same cursors.
    #[error(
        "another deliverer{} keeps its cursors in {}: stop it, or name another directory with --state",
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), path.display()
    )]
    Taken { path: PathBuf, pid: Option<u32> },
    /// Locks cannot be used.
    #[error("{0}")]
    Lock(String),
    /// The system refused.
    #[error("the deliverer cannot run: {0}")]
    Io(#[from] io::Error),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// [`DeliverError`]; only at the start.
pub(crate) fn run(options: &DeliverOptions) -> Result<(), DeliverError> {
    seal();
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(THREADS).build()?;
    let done = runtime.block_on(async { Deliverer::start(options).await?.go().await });
    // A thread that hangs in a file system is left behind.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

struct Deliverer {
    options: DeliverOptions,
    state: PathBuf,
    cursors: PathBuf,
    spool: PathBuf,
    running: Vec<Running>,
    stamping: Option<Stamping>,
    board: Board,
    server: Option<Server>,
    _lock: Lock,
}

/// This host, for events that the deliverer makes.
///
/// # Errors
/// If `/proc` is not mounted.
pub(crate) fn this_host() -> io::Result<Host> {
    let HostId { name, boot_id, .. } = HostId::read()?;
    Ok(Host { name: name.into(), boot_id: boot_id.into() })
}

/// Where the spool is that a configuration means.
fn spool_of(delivery: &Delivery) -> PathBuf {
    delivery.spool.path.clone().unwrap_or_else(|| SpoolSettings::DIR.into())
}

impl Deliverer {
    async fn start(options: &DeliverOptions) -> Result<Self, DeliverError> {
        let delivery = config::load(&options.config, options.any_owner)?;
        let host = this_host()?;
        let settings = &delivery.settings;
        let state = options.state.clone().unwrap_or_else(|| settings.state());
        let of_state = |source| DeliverError::State { path: state.clone(), source };
        let lock = lock(&state)?;
        let cursors = directory(&state, "cursors").map_err(of_state)?;
        let socket = options.socket.clone().or_else(|| settings.socket.clone());
        let socket = socket.unwrap_or_else(|| DELIVER_SOCKET.into());
        let life = crate::control::limits::TEST_WITHIN + Duration::from_secs(20);
        let server = Server::bind_as_it_is(&socket, Options { life, ..Options::default() })?
            .with_metrics(scrapes::listen(settings.metrics, "`metrics` of [deliver]")?);
        let known = Known {
            config: ConfigStanding {
                path: options.config.display().to_string(),
                read: Timestamp::now(),
                refused: None,
            },
            spool: spool_of(&delivery),
            rows: Vec::new(),
            faulty: Vec::new(),
            stamps: None,
        };
        let mut deliverer = Self {
            options: options.clone(),
            state,
            cursors,
            spool: known.spool.clone(),
            running: Vec::new(),
            stamping: None,
            board: Board::new(Timestamp::now(), host, known),
            server: Some(server),
            _lock: lock,
        };
        if delivery.spool.enabled == Some(false) && !delivery.sinks.is_empty() {
            tracing::warn!("[spool] is switched off in the configuration: nothing new will be delivered");
        }
        deliverer.take_over(delivery, Vec::new(), Vec::new()).await;
        Ok(deliverer)
    }

    async fn go(mut self) -> Result<(), DeliverError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (stop, mut stopping) = watch::channel(false);
        let scrapes = routes::scrapes(self.board.clone());
        let routes = routes::router(self.board.clone(), scrapes.clone());
        let scrapes = scrapes::alone(scrapes);
        let serving = self.server.take().map(|server| {
            tokio::spawn(async move {
                let stopped = async {
                    let _ = stopping.wait_for(|stop| *stop).await;
                };
                server.serve_routes(routes, scrapes, stopped).await
            })
        });
        let board = self.board.clone();
        let looking = tokio::spawn(async move {
            let mut due = tokio::time::interval(LOOKED_EVERY);
            loop {
                due.tick().await;
                board.look(Timestamp::now()).await;
            }
        });
        let period = notify::watchdog_period().map(|period| period / ALIVE_PARTS);
        let mut alive = tokio::time::interval(period.unwrap_or(Duration::from_secs(3_600)));
        notify::ready(&self.said());
        self.log("");
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    self.reload().await;
                    notify::ready(&self.said());
                }
                _ = alive.tick() => {
                    if period.is_some() {
                        notify::alive();
                    }
                }
            }
        }
        notify::stopping();
        looking.abort();
        stop_all(&mut self.running, END_WITHIN).await;
        let _ = stop.send(true);
        if let Some(serving) = serving {
            let _ = serving.await;
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Logs what it does now. Without a sink it goes on, as a reload may bring one.
    fn log(&self, after: &str) {
        if self.running.is_empty() && self.board.known().faulty.is_empty() {
            tracing::warn!(
                "{after}nothing is delivered, as {} has no [[sink]]: add one (`gdprport help sinks`), then send SIGHUP \
                 (`systemctl reload gdprport-deliver`)",
                self.options.config.display()
            );
        } else {
            tracing::info!("{after}{}", self.said());
        }
    }

    fn said(&self) -> String {
        let faulty = self.board.known().faulty.len();
        let sinks = counted(self.running.len() as u64, "sink");
        match faulty {
            0 => format!("delivering to {sinks} from {}", self.spool.display()),
            n => format!("delivering to {sinks} from {}; {n} left out", self.spool.display()),
        }
    }

    /// Reads the configuration again. Sinks that are the same go on; one that cannot be read changes nothing.
    async fn reload(&mut self) {
        let (path, any_owner) = (self.options.config.clone(), self.options.any_owner);
        let read = spawn_blocking(move || config::load(&path, any_owner)).await;
        let delivery = match read {
            Ok(Ok(delivery)) => delivery,
            Ok(Err(error)) => return self.refuse(&error.to_string()),
            Err(panic) => return self.refuse(&panic.to_string()),
        };
        let elsewhere = spool_of(&delivery) != self.spool;
        let (mut kept, mut ending) = (Vec::new(), Vec::new());
        for running in std::mem::take(&mut self.running) {
            let name = &running.row.sink.name;
            let same = delivery.sinks.contains(&running.row.sink);
            // With mistakes in what it is to be it goes on as it was: nothing of it is lost meanwhile. Where the name is
            // there twice, the first one has it.
            let replaced = delivery.sinks.iter().any(|sink| sink.name == *name);
            let faulty = delivery.faulty.iter().any(|sink| sink.name.as_ref() == Some(name));
            if !elsewhere && (same || (faulty && !replaced)) {
                kept.push(running);
            } else {
                tracing::info!(sink = %name, "it stops: its configuration has changed, or it is not there any more");
                ending.push(running);
            }
        }
        stop_all(&mut ending, CHANGE_WITHIN).await;
        self.spool = spool_of(&delivery);
        self.take_over(delivery, kept, ending).await;
        self.log("the configuration was read again: ");
    }

    /// Keeps what is running.
    fn refuse(&self, why: &str) {
        for line in why.lines() {
            tracing::error!("{line}");
        }
        tracing::error!("the configuration was refused; the sinks go on as they were");
        self.board.known().config.refused = Some(why.to_owned());
    }

    /// Starts what does not run yet, and puts all on the board in the order of the file. `ended`: sinks that were stopped for it.
    async fn take_over(&mut self, delivery: Delivery, mut kept: Vec<Running>, ended: Vec<Running>) {
        let until = Instant::now() + CHANGE_WITHIN;
        let Delivery { sinks, mut faulty, settings, .. } = delivery;
        let (spool, state) = (self.spool.clone(), self.state.clone());
        let stamper = settings.timestamps.map(|settings| Stamper { settings, spool, state });
        if self.stamping.as_ref().map(|stamping| &stamping.stamper) != stamper.as_ref() {
            self.stamping = stamper.map(Stamper::begin);
        }
        for sink in &faulty {
            let name = sink.name.as_deref().unwrap_or("without a name");
            tracing::error!("the sink {name} is left out:");
            let problems = sink.problems.to_string();
            for line in problems.lines().filter(|line| !line.is_empty()) {
                tracing::error!("{line}");
            }
        }
        for sink in sinks {
            let running = match kept.iter().position(|running| running.row.sink == sink) {
                Some(place) => {
                    let mut running = kept.swap_remove(place);
                    running.row.problems = None;
                    running
                }
                None => self.begin(sink, &ended, until).await,
            };
            self.running.push(running);
        }
        for mut running in kept {
            let name = Some(&running.row.sink.name);
            let found = faulty.iter().position(|sink| sink.name.as_ref() == name);
            running.row.problems = found.map(|place| faulty.remove(place).problems.to_string());
            self.running.push(running);
        }
        let mut known = self.board.known();
        known.config.read = Timestamp::now();
        known.config.refused = None;
        known.spool.clone_from(&self.spool);
        known.rows = self.running.iter().map(|running| running.row.clone()).collect();
        known.faulty = faulty;
        known.stamps = self.stamping.as_ref().map(|stamping| stamping.known.clone());
    }

    /// Begins with a sink: where it was a moment ago, at its cursor, or where it says. `until`: how long cursors may take.
    async fn begin(&self, sink: Sink, ended: &[Running], until: Instant) -> Running {
        let file = CursorFile::new(&self.cursors, &sink);
        // Its cursor may not be written yet, and whatever writes it must not come between.
        let before = ended.iter().find(|before| is_same(&before.row.sink, &sink));
        let (cursor, beginning) = match before {
            Some(before) => {
                (Arc::clone(&before.cursor), Beginning::again(before.row.standing.facts().kept()))
            }
            None => {
                let (cursor, found) = file.find_until(until).await;
                (cursor, Beginning::of(found, sink.start))
            }
        };
        let Beginning { kept, seek_end, said } = beginning;
        tracing::info!(sink = %sink.name, kind = %sink.target.kind(), place = %sink.target.place(), "begins {said}");
        let standing = Standing::new(&sink.name, said, kept);
        if let Some(before) = before {
            standing.facts().goes_on(&before.row.standing.facts());
        }
        let row = Row { sink: sink.clone(), standing: standing.clone(), problems: None };
        let worker = Worker {
            sink,
            standing,
            cursor: Arc::clone(&cursor),
            spool: self.spool.clone(),
            host: self.board.host().clone(),
        };
        let (stop, stopping) = watch::channel(false);
        Running { row, cursor, stop, task: tokio::spawn(worker.run_always(transport, seek_end, stopping)) }
    }
}

/// Only one deliverer may use a state directory.
fn lock(state: &Path) -> Result<Lock, DeliverError> {
    Lock::take(&state.join("deliver.lock"), 0o600, "deliver.state", flock).map_err(|error| match error {
        LockError::Held(pid) => DeliverError::Taken { path: state.to_owned(), pid },
        LockError::Unavailable(why) => DeliverError::Lock(format!(
            "{why}: create {} for the deliverer's user or name another directory with --state",
            state.display()
        )),
    })
}
