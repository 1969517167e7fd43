//! Loading the object and attaching one hook. Does not belong here: pins (`takeover`).

use std::fs::File;
use std::path::{Path, PathBuf};

use aya::programs::links::FdLink;
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSock, CgroupSockAddr, FExit, ProgramError, SockOps, TracePoint,
};
use aya::{Ebpf, EbpfLoader};

use super::btf::{self, KernelTypes};
use super::catalog::{Attach, HookSpec};
use super::error::{LoadError, chain, lockdown, unexplained};
use super::room::EnforceRoom;
use super::{log, requirements, tracefs};

/// Longest part of the verifier's output worth showing.
pub(super) const REASON_CAP: usize = 300;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gdprport"));

/// Sizes of the kernel side's maps, fixed while it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Bytes of the ring buffer; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Processes whose identity is kept.
    pub tasks: u32,
    /// Executables whose name is kept.
    pub execs: u32,
    /// Entries of the tables that connects are decided by. Pinned ones that are larger are taken as they are; smaller ones are
    /// given up, with all other pins.
    pub enforce: EnforceRoom,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { ring_bytes: 4 << 20, tasks: 32_768, execs: 8_192, enforce: EnforceRoom::default() }
    }
}

impl Sizes {
    /// Groups of connections with one peer, as many as the ring buffer is long: 8,192 at 4 MiB, where they take 2.8 MB, and
    /// 64 to 65,536 of them. Who gives the ring more memory gives the groups more.
    const fn groups_of_peers(self) -> u32 {
        match self.ring_bytes / 512 {
            few if few < 64 => 64,
            many if many > 65_536 => 65_536,
            some => some,
        }
    }

    /// Groups of connections with one network: half as many.
    const fn groups_of_networks(self) -> u32 {
        self.groups_of_peers() / 2
    }
}

/// Whether a hook is in use.
#[derive(Debug, Clone)]
pub(crate) struct HookStatus {
    pub spec: &'static HookSpec,
    /// `None` if it is attached; else why not.
    pub missing: Option<String>,
}

/// Everything that the kernel programs are loaded from and attached to.
pub(super) struct LoadSource {
    sizes: Sizes,
    release: String,
    tracefs: Option<PathBuf>,
    pub(super) cgroup: File,
}

impl LoadSource {
    /// Opens the cgroup2 root and finds tracefs.
    ///
    /// # Errors
    /// If the root cannot be opened.
    pub(super) fn new(sizes: Sizes, release: &str, cgroup_root: &Path) -> Result<Self, LoadError> {
        let cgroup = File::open(cgroup_root)
            .map_err(|source| LoadError::Cgroup2 { path: cgroup_root.to_owned(), source })?;
        Ok(Self { sizes, release: release.to_owned(), tracefs: tracefs::find_or_mount(), cgroup })
    }

    /// Loads the object: creates its maps, except those of `pinned` (name and path), which are reused. No program
    /// is in the kernel yet.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn load(&self, pinned: &[(String, PathBuf)]) -> Result<Ebpf, LoadError> {
        // Until 5.11 maps are charged against this limit, whose default of 64 KiB is less than any of ours.
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
                Some((*global, tracefs::offset(self.tracefs.as_deref()?, category, name, field)?))
            })
            .collect();
        let types = KernelTypes::read().ok();
        let kernel = types.as_ref().map(btf::kernel_offsets).unwrap_or_default();
        let mut of_tasks = types.as_ref().map(btf::task_offsets).unwrap_or_default();
        drop(types);
        of_tasks.push(("NETNS_COOKIE_OF_OPS", u32::from(requirements::is_at_least(&self.release, (5, 15)))));
        let mut loader = EbpfLoader::new();
        // No program reads a struct of the kernel, so the kernel's own types are not needed for relocation;
        // parsing them would cost 12 MB that the heap does not return.
        loader
            .btf(None)
            .map_max_entries("AYA_LOGS", log::RING_BYTES)
            .map_max_entries("EVENTS", self.sizes.ring_bytes)
            .map_max_entries("TASKS", self.sizes.tasks)
            .map_max_entries("EXECS", self.sizes.execs)
            .map_max_entries("GROUPS_OF_PEERS", self.sizes.groups_of_peers())
            .map_max_entries("GROUPS_OF_NETWORKS", self.sizes.groups_of_networks());
        for (table, entries) in self.sizes.enforce.by_map() {
            loader.map_max_entries(table, entries);
        }
        for (global, offset) in offsets.iter().chain(&of_tasks) {
            loader.override_global(global, offset, true);
        }
        loader.override_global("KERNEL_OFFSETS", &kernel, true);
        loader.override_global("RING_BYTES", &self.sizes.ring_bytes, true);
        for (name, path) in pinned {
            loader.map_pin_path(name, path);
        }
        loader
            .load(OBJECT)
            .map_err(|error| LoadError::Object { release: self.release.clone(), reason: chain(&error) })
    }

    /// Whether a map is one of the tables that connects are decided by.
    pub(super) fn is_table(&self, map: &str) -> bool {
        self.sizes.enforce.by_map().iter().any(|(table, _)| *table == map)
    }

    /// The error for a required hook that the kernel refused.
    pub(super) fn refused(&self, spec: &HookSpec, refused: HookError) -> LoadError {
        LoadError::Refused { hook: spec.name, release: self.release.clone(), reason: refused.0 }
    }
}

/// Why a hook is missing, in one line.
pub(super) struct HookError(pub(super) String);

impl From<ProgramError> for HookError {
    fn from(error: ProgramError) -> Self {
        Self(reason(&error))
    }
}

/// Loads a hook's program into the kernel. Which program fits the return of a function shows only when it is
/// attached.
pub(super) fn load_program(object: &mut Ebpf, spec: &HookSpec) -> Result<(), HookError> {
    let program = object.program_mut(spec.program).expect("the catalog names the object's programs");
    match spec.attach {
        Attach::SockAddr => TryInto::<&mut CgroupSockAddr>::try_into(program)?.load(),
        Attach::Sock => TryInto::<&mut CgroupSock>::try_into(program)?.load(),
        Attach::SockOps => TryInto::<&mut SockOps>::try_into(program)?.load(),
        Attach::Skb(_) => TryInto::<&mut CgroupSkb>::try_into(program)?.load(),
        Attach::Tracepoint(..) => TryInto::<&mut TracePoint>::try_into(program)?.load(),
        Attach::Return(..) => Ok(()),
    }
    .map_err(HookError::from)
}

/// Attaches the first of `programs` that fits the function as this kernel has it.
fn attach_to_return(
    object: &mut Ebpf,
    function: &str,
    programs: &[&str],
    wanted: bool,
) -> Result<Option<FdLink>, HookError> {
    let types = KernelTypes::read().and_then(|types| types.function(function)).map_err(HookError)?;
    let mut refused = HookError(format!("no program for {function}"));
    for name in programs {
        let program = object.program_mut(name).expect("the catalog names the object's programs");
        let program: &mut FExit = program.try_into()?;
        match program.load(function, &types).and_then(|()| program.attach()) {
            Ok(link) if wanted => return Ok(Some(program.take_link(link)?.into())),
            Ok(_) => return Ok(None),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}

/// Attaches a loaded program. The link is returned if it is wanted and the kernel can pin it (tracepoints: since 5.15);
/// else it stays with the object and ends with it.
pub(super) fn attach(
    object: &mut Ebpf,
    spec: &HookSpec,
    cgroup: &File,
    wanted: bool,
) -> Result<Option<FdLink>, HookError> {
    macro_rules! attach {
        ($program:ident: $kind:ty, $($argument:expr),+) => {{
            let program: &mut $kind = $program.try_into()?;
            let link = program.attach($($argument),+)?;
            if !wanted {
                return Ok(None);
            }
            if let Ok(link) = FdLink::try_from(program.take_link(link)?) {
                return Ok(Some(link));
            }
            // `take_link` has detached it.
            program.attach($($argument),+)?;
            Ok(None)
        }};
    }
    let program = object.program_mut(spec.program).expect("the catalog names the object's programs");
    // Links are always multi; asking for it by name is refused (EINVAL).
    let mode = CgroupAttachMode::Single;
    match spec.attach {
        Attach::SockAddr => attach!(program: CgroupSockAddr, cgroup, mode),
        Attach::Sock => attach!(program: CgroupSock, cgroup, mode),
        Attach::SockOps => attach!(program: SockOps, cgroup, mode),
        Attach::Skb(direction) => attach!(program: CgroupSkb, cgroup, direction, mode),
        Attach::Tracepoint(category, name) => attach!(program: TracePoint, category, name),
        Attach::Return(function, programs) => attach_to_return(object, function, programs, wanted),
    }
}

/// The kernel's reason, without pages of verifier log: its last lines hold the cause.
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
            match cause {
                Some(cause) => format!("{io_error}: {cause}"),
                None => unexplained(io_error, &lockdown()),
            }
        }
        other => chain(other),
    };
    text.chars().take(REASON_CAP).collect()
}
