//! Watching for a while: the sensor's programs beside those of a daemon, without pins, policy or sinks.
//!
//! Belongs here: the loop of a scan. What flows amount to is added up by the monitor (`core::inventory::Seen`), and added to
//! a look at the end.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use gdprport_core::catalog::{self, Service};
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::flow::Table;
use gdprport_core::inventory::{Inventory, Seen, Unread};
use gdprport_core::policy::{ActivePolicy, catalog_and};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::look::{Look, ScanError, look};
use super::progress::Step;
use crate::app::config::Config;
use crate::app::monitor::{Evidence, Input, Monitor, Publisher};
use crate::app::reader::{BATCH, Reader};
use crate::app::reconcile::{Finding, Progress as Listed, Reconciler};
use crate::app::reload::watch_ports;
use crate::app::signals::{SignalAction, Signals};
use crate::app::startup::number_processes;
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::memory;
use crate::host::netns;
use crate::host::probes::{self, Probes};
use crate::host::process::{Resolver, Roots};
use crate::sink::Fanout;

/// How often the loop looks whether it is to end, at least.
const PULSE: Duration = Duration::from_millis(100);

/// How to watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch<'a> {
    /// The look at the end.
    pub(crate) look: Look<'a>,
    /// Sizes of what is loaded.
    pub(crate) config: &'a Config,
    /// For how long.
    pub(crate) period: Duration,
}

/// Loads the sensor's programs, watches every port that something listens on, the catalog's and the policy's, and looks at the
/// host then. SIGINT ends it early, with what it has.
///
/// # Errors
/// If the programs cannot be loaded, or there is nothing to see at all.
pub(crate) fn watch(how: &Watch<'_>) -> Result<Inventory, ScanError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ScanError::System)?;
    let before = look(&how.look)?;
    let mut ports: BTreeMap<u16, Option<&'static Service>> = BTreeMap::new();
    for port in how.look.policy.into_iter().flat_map(ActivePolicy::watched) {
        ports.insert(port.number, port.protocol.as_deref().and_then(catalog::by_id));
    }
    for listening in &before.listeners {
        let service = ports.entry(listening.port).or_default();
        *service = service.or_else(|| catalog::by_id(listening.service.id.as_deref()?));
    }
    let Watched { from, seen, namespaces, lost } = runtime.block_on(watched(how, &ports))?;
    let mut inventory = look(&how.look)?;
    inventory.from = Some(from);
    let lost = lost + seen.lost();
    let netns_of = |cookie| namespaces.get(&cookie).copied();
    inventory.add_seen(seen, netns_of, how.look.policy, netns::own_inode().unwrap_or(0));
    if lost > 0 {
        inventory.unread.push(Unread {
            what: "records".into(),
            count: lost,
            why: "the kernel side or the table of flows had no room: connections may be missing; watch for a shorter time"
                .into(),
        });
    }
    Ok(inventory)
}

/// What was seen.
struct Watched {
    /// Since when.
    from: Timestamp,
    seen: Seen,
    /// Inode numbers of network namespaces by cookie.
    namespaces: HashMap<u64, u64>,
    /// Records that were lost.
    lost: u64,
}

async fn watched(
    how: &Watch<'_>,
    ports: &BTreeMap<u16, Option<&'static Service>>,
) -> Result<Watched, ScanError> {
    how.look.progress.begin(Step::Loading);
    let signals = Signals::listen().map_err(ScanError::System)?;
    let host = HostId::read().map_err(ScanError::Proc)?;
    let roots = Roots::discover().map_err(ScanError::Proc)?;
    probes::check(&host.kernel, roots.cgroups.cgroup2.as_deref())?;
    let clock = BootClock::measure();
    let (probes, ring) = Probes::load(how.config.sizes(), &host.kernel, roots.cgroups.cgroup2.clone(), None)?;
    let mut resolver = Resolver::new(&roots, clock).map_err(ScanError::Proc)?;
    resolver.look_up_containers(how.look.containers, &how.config.labels);
    let origin = Host { name: host.name.as_str().into(), boot_id: host.boot_id.as_str().into() };
    // Nothing is sent to anybody.
    let agent = Agent { version: env!("CARGO_PKG_VERSION").into(), run: uuid::Uuid::nil(), privacy: None };
    let publisher = Publisher::new(Fanout::new(Vec::new()), Stamper::new(origin, agent), clock);
    let table = Table::new(how.config.flow_limits(memory::limit()));
    let policy = catalog_and(ports.iter().map(|(port, service)| (*port, *service)));
    let mut monitor = Monitor::new(table, policy, Evidence::new(resolver, probes), publisher);
    monitor.seen = Some(Seen::default());
    watch_ports(&mut monitor.evidence.kernel, monitor.active_policy.policy())?;
    number_processes(&mut monitor);
    let (before, from) = (lost(&monitor), Timestamp::now());
    follow(how, &mut monitor, Reader::new(ring), signals).await;
    let mut namespaces = HashMap::new();
    let cookie = || netns::current_cookie().or_else(|| monitor.evidence.kernel.netns_cookie());
    let _ = netns::visit(Path::new("/proc"), cookie, |ns, cookie| {
        namespaces.extend(cookie.map(|cookie| (cookie, ns.inode())));
    });
    let lost = lost(&monitor).saturating_sub(before);
    Ok(Watched { from, seen: monitor.seen.take().unwrap_or_default(), namespaces, lost })
}

/// What was counted in a group is no connection that can be shown.
fn lost(monitor: &Monitor<Probes>) -> u64 {
    let counters = monitor.evidence.kernel.counters();
    counters
        .map_or(0, |counters| counters.hooks.iter().map(|hook| hook.dropped_ring_full + hook.grouped).sum())
}

/// The loop: records, what is found on the host, names, until the time is over or it is enough.
async fn follow(how: &Watch<'_>, monitor: &mut Monitor<Probes>, mut reader: Reader, mut signals: Signals) {
    let (to, mut findings) = mpsc::channel::<Finding>(2);
    let mut reconciler = Reconciler::new(to);
    reconciler.begin_listing(monitor);
    reconciler.start_listing(monitor);
    how.look.progress.watch_until(Instant::now() + how.period);
    let end = Instant::now() + how.period;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while Instant::now() < end {
        let full = reader.read_and_settle(monitor) == BATCH;
        let listed = reconciler.step(monitor, monitor.now());
        let busy = full || listed != Listed::Done;
        tokio::select! {
            biased;
            // Ctrl-C ends it early, with what it has.
            action = signals.next() => if let SignalAction::End(_) = action { break },
            Some(finding) = findings.recv() => {
                reader.read_all(monitor);
                reconciler.apply(finding, monitor, monitor.now());
            }
            _ = second.tick() => {
                monitor.evidence.resolver.tick();
                monitor.evidence.kernel.relay_log();
                monitor.apply(Input::Names, monitor.now());
                reconciler.resync(monitor);
            }
            () = tokio::task::yield_now(), if busy => {}
            _ = reader.wait(), if !busy => {}
            // Flows settle within milliseconds, and whoever waits for the end sees it come.
            () = tokio::time::sleep(PULSE) => {}
        }
    }
    reader.read_all(monitor);
    let now_ns = boottime_ns();
    monitor.settle(u64::MAX, now_ns, monitor.now());
}
