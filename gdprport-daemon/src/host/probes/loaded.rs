//! The kernel side as the daemon holds it: its hooks, and the maps that it reads and writes.
//!
//! Without a [`PinDirectory`] nothing stays attached when [`Probes`] is dropped, nor when loading fails
//! half-way: every link belongs to the value. With one, everything stays for the next daemon until
//! [`Probes::keep_pins`] says otherwise.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf, SkStorage};
use gdprport_common::{Checkpoint, Counters, ExecRecord, PortFlags, SocketOwner, SocketRole, TaskIdentity};

use super::combine::combine;
use super::enforce::{self, EnforceMaps};
use super::error::{LoadError, map_error};
use super::load::{HookStatus, LoadSource, Sizes};
use super::log::KernelLog;
use super::overload::Collector;
use super::pins::PinDirectory;
use super::requirements::check;
use super::ring::Ring;
use super::ring_position::RingPosition;
use super::takeover::{self, HANDOVER, PinsOutcome, PreviousPins};
use crate::host::cgroup;
use crate::host::clock::boottime_ns;

/// `BPF_NOEXIST`: insert only what is not there.
const NOEXIST: u64 = 1;
/// The minimum that a record takes in the ring buffer: its header and the smallest kind, a flow's.
const RECORD_MIN: u64 = 8 + size_of::<gdprport_common::FlowRecord>() as u64;

/// Whether the kernel counts the runs of programs and their time (Documentation/admin-guide/sysctl/kernel.rst).
const STATS_ENABLED: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// What the kernel counted of a hook's program (`struct bpf_prog_info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HookRuns {
    pub count: u64,
    /// On all processors together.
    pub time: Duration,
}

/// The loaded kernel side.
pub(crate) struct Probes {
    /// Keeps programs and links alive.
    object: Ebpf,
    hooks: Vec<HookStatus>,
    ports: Array<MapData, u8>,
    pub(super) watched: Vec<u16>,
    /// Those of them that are decided, ascending.
    decided: Vec<u16>,
    enforce: EnforceMaps,
    ring_bytes: u32,
    ring_position: RingPosition,
    counters: PerCpuArray<MapData, Counters>,
    pub(super) tasks: HashMap<MapData, u32, TaskIdentity>,
    execs: HashMap<MapData, u64, ExecRecord>,
    pub(super) owners: SkStorage<MapData, SocketOwner>,
    log: KernelLog,
    /// Takes what is counted in groups; `None` once the loop has given it to a thread.
    collector: Option<Collector>,
    /// Occasions in groups that were collected and reported, by this daemon and those before.
    collected: u64,
    /// The counters that a previous daemon reported; they are not this one's.
    reported_before: Counters,
    previous: Option<PreviousPins>,
    pinned: Option<Pinned>,
    /// Where a part of the cgroup tree is mounted instead of its root; `None`: all is watched.
    part_of_cgroups: Option<PathBuf>,
}

/// State of a kernel side that outlives the daemon.
struct Pinned {
    directory: PinDirectory,
    hooks: usize,
    checkpoint: Array<MapData, Checkpoint>,
}

impl Probes {
    /// Checks the machine, loads the programs and attaches every hook that the kernel offers. No port is watched
    /// yet. Must be called inside a tokio runtime.
    ///
    /// With `pins`, the state of a previous daemon there is taken over if it fits, with the ports that it watched
    /// and the unread records; else it is removed, and what is loaded from scratch is pinned there.
    ///
    /// # Errors
    /// What is missing and how to fix it; then nothing that was attached by this call stays so.
    pub(crate) fn load(
        sizes: Sizes,
        release: &str,
        cgroup_root: Option<PathBuf>,
        mut pins: Option<PinDirectory>,
    ) -> Result<(Self, Ring), LoadError> {
        check(release, cgroup_root.as_deref())?;
        let cgroup_root = cgroup_root.ok_or(LoadError::NoCgroup2)?;
        let part_of_cgroups = cgroup::is_part(&cgroup_root).then(|| cgroup_root.clone());
        if let Some(at) = &part_of_cgroups {
            tracing::warn!(at = %at.display(), "only a part of the cgroup tree is mounted: nothing outside of it is watched");
        }
        let source = LoadSource::new(sizes, release, &cgroup_root)?;
        let mut side = takeover::begin(&source, pins.as_mut())?;
        let object = &mut side.object;
        let records = RingBuf::try_from(take(object, "EVENTS")?).map_err(|e| map_error("EVENTS", &e))?;
        let ring_position = RingPosition::of(&records)
            .map_err(|error| LoadError::Map { map: "EVENTS", reason: error.to_string() })?;
        let reader = Array::try_from(take(object, "READER")?).map_err(|e| map_error("READER", &e))?;
        let checkpoint = Array::try_from(take(object, HANDOVER)?).map_err(|e| map_error(HANDOVER, &e))?;
        let collected = match &side.previous {
            Some(PreviousPins { outcome: PinsOutcome::Adopted(adopted), .. }) => adopted.collected,
            _ => 0,
        };
        let mut probes = Self {
            collector: Some(Collector::new(object, collected)?),
            collected,
            ports: Array::try_from(take(object, "PORTS")?).map_err(|e| map_error("PORTS", &e))?,
            counters: PerCpuArray::try_from(take(object, "COUNTERS")?)
                .map_err(|e| map_error("COUNTERS", &e))?,
            tasks: HashMap::try_from(take(object, "TASKS")?).map_err(|e| map_error("TASKS", &e))?,
            execs: HashMap::try_from(take(object, "EXECS")?).map_err(|e| map_error("EXECS", &e))?,
            owners: SkStorage::try_from(take(object, "OWNERS")?).map_err(|e| map_error("OWNERS", &e))?,
            log: KernelLog::new(object)?,
            hooks: side.hooks,
            watched: Vec::new(),
            decided: Vec::new(),
            enforce: EnforceMaps::take(object)?,
            ring_bytes: sizes.ring_bytes,
            ring_position,
            reported_before: Counters::default(),
            previous: side.previous,
            pinned: pins.map(|directory| Pinned { directory, hooks: side.pinned_hooks, checkpoint }),
            object: side.object,
            part_of_cgroups,
        };
        probes.continue_previous()?;
        Ok((probes, Ring::new(records, reader)?))
    }

    /// Takes over the ports and the counters of the previous daemon, if there was one, and marks the pins as
    /// complete.
    fn continue_previous(&mut self) -> Result<(), LoadError> {
        let mut durable = 0;
        if let Some(PreviousPins { outcome: PinsOutcome::Adopted(adopted), .. }) = &self.previous {
            self.reported_before = adopted.counters;
            durable = adopted.durable_position;
            for (port, flags) in (0..=u16::MAX).zip(self.ports.iter()) {
                let flags = PortFlags(flags.map_err(|e| map_error("PORTS", &e))?);
                if flags.watched() {
                    self.watched.push(port);
                }
                if flags.decided() {
                    self.decided.push(port);
                }
            }
        }
        // Counters and position are still the previous daemon's: if this one ends before it has reported what it
        // found, the next one reports it.
        match &self.previous {
            Some(PreviousPins { checkpoint_ns, outcome: PinsOutcome::Adopted(_), .. }) => {
                self.write_checkpoint(&Counters::default(), *checkpoint_ns, durable)
            }
            _ => self.write_checkpoint(&Counters::default(), boottime_ns(), durable),
        }
    }

    /// Every hook of the catalog and whether it is in use.
    #[must_use]
    pub(crate) fn hooks(&self) -> &[HookStatus] {
        &self.hooks
    }

    /// Watches exactly these ports from now on. One that is decided stays so as long as it is watched.
    ///
    /// # Errors
    /// If the switch map cannot be written; the ports before the failure are switched.
    pub(crate) fn watch(&mut self, ports: impl IntoIterator<Item = u16>) -> Result<(), LoadError> {
        let wanted = ascending(ports);
        let decided =
            self.decided.iter().copied().filter(|port| wanted.binary_search(port).is_ok()).collect();
        self.switch(wanted, decided)
    }

    /// The ports that are decided, ascending.
    pub(crate) fn decided(&self) -> &[u16] {
        &self.decided
    }

    /// Decides connections of exactly these of the watched ports from now on, by what [`Self::enforce`] has in force.
    ///
    /// # Errors
    /// As for [`Self::watch`].
    pub(crate) fn decide(&mut self, ports: impl IntoIterator<Item = u16>) -> Result<(), LoadError> {
        let watched = self.watched.clone();
        let decided = ascending(ports.into_iter().filter(|port| watched.binary_search(port).is_ok()));
        self.switch(watched, decided)
    }

    fn switch(&mut self, watched: Vec<u16>, decided: Vec<u16>) -> Result<(), LoadError> {
        let flags = |watched: &[u16], decided: &[u16], port: &u16| {
            if watched.binary_search(port).is_err() {
                return PortFlags::default();
            }
            let flags = PortFlags::WATCHED.with(PortFlags::POSTURE);
            if decided.binary_search(port).is_ok() { flags.with(PortFlags::DECIDED) } else { flags }
        };
        for port in ascending(self.watched.iter().chain(&watched).copied()) {
            let wanted = flags(&watched, &decided, &port);
            if wanted != flags(&self.watched, &self.decided, &port) {
                self.ports.set(u32::from(port), wanted.0, 0).map_err(|e| map_error("PORTS", &e))?;
            }
        }
        (self.watched, self.decided) = (watched, decided);
        Ok(())
    }

    /// The tables by which connections are decided.
    #[must_use]
    pub(crate) const fn enforce(&mut self) -> &mut EnforceMaps {
        &mut self.enforce
    }

    /// The kernel side's counters, summed over all CPUs, minus what a previous daemon has reported.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub(crate) fn counters(&self) -> Result<Counters, LoadError> {
        let per_cpu = self.counters.get(&0, 0).map_err(|e| map_error("COUNTERS", &e))?;
        let sum = per_cpu.iter().fold(Counters::default(), |sum, cpu| combine(&sum, cpu, u64::wrapping_add));
        Ok(combine(&sum, &self.reported_before, u64::saturating_sub))
    }

    /// What collects the groups in which the kernel side counts connections, for a thread that may wait; `None` once it was
    /// taken.
    #[must_use]
    pub(crate) const fn collector(&mut self) -> Option<Collector> {
        self.collector.take()
    }

    /// Notes for the next checkpoint that everything collected up to here was reported ([`super::Collected::accounted`]).
    pub(crate) const fn note_collected(&mut self, accounted: u64) {
        self.collected = accounted;
    }

    /// Writes the log messages of the kernel programs to the daemon's log.
    pub(crate) fn relay_log(&mut self) {
        self.log.relay();
    }

    /// The current identity of a process in the kernel side's map.
    #[must_use]
    pub(crate) fn task(&self, tgid: u32) -> Option<TaskIdentity> {
        self.tasks.get(&tgid, 0).ok()
    }

    /// The record of an exec id, if it was not evicted.
    #[must_use]
    pub(crate) fn exec(&self, exec_id: u64) -> Option<ExecRecord> {
        self.execs.get(&exec_id, 0).ok()
    }

    /// Inserts a process that predates the kernel side and its executable, unless the kernel side knows the process
    /// by now.
    ///
    /// # Errors
    /// If a map cannot be written.
    pub(crate) fn seed_task(
        &mut self,
        tgid: u32,
        mut identity: TaskIdentity,
        exec: &ExecRecord,
    ) -> Result<(), LoadError> {
        identity.exe = enforce::of_executable(exec, self.enforce.fingerprint());
        self.execs.insert(identity.exec_id, exec, NOEXIST).map_err(|e| map_error("EXECS", &e))?;
        match self.tasks.insert(tgid, identity, NOEXIST) {
            Ok(()) => Ok(()),
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                Ok(())
            }
            Err(error) => Err(map_error("TASKS", &error)),
        }
    }

    /// Stores the owner of a listener that predates the kernel side; accepted sockets inherit it. A known owner
    /// stays.
    ///
    /// # Errors
    /// If the socket is gone or storage is refused.
    pub(crate) fn seed_socket(&mut self, socket: &impl AsRawFd, owner: SocketOwner) -> Result<(), LoadError> {
        if self.owners.get(socket, 0).is_ok_and(|known| known.role != SocketRole::None as u8) {
            return Ok(());
        }
        self.owners.insert(socket, owner, 0).map_err(|e| map_error("OWNERS", &e))
    }

    /// Where only a part of the cgroup tree is mounted, outside of which nothing is watched; `None`: the host is watched.
    #[must_use]
    pub(crate) fn part_of_cgroups(&self) -> Option<&Path> {
        self.part_of_cgroups.as_deref()
    }

    /// Where the kernel side is pinned and how many of its hooks are, if it is.
    #[must_use]
    pub(crate) fn pins(&self) -> Option<(&Path, usize)> {
        self.pinned.as_ref().map(|pinned| (pinned.directory.path(), pinned.hooks))
    }

    /// What a previous daemon left pinned, if there was one.
    #[must_use]
    pub(crate) const fn previous_pins(&self) -> Option<&PreviousPins> {
        self.previous.as_ref()
    }

    /// Position in the ring buffer up to which it was read, in bytes; `None` if nothing is pinned.
    #[must_use]
    pub(crate) fn ring_position(&self) -> Option<u64> {
        self.pinned.as_ref().map(|_| self.ring_position.read())
    }

    /// Bytes of the ring buffer that wait to be read, and all that it has.
    #[must_use]
    pub(crate) fn ring_fill(&self) -> (u64, u64) {
        (self.ring_position.unread(), u64::from(self.ring_bytes))
    }

    /// How often the program of each hook has run and for how long, by its name; empty unless the kernel counts that
    /// (`kernel.bpf_stats_enabled`). Since the program was loaded, and while it was counted.
    #[must_use]
    pub(crate) fn runs(&self) -> Vec<(&'static str, HookRuns)> {
        if !std::fs::read(STATS_ENABLED).is_ok_and(|text| text.first() == Some(&b'1')) {
            return Vec::new();
        }
        let runs = |hook: &HookStatus| {
            let info = self.object.program(hook.spec.program)?.info().ok()?;
            Some((hook.spec.name, HookRuns { count: info.run_count(), time: info.run_time() }))
        };
        self.hooks.iter().filter(|hook| hook.missing.is_none()).filter_map(runs).collect()
    }

    /// Maximum of records that can wait to be read.
    #[must_use]
    pub(crate) const fn max_unread(&self) -> usize {
        self.ring_bytes as usize / RECORD_MIN as usize
    }

    /// Maximum of records that the previous daemon has read and perhaps not written. Call this before anything is
    /// read.
    #[must_use]
    pub(crate) fn max_unwritten(&self) -> u64 {
        match (&self.previous, self.ring_position()) {
            (Some(PreviousPins { outcome: PinsOutcome::Adopted(adopted), .. }), Some(position)) => {
                position.saturating_sub(adopted.durable_position) / RECORD_MIN
            }
            _ => 0,
        }
    }

    /// Stores the checkpoint for the next daemon: the counters from [`Self::counters`] that were reported, when, and
    /// the position up to which everything is durable. Does nothing if nothing is pinned.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub(crate) fn write_checkpoint(
        &mut self,
        reported: &Counters,
        now_ns: u64,
        durable: u64,
    ) -> Result<(), LoadError> {
        let Some(pinned) = &mut self.pinned else { return Ok(()) };
        let mut version = [0; 32];
        for (to, from) in version.iter_mut().zip(env!("CARGO_PKG_VERSION").bytes()) {
            *to = from;
        }
        let checkpoint = Checkpoint {
            complete: 1,
            saved_ns: now_ns,
            durable_position: durable,
            version,
            counters: combine(reported, &self.reported_before, u64::wrapping_add),
            collected: self.collected,
            ..Checkpoint::default()
        };
        pinned.checkpoint.set(0, checkpoint, 0).map_err(|e| map_error(HANDOVER, &e))
    }

    /// Whether the pins stay for the next daemon when this value is dropped. New pins do not until this is called, so
    /// that a start that fails half-way leaves nothing; pins that were taken over do.
    pub(crate) const fn keep_pins(&mut self, pinned: bool) {
        if let Some(to) = &mut self.pinned {
            to.directory.keep(pinned);
        }
    }
}

/// Ports in ascending order, each once.
fn ascending(ports: impl IntoIterator<Item = u16>) -> Vec<u16> {
    let mut ports: Vec<u16> = ports.into_iter().collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn take(object: &mut Ebpf, map: &'static str) -> Result<Map, LoadError> {
    object.take_map(map).ok_or(LoadError::Map { map, reason: "the object has none of this name".to_owned() })
}
