//! The daemon's one loop: from the first check to the last event.
//!
//! Order of the start, so that nothing is missed and nothing half-done: the policy is read and the control
//! socket taken before anything touches the kernel; hooks are attached before existing processes are
//! numbered, and ports are watched before existing sockets are listed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::flow::Table;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::control_thread::ControlThread;
use super::coverage::Coverage;
use super::doctor;
use super::enforcer::{self, Enforcer};
use super::first_look;
use super::grouping::Groupings;
use super::inputs::{Input, Inputs, every, sleep_until};
use super::keeper::Keeper;
use super::monitor::{self, Evidence, Monitor};
use super::names_thread;
use super::options::{RunError, RunOptions};
use super::overload::Overloads;
use super::policy::Resolver as DnsResolver;
use super::privacy;
use super::reader::{BATCH, Reader};
use super::reconcile::{Progress, Reconciler};
use super::recorder::Recorder;
use super::reload::{Loader, PolicyState, Read, apply_names, host_names, watch_ports};
use super::session::Session;
use super::shutdown::shut_down;
use super::signals::{SignalAction, Signals, Stop};
use super::startup;
use super::status::Sources;
use super::translations::Translations;
use crate::control::api::EnforcementStatus;
use crate::control::handle::{Request, channel};
use crate::control::server::{Options, Server, scrapes};
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::configured;
use crate::host::confine;
use crate::host::containers::Places;
use crate::host::ending::Endings;
use crate::host::memory;
use crate::host::notify;
use crate::host::probes::{self, LoadError, PinDirectory, Probes, Sizes};
use crate::host::process::{Resolver, Roots};
use crate::ledger::Ledger;

/// How often flows that predate the daemon, and those whose update is due, are polled.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// How long sinks that lag behind are left to themselves before the next portion of a listing.
const SINKS_PAUSE: Duration = Duration::from_millis(1);

/// How often the ring buffer is read while the start waits for the first tables.
const TABLES_PAUSE: Duration = Duration::from_millis(10);

/// Runs the daemon until SIGTERM or SIGINT. With pins, SIGTERM leaves the hooks to the next daemon; SIGINT, which
/// a person sends, leaves nothing.
///
/// # Errors
/// Why it could not start; once it runs it does not fail, it reports.
pub(crate) fn run(mut options: RunOptions) -> Result<(), RunError> {
    memory::return_large_blocks();
    confine::begin(options.config.sandbox);
    let loaded = options.policy.load(options.trust, configured::START_WITHIN)?;
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let privacy = privacy::load(&options.config.privacy, options.trust, credentials.as_deref())?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().thread_name("looker").build().map_err(RunError::System)?;
    let host = HostId::read().map_err(RunError::Proc)?;
    let roots = Roots::discover().map_err(RunError::Proc)?;
    // Missing privileges are reported before a directory that cannot be made without them.
    probes::check(&host.kernel, roots.cgroups.cgroup2.as_deref())?;
    let server = Server::bind(&options.socket, Options::default())?;
    let server = server.with_metrics(scrapes::listen(options.config.metrics, "`listen` of [metrics]")?);
    // Before anything is attached: a daemon that may not write its ledger changes nothing.
    let ledger = options.ledger.take().map(Ledger::open).transpose()?;
    let pins = options.pins.as_deref().map(PinDirectory::take).transpose().map_err(LoadError::from)?;
    runtime.block_on(async {
        // Before anything that takes long: a log that is rotated meanwhile must not kill the daemon.
        let signals = Signals::listen().map_err(RunError::System)?;
        let clock = BootClock::measure();
        let active = Arc::clone(&loaded.policy);
        let sizes = Sizes { enforce: enforcer::room(&active), ..options.config.sizes() };
        let (probes, ring) = Probes::load(sizes, &host.kernel, roots.cgroups.cgroup2.clone(), pins)?;
        let memory = memory::limit();
        let publisher = startup::publisher(&mut options, &host, clock, memory, privacy)?;
        // Before anything is started that looks at processes, or listens to clients.
        confine::settle(|| probes.counters().is_ok());
        let mut resolver = Resolver::new(&roots, clock).map_err(RunError::Proc)?;
        resolver.look_up_containers(&options.config.containers, &options.config.labels);
        let named = resolver.container_names_come();
        let started_ns = boottime_ns();
        let session = Session { host, started: clock.timestamp(started_ns), started_ns };
        let table = Table::new(options.config.flow_limits(memory));
        let (dns_to, dns) = mpsc::channel(1);
        let names = host_names(&active);
        let first_look = options.first_look.take().filter(|_| loaded.files.is_empty());
        let asking = names_thread::start().map_err(RunError::System)?;
        let dns_resolver = DnsResolver::start(&asking, names, options.config.intervals.names, dns_to);
        let policy = PolicyState::new(loaded.clone(), dns_resolver, session.started);
        // One that was read, and one that is to be tried, may wait until the tables of the one before are written.
        let (loads_to, loads) = mpsc::channel(2);
        let (ended_to, ended) = mpsc::channel(16);
        let endings = Endings::start(move |done| ended_to.blocking_send(done).is_ok());
        let mut monitor = Monitor::new(table, active, Evidence::new(resolver, probes), publisher);
        monitor.end_by(endings.map_err(RunError::System)?);
        watch_ports(&mut monitor.evidence.kernel, monitor.active_policy.policy())?;
        let coverage = Coverage::new(&monitor, session.started, options.config.intervals.coverage);
        startup::number_processes(&mut monitor);
        let (tables_to, tables) = mpsc::channel(1);
        let written_by = monitor.evidence.kernel.enforce().tables().expect("nobody has taken them");
        let sinks = options.config.own_sinks().clone();
        let mut enforcer = Enforcer::new(options.brake, sinks, written_by, tables_to);
        enforcer.begin(&mut monitor);
        let limits = options.config.tally_limits(memory);
        let keeper = Keeper::begin(ledger, limits, loaded.sources, &session, &mut monitor);
        let overloads = Overloads::new(&mut monitor.evidence.kernel);
        let (handle, inbox) = channel();
        let control = ControlThread::start(server, handle, &options.socket)?;
        let (findings_to, findings) = mpsc::channel(2);
        let (answers_to, translations) = mpsc::channel(16);
        let (recorder, recorded) = Recorder::new();
        let mut daemon = Daemon {
            session,
            monitor,
            reader: Reader::new(ring),
            coverage,
            policy,
            loader: Loader::new(options.policy, options.trust, loads_to),
            reconciler: Reconciler::new(findings_to),
            translations: Translations::start(answers_to),
            inputs: Inputs {
                signals,
                inbox,
                dns,
                loads,
                tables,
                findings,
                named,
                translations,
                ended,
                recorded,
                every_second: every(Duration::from_secs(1)),
                poll: every(POLL_EVERY),
            },
            keeper,
            overloads,
            recorder,
            groupings: Groupings::default(),
            enforcer,
            coming: None,
            containers: options.config.containers,
            watchdog: notify::watchdog_period().is_some(),
        };
        if let Some(to) = first_look {
            let ports = daemon.monitor.active_policy.policy().watched().count();
            first_look::begin(daemon.containers.clone(), ports, to);
        }
        let stop = Box::pin(daemon.serve()).await;
        notify::stopping();
        let Daemon { session, monitor, reader, coverage, keeper, overloads, enforcer, .. } = daemon;
        drop(enforcer);
        Box::pin(shut_down(&session, monitor, reader, coverage, (keeper, overloads), stop)).await;
        control.stop().await;
        Ok(())
    })
}

pub(super) struct Daemon {
    pub(super) session: Session,
    pub(super) monitor: Monitor<Probes>,
    pub(super) reader: Reader,
    pub(super) coverage: Coverage,
    pub(super) policy: PolicyState,
    pub(super) loader: Loader,
    pub(super) reconciler: Reconciler,
    translations: Translations,
    inputs: Inputs,
    pub(super) keeper: Keeper,
    pub(super) overloads: Overloads,
    recorder: Recorder,
    groupings: Groupings,
    pub(super) enforcer: Enforcer,
    /// A policy that is applied once its tables are written. Others wait until then.
    pub(super) coming: Option<Read>,
    /// Where containers are looked up.
    containers: Places,
    /// Whether the service manager expects keep-alive messages.
    watchdog: bool,
}

impl Daemon {
    /// Runs the loop until something ends it.
    async fn serve(&mut self) -> Stop {
        self.start().await;
        loop {
            let full = self.reader.read_and_settle(&mut self.monitor) == BATCH;
            self.enforcer.step(&mut self.monitor);
            self.group();
            let now = self.monitor.now();
            let progress = self.reconciler.step(&mut self.monitor, now);
            self.translations.ask(&mut self.monitor);
            let input = self.next_input(full, progress).await;
            if let Some(stop) = self.handle(input) {
                // What the ledger has stored is sent.
                while let Ok(recorded) = self.inputs.recorded.try_recv() {
                    recorded.publish(&mut self.monitor.publisher, now);
                }
                return stop;
            }
        }
    }

    async fn start(&mut self) {
        self.translations.ask(&mut self.monitor);
        let now = self.monitor.now();
        startup::announce_start(&self.session, &mut self.monitor, now);
        self.policy.announce(None, false, &mut self.monitor, now);
        startup::report_previous(&mut self.coverage, &mut self.monitor, now);
        self.reconciler.begin_listing(&mut self.monitor);
        startup::read_backlog(&mut self.monitor, &mut self.reader).await;
        self.reconciler.start_listing(&self.monitor);
        while self.enforcer.is_making() {
            self.reader.read_and_settle(&mut self.monitor);
            tokio::select! {
                Some(done) = self.inputs.tables.recv() => self.tables_done(done),
                () = tokio::time::sleep(TABLES_PAUSE) => {}
            }
        }
        self.monitor.evidence.kernel.keep_pins(true);
        confine::filter_calls();
        notify::ready(&self.watching());
    }

    /// Waits for the next input. `full`: there may be more records. `progress`: how far a listing is.
    async fn next_input(&mut self, full: bool, progress: Progress) -> Input {
        let settle_at = self.next_settle();
        let Self { inputs, reader, overloads, groupings, coming, .. } = self;
        tokio::select! {
            biased;
            action = inputs.signals.next() => Input::Signal(action),
            // Before another request: no answer is without room.
            Some(recorded) = inputs.recorded.recv() => Input::Recorded(recorded),
            Some(request) = inputs.inbox.recv() => Input::Request(request),
            Some(names) = inputs.dns.recv() => Input::Dns(names),
            Some(done) = inputs.tables.recv() => Input::Tables(Box::new(done)),
            Some(read) = inputs.loads.recv(), if coming.is_none() => Input::Loaded(Box::new(read)),
            Some(finding) = inputs.findings.recv() => Input::Found(finding),
            () = inputs.named.notified() => Input::Named,
            Some(brought) = overloads.brought() => Input::Counted(Box::new(brought)),
            Some(answers) = inputs.translations.recv() => Input::Translated(answers),
            Some(done) = inputs.ended.recv() => Input::Ended(done),
            _ = inputs.every_second.tick() => Input::Second,
            _ = inputs.poll.tick() => Input::Poll,
            // The next slice comes when the runtime has polled everything else.
            () = tokio::task::yield_now(), if overloads.is_judging() => Input::Judge,
            () = tokio::task::yield_now(), if groupings.is_busy() => Input::Work,
            () = sleep_until(settle_at) => Input::Work,
            // The next portion of a listing comes when the runtime has polled everything else, or the sinks have had time.
            () = tokio::task::yield_now(), if progress == Progress::More && !full => Input::Work,
            () = tokio::time::sleep(SINKS_PAUSE), if progress == Progress::Waiting && !full => Input::Work,
            // While there is more in the ring buffer it need not be waited for, but the runtime has to be asked: a branch that is
            // always ready would let it see neither time nor files, for as long as the ring buffer is full.
            () = tokio::task::yield_now(), if full => Input::Work,
            waited = reader.wait(), if progress == Progress::Done && !full => {
                if let Err(error) = waited {
                    tracing::error!(%error, "the ring buffer cannot be waited for; it is polled");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Input::Work
            }
        }
    }

    /// Handles one input; returns what ends the daemon.
    fn handle(&mut self, input: Input) -> Option<Stop> {
        match input {
            Input::Signal(SignalAction::End(stop)) => return Some(stop),
            Input::Signal(SignalAction::Reload) => {
                self.monitor.publisher.fanout().reopen();
                self.loader.request(None);
            }
            Input::Signal(SignalAction::Reopen) => self.monitor.publisher.fanout().reopen(),
            Input::Request(request) => self.reply(request),
            Input::Loaded(read) => self.loaded(*read),
            Input::Tables(done) => self.tables_done(*done),
            Input::Dns(names) => {
                let now = self.monitor.now();
                if apply_names(names, &mut self.monitor, now) {
                    self.enforcer.outdated();
                }
            }
            Input::Found(finding) => {
                // What was found is compared with the tables, so every record from before it counts.
                self.reader.read_all(&mut self.monitor);
                let now = self.monitor.now();
                self.reconciler.apply(finding, &mut self.monitor, now);
            }
            Input::Named => {
                let now = self.monitor.now();
                self.monitor.apply(monitor::Input::Names, now);
                self.enforcer.names_came(&mut self.monitor);
            }
            Input::Counted(brought) => {
                if self.overloads.begin(*brought, &mut self.monitor) {
                    self.reconciler.records_lost();
                }
            }
            Input::Judge => self.overloads.judge(&mut self.monitor),
            Input::Translated(answers) => self.translations.answered(answers, &mut self.monitor),
            Input::Ended(done) => {
                let now = self.monitor.now();
                self.monitor.apply(monitor::Input::Ended(done), now);
            }
            Input::Recorded(recorded) => {
                let now = self.monitor.now();
                recorded.publish(&mut self.monitor.publisher, now);
            }
            Input::Second => {
                self.end_trial();
                self.housekeeping();
                self.reconciler.resync(&mut self.monitor);
                if self.watchdog {
                    notify::alive();
                }
            }
            Input::Poll => {
                self.reconciler.poll(&mut self.monitor, boottime_ns());
                self.translations.retry();
            }
            Input::Work => {}
        }
        None
    }

    fn reply(&mut self, request: Request) {
        // A client that no longer waits is no error.
        match request {
            Request::Status(to) => {
                let _ = to.send(self.sources().status(self.inputs.inbox.counters()));
            }
            Request::Flows(query, to) => {
                let _ = to.send(self.sources().flows(&query));
            }
            Request::Groups(query, to) => self.groupings.request(query, to),
            Request::Explain(query, to) => {
                let _ = to.send(self.sources().explain(&query));
            }
            Request::Follow(follower, to) => {
                self.monitor.publisher.fanout_mut().follow(Box::new(follower));
                let _ = to.send(());
            }
            Request::Reload(to) => self.loader.request(Some(to)),
            Request::Policy(to) => {
                let _ = to.send(self.policy.text(self.loader.place()));
            }
            Request::Trial(order, to) => self.try_out(*order, to),
            Request::Revert(to) => self.revert(to),
            Request::Record(recording, to) => {
                self.recorder.request(*recording, to, &self.keeper, &self.monitor.publisher);
            }
            Request::Evidence(order, to) => self.monitor.publisher.order_evidence(*order, to),
            Request::Doctor(to) => doctor::Running {
                hooks: self.monitor.evidence.kernel.hooks().to_vec(),
                sinks: self.monitor.publisher.fanout().stats(),
                containers: self.containers.clone(),
                ledger: self.keeper.snapshot(),
                evidence: self.monitor.publisher.evidence_standing(),
                enforcement: self.enforcement(),
            }
            .reply(to),
        }
    }

    /// Looks at the next slice of flows for whoever waits for their sums.
    fn group(&mut self) {
        if self.groupings.is_busy() {
            let mut groupings = std::mem::take(&mut self.groupings);
            groupings.step(&self.sources());
            self.groupings = groupings;
        }
    }

    const fn sources(&self) -> Sources<'_> {
        let Self { session, monitor, coverage, policy, translations, keeper, enforcer, .. } = self;
        Sources { session, monitor, coverage, policy, translations, keeper, enforcer }
    }

    /// How connections are decided; `None`: the policy asks for nothing.
    fn enforcement(&self) -> Option<EnforcementStatus> {
        let counters = self.monitor.evidence.kernel.counters().unwrap_or_default();
        self.enforcer.status(&self.monitor, &counters)
    }

    /// What is watched, in one line.
    fn watching(&self) -> String {
        let policy = self.monitor.active_policy.policy();
        let declared = policy.watched().filter(|port| port.declared).count();
        format!("watching {} ports, {declared} of them declared", policy.watched().count())
    }

    /// When settling is next due, on the clock that the runtime sleeps by.
    fn next_settle(&self) -> Option<Instant> {
        let wait = self.monitor.flows.next_settle()?.saturating_sub(boottime_ns());
        // At least a millisecond: the runtime's clock has no finer grain.
        Some(Instant::now() + Duration::from_nanos(wait).max(Duration::from_millis(1)))
    }
}
