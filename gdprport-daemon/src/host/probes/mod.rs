//! Loading the kernel programs, attaching their hooks, and the maps the daemon reads and writes.
//!
//! Nothing stays attached when [`Probes`] is dropped, nor when loading fails half-way: every link belongs
//! to the value.

mod btf;
pub mod catalog;
mod log;
mod netns;
pub(super) mod requirements;
mod ring;
pub(super) mod tracefs;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf, SkStorage};
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSock, CgroupSockAddr, FExit, ProgramError, SockOps, TracePoint,
};
use aya::{Ebpf, EbpfLoader};
use gdprport_common::{Counters, ExecRecord, HOOKS, PortFlags, SocketOwner, TaskIdentity};

use btf::Types;
use catalog::{Attach, HookSpec, Need};
pub use requirements::{LoadError, check_btf, check_capabilities, check_release};
pub use ring::Ring;
pub use tracefs::{Tracefs, look as look_for_tracefs};

/// `BPF_NOEXIST`: insert only what is not there.
const NOEXIST: u64 = 1;
/// Longest part of the verifier's words that is worth showing to a person.
const REASON_CAP: usize = 300;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gdprport"));

/// Sizes of the kernel side's maps, fixed while it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the ring buffer; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Processes whose identity is kept.
    pub tasks: u32,
    /// Executables whose name is kept.
    pub execs: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { ring_bytes: 4 << 20, tasks: 32_768, execs: 8_192 }
    }
}

/// Whether a hook is in use.
#[derive(Debug, Clone)]
pub struct HookState {
    /// Which hook.
    pub spec: &'static HookSpec,
    /// `None` if it is attached; else why not.
    pub missing: Option<String>,
}

/// The loaded kernel side.
pub struct Probes {
    /// Keeps programs and links alive.
    _object: Ebpf,
    hooks: Vec<HookState>,
    cgroup_root: PathBuf,
    ports: Array<MapData, u8>,
    watched: Vec<u16>,
    counters: PerCpuArray<MapData, Counters>,
    tasks: HashMap<MapData, u32, TaskIdentity>,
    execs: HashMap<MapData, u64, ExecRecord>,
    owners: SkStorage<MapData, SocketOwner>,
    log: log::KernelLog,
}

/// Checks what the kernel programs need of the machine, without touching anything.
///
/// # Errors
/// The first thing that is missing and how to mend it.
pub fn check(release: &str, cgroup_root: Option<&Path>) -> Result<(), LoadError> {
    requirements::check_release(release)?;
    requirements::check_capabilities()?;
    requirements::check_btf()?;
    cgroup_root.map(|_| ()).ok_or(LoadError::NoCgroup2)
}

impl Probes {
    /// Checks the machine, loads the programs and attaches every hook that the kernel offers. No port is
    /// watched yet. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// What is missing and how to mend it; then nothing is attached.
    pub fn load(
        sizes: Sizes,
        release: &str,
        cgroup_root: Option<PathBuf>,
    ) -> Result<(Self, Ring), LoadError> {
        check(release, cgroup_root.as_deref())?;
        let cgroup_root = cgroup_root.ok_or(LoadError::NoCgroup2)?;
        let cgroup = File::open(&cgroup_root)
            .map_err(|source| LoadError::Cgroup2 { path: cgroup_root.clone(), source })?;
        let tracefs = tracefs::find_or_mount();
        let mut object = load_object(sizes, release, tracefs.as_deref())?;
        let mut hooks = Vec::with_capacity(catalog::HOOKS.len());
        for spec in catalog::HOOKS {
            let missing = attach(&mut object, spec, &cgroup).err().map(|refused| refused.0);
            if let (Need::Required, Some(reason)) = (spec.need, &missing) {
                return Err(LoadError::Refused {
                    hook: spec.name,
                    release: release.to_owned(),
                    reason: reason.clone(),
                });
            }
            hooks.push(HookState { spec, missing });
        }
        let ring = Ring::new(
            RingBuf::try_from(take(&mut object, "EVENTS")?).map_err(|e| map_error("EVENTS", &e))?,
            Array::try_from(take(&mut object, "READER")?).map_err(|e| map_error("READER", &e))?,
        )?;
        let probes = Self {
            ports: Array::try_from(take(&mut object, "PORTS")?).map_err(|e| map_error("PORTS", &e))?,
            counters: PerCpuArray::try_from(take(&mut object, "COUNTERS")?)
                .map_err(|e| map_error("COUNTERS", &e))?,
            tasks: HashMap::try_from(take(&mut object, "TASKS")?).map_err(|e| map_error("TASKS", &e))?,
            execs: HashMap::try_from(take(&mut object, "EXECS")?).map_err(|e| map_error("EXECS", &e))?,
            owners: SkStorage::try_from(take(&mut object, "OWNERS")?).map_err(|e| map_error("OWNERS", &e))?,
            log: log::KernelLog::new(&mut object)?,
            _object: object,
            hooks,
            cgroup_root,
            watched: Vec::new(),
        };
        Ok((probes, ring))
    }

    /// Every hook of the catalog and whether it is in use.
    #[must_use]
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks
    }

    /// The cgroup2 root that the programs are attached to.
    #[must_use]
    pub fn cgroup_root(&self) -> &Path {
        &self.cgroup_root
    }

    /// Watches exactly these ports from now on.
    ///
    /// # Errors
    /// If the switch map cannot be written; the ports before the failure are switched.
    pub fn watch(&mut self, ports: impl IntoIterator<Item = u16>) -> Result<(), LoadError> {
        let mut wanted: Vec<u16> = ports.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let off = self.watched.iter().filter(|port| wanted.binary_search(port).is_err());
        let on = wanted.iter().filter(|port| self.watched.binary_search(port).is_err());
        let changes: Vec<(u16, PortFlags)> = off
            .map(|port| (*port, PortFlags::default()))
            .chain(on.map(|port| (*port, PortFlags::WATCHED.with(PortFlags::POSTURE))))
            .collect();
        for (port, flags) in changes {
            self.ports.set(u32::from(port), flags.0, 0).map_err(|e| map_error("PORTS", &e))?;
        }
        self.watched = wanted;
        Ok(())
    }

    /// The kernel side's counters, summed over all CPUs.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub fn counters(&self) -> Result<Counters, LoadError> {
        let per_cpu = self.counters.get(&0, 0).map_err(|e| map_error("COUNTERS", &e))?;
        let mut sum = Counters::default();
        for cpu in per_cpu.iter() {
            for hook in 0..HOOKS {
                sum.hooks[hook].seen += cpu.hooks[hook].seen;
                sum.hooks[hook].emitted += cpu.hooks[hook].emitted;
                sum.hooks[hook].filtered += cpu.hooks[hook].filtered;
                sum.hooks[hook].dropped_ring_full += cpu.hooks[hook].dropped_ring_full;
            }
            sum.unkept += cpu.unkept;
        }
        Ok(sum)
    }

    /// Writes what the kernel programs have to say to the daemon's log.
    pub fn relay_log(&mut self) {
        self.log.relay();
    }

    /// Who the kernel side thinks a process is, right now.
    #[must_use]
    pub fn task(&self, tgid: u32) -> Option<TaskIdentity> {
        self.tasks.get(&tgid, 0).ok()
    }

    /// What an exec id executed, if it was not evicted.
    #[must_use]
    pub fn exec(&self, exec_id: u64) -> Option<ExecRecord> {
        self.execs.get(&exec_id, 0).ok()
    }

    /// Tells the kernel side about a process that existed before it and what it runs, unless the kernel side
    /// knows the process by now.
    ///
    /// # Errors
    /// If a map cannot be written.
    pub fn seed(&mut self, tgid: u32, identity: TaskIdentity, exec: &ExecRecord) -> Result<(), LoadError> {
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

    /// Gives a listener that existed before its owner, which accepted sockets inherit.
    ///
    /// # Errors
    /// If the socket is gone or storage is refused.
    pub fn seed_socket(&mut self, socket: &impl AsRawFd, owner: SocketOwner) -> Result<(), LoadError> {
        self.owners.insert(socket, owner, 0).map_err(|e| map_error("OWNERS", &e))
    }
}

fn load_object(sizes: Sizes, release: &str, tracefs: Option<&Path>) -> Result<Ebpf, LoadError> {
    // Until 5.11 maps are charged against this limit, whose default of 64 KiB holds none of ours.
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited) {
        tracing::debug!(%error, "cannot raise the limit of locked memory");
    }
    let fields = [
        ("EXEC_FILENAME_OFFSET", "sched", "sched_process_exec", "filename"),
        ("NEWTASK_PID_OFFSET", "task", "task_newtask", "pid"),
        ("NEWTASK_FLAGS_OFFSET", "task", "task_newtask", "clone_flags"),
        ("CGROUP_ROOT_OFFSET", "cgroup", "cgroup_mkdir", "root"),
        ("CGROUP_ID_OFFSET", "cgroup", "cgroup_mkdir", "id"),
        ("CGROUP_PATH_OFFSET", "cgroup", "cgroup_mkdir", "path"),
    ];
    let offsets: Vec<(&str, u32)> = fields
        .iter()
        .filter_map(|(global, category, name, field)| {
            Some((*global, tracefs::offset(tracefs?, category, name, field)?))
        })
        .collect();
    let user_ns = btf::user_ns_offsets();
    let mut loader = EbpfLoader::new();
    // No program reads a struct of the kernel, so the kernel's own types are not needed for relocation;
    // parsing them would cost 12 MB that the heap does not give back.
    loader
        .btf(None)
        .map_max_entries("AYA_LOGS", log::RING_BYTES)
        .map_max_entries("EVENTS", sizes.ring_bytes)
        .map_max_entries("TASKS", sizes.tasks)
        .map_max_entries("EXECS", sizes.execs);
    for (global, offset) in offsets.iter().chain(user_ns.iter().flatten()) {
        loader.override_global(global, offset, true);
    }
    loader
        .load(OBJECT)
        .map_err(|error| LoadError::Object { release: release.to_owned(), reason: chain(&error) })
}

/// Why a hook is missing, in one line.
struct Refused(String);

impl From<ProgramError> for Refused {
    fn from(error: ProgramError) -> Self {
        Self(reason(&error))
    }
}

/// Attaches the first of `programs` that fits the function as this kernel has it.
fn attach_to_return(object: &mut Ebpf, function: &str, programs: &[&str]) -> Result<(), Refused> {
    let types = Types::of_kernel().and_then(|types| types.function(function)).map_err(Refused)?;
    let mut refused = Refused(format!("no program for {function}"));
    for name in programs {
        let program = object.program_mut(name).expect("the catalog names the object's programs");
        let program: &mut FExit = program.try_into()?;
        match program.load(function, &types).and_then(|()| program.attach()) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}

fn attach(object: &mut Ebpf, spec: &HookSpec, cgroup: &File) -> Result<(), Refused> {
    let program = object.program_mut(spec.program).expect("the catalog names the object's programs");
    // Links are always multi; asking for it by name is refused (EINVAL).
    let mode = CgroupAttachMode::Single;
    match spec.attach {
        Attach::SockAddr => {
            let program: &mut CgroupSockAddr = program.try_into()?;
            program.load()?;
            program.attach(cgroup, mode)?;
        }
        Attach::Sock => {
            let program: &mut CgroupSock = program.try_into()?;
            program.load()?;
            program.attach(cgroup, mode)?;
        }
        Attach::SockOps => {
            let program: &mut SockOps = program.try_into()?;
            program.load()?;
            program.attach(cgroup, mode)?;
        }
        Attach::Skb(direction) => {
            let program: &mut CgroupSkb = program.try_into()?;
            program.load()?;
            program.attach(cgroup, direction, mode)?;
        }
        Attach::Tracepoint(category, name) => {
            let program: &mut TracePoint = program.try_into()?;
            program.load()?;
            program.attach(category, name)?;
        }
        Attach::Return(function, programs) => attach_to_return(object, function, programs)?,
    }
    Ok(())
}

fn take(object: &mut Ebpf, map: &'static str) -> Result<Map, LoadError> {
    object.take_map(map).ok_or(LoadError::Map { map, reason: "the object has none of this name".to_owned() })
}

fn map_error(map: &'static str, error: &MapError) -> LoadError {
    LoadError::Map { map, reason: chain(error) }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// What the kernel said, without pages of verifier log: its last lines hold the cause.
fn reason(error: &ProgramError) -> String {
    tracing::debug!(error = %chain(error), "the kernel refused a hook");
    let text = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let cause = log.lines().rev().find(|line| {
                !line.trim().is_empty()
                    && !line.starts_with("processed")
                    && !line.starts_with("stack depth")
                    && !line.contains("verification time")
            });
            format!("{io_error}: {}", cause.unwrap_or("the verifier said nothing"))
        }
        other => chain(other),
    };
    text.chars().take(REASON_CAP).collect()
}
