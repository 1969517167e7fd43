//! The deliverer's life: start, reload, end.
//!
//! One thread and a small pool for files. Nothing here waits for a receiver: each sink has a task of its own (`worker`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gdprport_core::delivery::{Delivery, Sink, Start};
use gdprport_core::event::Host;
use gdprport_core::figures::counted;
use jiff::Timestamp;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::board::{Board, Known, Row};
use super::config::{self, ConfigError};
use super::cursor::{self, CursorFile, Found, Place};
use super::receiver::transport;
use super::routes;
use super::secret::seal;
use super::standing::Standing;
use super::worker::Worker;
use crate::control::DELIVER_SOCKET;
use crate::control::api::{ConfigStanding, SinkTotals};
use crate::control::server::scrapes::{self, ListenError};
use crate::control::server::{BindError, Options, Server};
use crate::host::clock::HostId;
use crate::host::lock::{Lock, LockError, flock};
use crate::host::notify;
use crate::sink::spool::SpoolSettings;

/// Where cursors are, unless it is said otherwise.
const STATE: &str = "/var/lib/gdprport-deliver";

/// Threads that read the spool, write cursors and ask the resolver for names; one that is not needed ends. A lookup without an
/// answer keeps its thread until the resolver's own timeouts are over, half a minute and more: with few threads, the names of
/// some sinks would hold up all of them. The unit's `TasksMax=` is above it.
const THREADS: usize = 64;

/// How long an end may take: a disk that hangs does not hold it up.
const END_WITHIN: Duration = Duration::from_secs(8);

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
    let done = runtime.block_on(async { Deliverer::start(options)?.go().await });
    // A thread that hangs in a file system is left behind.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// A sink that runs.
struct Running {
    row: Row,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Deliverer {
    options: DeliverOptions,
    cursors: PathBuf,
    spool: PathBuf,
    running: Vec<Running>,
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
    fn start(options: &DeliverOptions) -> Result<Self, DeliverError> {
        let delivery = config::load(&options.config, options.any_owner)?;
        let host = this_host()?;
        let settings = &delivery.settings;
        let state = options.state.clone().or_else(|| settings.state.clone()).unwrap_or_else(|| STATE.into());
        let of_state = |source| DeliverError::State { path: state.clone(), source };
        let lock = lock(&state)?;
        let cursors = cursor::directory(&state).map_err(of_state)?;
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
        };
        let mut deliverer = Self {
            options: options.clone(),
            cursors,
            spool: known.spool.clone(),
            running: Vec::new(),
            board: Board::new(Timestamp::now(), host, known),
            server: Some(server),
            _lock: lock,
        };
        if delivery.spool.enabled == Some(false) && !delivery.sinks.is_empty() {
            tracing::warn!("[spool] is switched off in the configuration: nothing new will be delivered");
        }
        deliverer.take_over(delivery, Vec::new());
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
        // What the spool holds is found out once, so that the first status does not wait for it.
        let board = self.board.clone();
        spawn_blocking(move || board.status(Timestamp::now()));
        let period = notify::watchdog_period().map(|period| period / ALIVE_PARTS);
        let mut alive = tokio::time::interval(period.unwrap_or(Duration::from_secs(3_600)));
        notify::ready(&self.said());
        tracing::info!("{}", self.said());
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
        let all = std::mem::take(&mut self.running);
        if timeout(END_WITHIN, stop_all(all)).await.is_err() {
            tracing::warn!(
                "a disk does not answer: some cursors were not written, and events may come twice"
            );
        }
        let _ = stop.send(true);
        if let Some(serving) = serving {
            let _ = serving.await;
        }
        tracing::info!("stopped");
        Ok(())
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
        stop_all(ending).await;
        self.spool = spool_of(&delivery);
        self.take_over(delivery, kept);
        tracing::info!("the configuration was read again: {}", self.said());
    }

    /// Keeps what is running.
    fn refuse(&self, why: &str) {
        for line in why.lines() {
            tracing::error!("{line}");
        }
        tracing::error!("the configuration was refused; the sinks go on as they were");
        self.board.known().config.refused = Some(why.to_owned());
    }

    /// Starts what does not run yet, and puts all on the board in the order of the file.
    fn take_over(&mut self, delivery: Delivery, mut kept: Vec<Running>) {
        let Delivery { sinks, mut faulty, .. } = delivery;
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
                None => self.begin(sink),
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
    }

    /// Begins with a sink: at its cursor, or where it says.
    fn begin(&self, sink: Sink) -> Running {
        let cursor = CursorFile::new(&self.cursors, &sink);
        let beginning = Beginning::of(cursor.find(), sink.start);
        let Beginning { place, totals, seek_end, said } = beginning;
        tracing::info!(sink = %sink.name, kind = %sink.target.kind(), place = %sink.target.place(), "begins {said}");
        let standing = Standing::new(&sink.name, said, place, totals);
        let row = Row { sink: sink.clone(), standing: standing.clone(), problems: None };
        let worker = Worker {
            sink,
            standing,
            cursor: Arc::new(Mutex::new(cursor)),
            spool: self.spool.clone(),
            host: self.board.host().clone(),
        };
        let (stop, stopping) = watch::channel(false);
        Running { row, stop, task: tokio::spawn(worker.run_always(transport, seek_end, stopping)) }
    }
}

/// Asks sinks to stop and waits until they have.
async fn stop_all(sinks: Vec<Running>) {
    for running in &sinks {
        let _ = running.stop.send(true);
    }
    for running in sinks {
        let _ = running.task.await;
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

/// Where a sink begins, and why there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) place: Place,
    pub(super) totals: SinkTotals,
    /// The place is behind the newest record, wherever that is.
    pub(super) seek_end: bool,
    /// It completes "begins …".
    pub(super) said: String,
}

impl Beginning {
    pub(super) fn of(found: Found, start: Start) -> Self {
        let why = match found {
            Found::Cursor(place, totals) => {
                let index = place
                    .index
                    .map_or_else(|| "the oldest event".to_owned(), |index| format!("event {index}"));
                let said = format!("at {index}, where it was");
                return Self { place, totals, seek_end: false, said };
            }
            Found::None => "it is new".to_owned(),
            Found::OfAnother => "its receiver is another one now".to_owned(),
            Found::Unusable(why) => {
                // It was somewhere in the spool, and what lies behind that place must not be skipped.
                return Self::new(Start::Oldest, &format!("its cursor cannot be used: {why}"));
            }
        };
        Self::new(start, &why)
    }

    fn new(start: Start, why: &str) -> Self {
        let at = match start {
            Start::Oldest => "with the oldest event of the spool",
            Start::Now => "with what comes from now on",
        };
        Self {
            place: Place::default(),
            totals: SinkTotals::since(Timestamp::now()),
            seek_end: start == Start::Now,
            said: format!("{at}: {why}"),
        }
    }
}
