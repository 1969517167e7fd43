//! The first steps of a run: opening the sinks, numbering processes, the first events, and the backlog of the daemon before.

use std::path::Path;
use std::sync::Arc;

use gdprport_core::event::{
    Agent, Body, Bound, DaemonInfo, DaemonStart, Gap, Hook, Host, PreviousDaemon, Stamper,
};
use gdprport_core::privacy::Privacy;
use jiff::Timestamp;
use uuid::Uuid;

use super::coverage::{Coverage, reason};
use super::drain::wait_for_sinks;
use super::monitor::{Monitor, Publisher};
use super::options::{RunError, RunOptions};
use super::reader::{BATCH, Reader};
use super::session::Session;
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::configured;
use crate::host::probes::{PinsOutcome, PreviousPins, Probes};
use crate::sink::evidence::{EvidenceHandle, Outlet, ThisRun};
use crate::sink::{Fanout, JOURNALD_SOCKET, Sink, SinkError};

/// Gives every process that is there an exec id, so that children forked from now on inherit it. Those that the kernel
/// side knows keep theirs.
pub(super) fn number_processes(monitor: &mut Monitor<Probes>) {
    let evidence = &mut monitor.evidence;
    if evidence
        .kernel
        .hooks()
        .iter()
        .any(|hook| hook.spec.program == "gp_sched_exec" && hook.missing.is_some())
    {
        evidence.resolver.set_execs_unseen();
    }
    match evidence.resolver.existing_processes() {
        Ok(processes) => {
            let mut failed = 0_u64;
            for process in processes {
                if evidence.kernel.task(process.tgid).is_none() {
                    let seeded = evidence.kernel.seed_task(process.tgid, process.identity, &process.exec);
                    failed += u64::from(seeded.is_err());
                }
            }
            if failed > 0 {
                tracing::warn!(failed, "existing processes are not known to the kernel side");
            }
        }
        Err(error) => tracing::warn!(%error, "existing processes cannot be read"),
    }
}

/// Sends who watches from now on and with what, before any record is read.
pub(super) fn announce_start(session: &Session, monitor: &mut Monitor<Probes>, now: Timestamp) {
    let probes = &monitor.evidence.kernel;
    let hooks = probes.hooks().iter().map(|hook| Hook {
        name: hook.spec.name.into(),
        attached: hook.missing.is_none(),
        missing: hook.missing.clone(),
    });
    let body = Body::DaemonStart(Box::new(DaemonStart {
        daemon: DaemonInfo {
            pid: std::process::id(),
            kernel: session.host.kernel.as_str().into(),
            hooks: hooks.collect(),
            previous: probes.previous_pins().map(|previous| introduce(previous, monitor)),
        },
        policy: monitor.publisher.policy(),
    }));
    monitor.publisher.send(body, now);
}

/// Reports what may be missing since the daemon before.
pub(super) fn report_previous(coverage: &mut Coverage, monitor: &mut Monitor<Probes>, now: Timestamp) {
    let gaps = monitor
        .evidence
        .kernel
        .previous_pins()
        .map(|previous| gaps_since(previous, monitor, now))
        .unwrap_or_default();
    if !gaps.is_empty() {
        coverage.report_previous(gaps, monitor, now);
    }
}

fn introduce(previous: &PreviousPins, monitor: &Monitor<Probes>) -> PreviousDaemon {
    let refused = match &previous.outcome {
        PinsOutcome::Adopted(_) => None,
        PinsOutcome::Discarded(why) => Some(why.to_string()),
    };
    let away_ms = boottime_ns().saturating_sub(previous.checkpoint_ns) / 1_000_000;
    match &refused {
        None => tracing::info!(away_ms, "adopted what the daemon before had pinned"),
        Some(why) => {
            tracing::warn!(away_ms, why, "started fresh: what the daemon before had pinned cannot be used");
        }
    }
    PreviousDaemon {
        version: (!previous.version.is_empty()).then(|| previous.version.as_str().into()),
        noted: monitor.publisher.clock().timestamp(previous.checkpoint_ns),
        adopted: refused.is_none(),
        refused,
    }
}

/// What may be missing between the daemon before and this one. What did not fit into the ring buffer is not among it:
/// the kernel side has counted that, and the gaps of `coverage` have it.
fn gaps_since(previous: &PreviousPins, monitor: &Monitor<Probes>, now: Timestamp) -> Vec<Gap> {
    let from = monitor.publisher.clock().timestamp(previous.checkpoint_ns);
    let gap = |lost, bound, reason: String| Gap {
        from,
        to: now,
        lost,
        bound: Some(bound),
        summed: None,
        reason: reason.into(),
    };
    match &previous.outcome {
        PinsOutcome::Discarded(why) => {
            vec![gap(0, Bound::AtLeast, format!("{}:{}", reason::NOT_ADOPTED, why.id()))]
        }
        PinsOutcome::Adopted(adopted) => {
            let unwritten = monitor.evidence.kernel.max_unwritten();
            let unwritten =
                (unwritten > 0).then(|| gap(unwritten, Bound::AtMost, reason::UNWRITTEN.to_owned()));
            let away = adopted
                .detached
                .iter()
                .map(|hook| gap(0, Bound::AtLeast, format!("{}:{hook}", reason::AWAY)));
            unwritten.into_iter().chain(away).collect()
        }
    }
}

/// Applies all that was recorded while no daemon read. Nothing settles before it is complete, or a connection whose
/// acceptor is recorded a batch later would be reported without; and no sink is given more than it has room for.
pub(super) async fn read_backlog(monitor: &mut Monitor<Probes>, reader: &mut Reader) {
    if monitor.evidence.kernel.previous_pins().is_none() {
        return;
    }
    // What is more than a ring holds came meanwhile.
    for _ in 0..=monitor.evidence.kernel.max_unread() / BATCH {
        if reader.read(monitor) < BATCH {
            break;
        }
        monitor.publisher.deliver();
        wait_for_sinks(&monitor.publisher).await;
    }
    let now_ns = boottime_ns();
    monitor.settle(now_ns, now_ns, monitor.now());
}

/// The way of events to the sinks that are asked for.
///
/// # Errors
/// If one cannot be opened.
pub(super) fn publisher(
    options: &mut RunOptions,
    host: &HostId,
    clock: BootClock,
    memory: Option<u64>,
    privacy: Option<Arc<Privacy>>,
) -> Result<Publisher, RunError> {
    let capacity = options.config.queue(memory);
    let mut sinks = Vec::new();
    if let Some(format) = options.stdout.take() {
        sinks.push(Sink::stdout(capacity, format)?);
    }
    if let Some(file) = &options.file {
        let path = file.clone();
        // Its file system may hang. Once it is open, only the sink's own thread waits for that.
        let opened = configured::within(configured::START_WITHIN, move || Sink::file(&path, capacity));
        let late = |late: configured::Late| SinkError::Open { path: file.clone(), source: late.into() };
        sinks.push(opened.map_err(late)??);
    }
    if let Some(render) = options.journald.take() {
        sinks.push(Sink::journald(Path::new(JOURNALD_SOCKET), capacity, render)?);
    }
    let mut spool = None;
    if let Some(settings) = options.spool.take() {
        let path = settings.dir.clone();
        let opened = configured::within(configured::START_WITHIN, move || Sink::spool(settings, capacity));
        spool = Some(sinks.len());
        sinks.push(opened.map_err(|late| SinkError::Open { path, source: late.into() })??);
    }
    let run = Uuid::now_v7();
    let origin = Host { name: host.name.as_str().into(), boot_id: host.boot_id.as_str().into() };
    let applied = privacy.as_ref().map(|privacy| privacy.applied());
    let agent = Agent { version: env!("CARGO_PKG_VERSION").into(), run, privacy: applied };
    let stamper = Stamper::new(origin, agent);
    let handle = options.evidence.as_ref().map(|_| EvidenceHandle::default());
    if let Some((settings, handle)) = options.evidence.take().zip(handle.clone()) {
        let path = settings.dir.clone();
        let boot = host.boot_id.parse().unwrap_or(Uuid::nil());
        let this = ThisRun { run, boot, host: host.name.clone() };
        let spool = spool.and_then(|at: usize| sinks.get(at));
        let outlet = spool.map(|spool| Outlet::new(spool, stamper.of_run(Uuid::now_v7())));
        let opened = configured::within(configured::START_WITHIN, move || {
            Sink::evidence(settings, this, (handle, outlet), capacity)
        });
        sinks.push(opened.map_err(|late| SinkError::Open { path, source: late.into() })??);
    }
    Ok(Publisher::new(Fanout::new(sinks), stamper, clock).with_privacy(privacy).with_evidence(handle))
}
