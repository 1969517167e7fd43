//! The last steps of a run: detaching, the last events, and the checkpoint for the next daemon.

use std::time::Instant;

use gdprport_common::Counters;
use gdprport_core::event::{Body, DaemonEnd, DaemonStop};

use super::coverage::{Coverage, Snapshot, write_checkpoint};
use super::drain::{DRAIN, wait_for_sinks};
use super::keeper::Keeper;
use super::monitor::Monitor;
use super::overload::Overloads;
use super::reader::Reader;
use super::session::Session;
use super::signals::Stop;
use crate::host::probes::Probes;
use crate::sink::SinkStats;

/// Detaches the hooks, unless they are kept for the next daemon, reads what is left, and sends the last events.
pub(super) async fn shut_down(
    session: &Session,
    mut monitor: Monitor<Probes>,
    mut reader: Reader,
    mut coverage: Coverage,
    (keeper, overloads): (Keeper, Overloads),
    stop: Stop,
) {
    let kept = monitor.evidence.kernel.pins().is_some() && stop == Stop::Terminated;
    if !kept && let Err(error) = monitor.evidence.kernel.watch([]) {
        tracing::warn!(%error, "the kernel side still watches ports");
    }
    // Hooks that go on are counted before the ring is read: what comes later is the next daemon's.
    let kernel_counters = |monitor: &Monitor<Probes>| monitor.evidence.kernel.counters().ok();
    let reported = if kept { kernel_counters(&monitor) } else { None };
    while reader.read_and_settle(&mut monitor) > 0 {}
    overloads.finish(kept, &mut monitor).await;
    monitor.settle(u64::MAX, u64::MAX, monitor.now());
    monitor.publisher.deliver();
    wait_for_sinks(&monitor.publisher).await;
    let reported = reported.or_else(|| kernel_counters(&monitor));
    finish(session, &mut monitor, &mut coverage, stop, kept, reported.as_ref());
    let (now, tally) = (monitor.now(), monitor.tally.take());
    let (publisher, mut probes) = monitor.into_outputs();
    let fanout = publisher.into_fanout();
    drop(reader);
    probes.keep_pins(kept);
    let probes = kept.then_some(probes);
    let deadline = Instant::now() + DRAIN;
    let sinks = tokio::task::spawn_blocking(move || fanout.shutdown(DRAIN));
    keeper.finish(tally, now, deadline).await;
    let sinks = sinks.await.unwrap_or_default();
    if everything_written(&sinks)
        && let (Some(mut probes), Some(reported)) = (probes, reported)
        && let Some(position) = probes.ring_position()
    {
        write_checkpoint(&mut probes, &reported, position);
    }
}

fn finish(
    session: &Session,
    monitor: &mut Monitor<Probes>,
    coverage: &mut Coverage,
    stop: Stop,
    kept: bool,
    reported: Option<&Counters>,
) {
    let now = monitor.now();
    monitor.send_sums(now);
    monitor.report_binds(true, now);
    monitor.publisher.flush(now);
    coverage.check(&Snapshot::of(monitor, reported.copied()), now);
    coverage.report(monitor, reported, now);
    monitor.publisher.send_lost(now, true);
    let daemon = DaemonEnd {
        pid: std::process::id(),
        reason: stop.signal().to_owned(),
        uptime_ms: session.uptime_ns() / 1_000_000,
        kept,
    };
    monitor.publisher.send(Body::DaemonStop(Box::new(DaemonStop { daemon })), now);
    let lost =
        reported.map_or(0, |kernel| kernel.hooks.iter().map(|hook| hook.dropped_ring_full).sum::<u64>());
    monitor.publisher.sum_up(session.uptime_ns() / 1_000_000, lost + monitor.counters.undecodable);
}

fn everything_written(sinks: &[SinkStats]) -> bool {
    let mut all = true;
    for sink in sinks {
        let lost: u64 = sink.counts.dropped.values().sum();
        if lost > 0 {
            tracing::warn!(sink = %sink.counts.name, lost, "events were not written");
            all = false;
        }
    }
    all
}
