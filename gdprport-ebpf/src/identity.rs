//! Who is decided about: the classes of the parts of an identity.
//!
//! Global functions, for the reasons in `enforce`.

use core::ptr::read_volatile;

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_get_current_uid_gid};
use gdprport_common::{
    CLASS_UNKNOWN, CLASS_UNLISTED, CLASS_WITHHELD, ENFORCE_CGROUP, ENFORCE_EXE, ENFORCE_GID, ENFORCE_UID,
    EXE_PATH, EXE_UNKNOWN, EXE_WITHHELD, EnforceClassKey, TaskIdentity,
};

use crate::maps::{ENFORCE_CLASSES, TASKS};

/// Who calls, or listens, as numbers.
pub(crate) enum Caller {
    /// The process that runs here.
    Own { tgid: u32, state: u32, fingerprint: [u64; 2] },
    /// One that need not. `who`: its process id, above a bit that is set if it withheld who it is; no id: it is not known. `ids`: the
    /// real user id, above the real group id.
    Other { who: u64, exec_id: u64, ids: u64, cgroup: u64 },
}

/// The classes of two parts in each number, the first one above the other.
pub(crate) struct Classes {
    pub exe_uid: u64,
    pub gid_cgroup: u64,
}

/// What is known of the executable of a process: `EXE_*`, and the fingerprint.
///
/// # Safety
/// `task` is the map value in which `exec_id` was found for the process.
#[inline(always)]
pub(crate) unsafe fn executable(task: *const TaskIdentity, exec_id: u64) -> (u32, [u64; 2]) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let exe = &raw const (*task).exe;
        let state = read_volatile(&raw const (*exe).state);
        let fingerprint = [
            read_volatile(&raw const (*exe).fingerprint[0]),
            read_volatile(&raw const (*exe).fingerprint[1]),
        ];
        // An entry that gave way meanwhile may be another process's by now; the exec id is the first of what is written then.
        let still = read_volatile(&raw const (*task).exec_id) == exec_id;
        (if still { state } else { EXE_UNKNOWN }, fingerprint)
    }
}

impl Caller {
    /// The process that runs here: its id, above what is known of its executable.
    #[inline(always)]
    pub(crate) const fn own(who: u64, fingerprint: [u64; 2]) -> Self {
        Self::Own { tgid: (who >> 32) as u32, state: who as u32, fingerprint }
    }

    #[inline(always)]
    pub(crate) const fn other(who: u64, exec_id: u64, ids: u64, cgroup: u64) -> Self {
        Self::Other { who, exec_id, ids, cgroup }
    }

    /// The process id; 0 if nobody knows it.
    #[inline(always)]
    pub(crate) const fn tgid(&self) -> u64 {
        match self {
            Self::Own { tgid, .. } => *tgid as u64,
            Self::Other { who, .. } => *who >> 1,
        }
    }

    /// The real user id.
    #[inline(always)]
    pub(crate) fn uid(&self) -> u32 {
        match self {
            // SAFETY: takes no argument and cannot fail.
            Self::Own { .. } => unsafe { bpf_get_current_uid_gid() as u32 },
            Self::Other { ids, .. } => (*ids >> 32) as u32,
        }
    }

    /// The classes of the parts that rules ask for: bit n of `parts` for part n.
    #[inline(always)]
    pub(crate) fn classes(&self, generation: u32, parts: u32) -> Classes {
        let above = u64::from(generation) << 32;
        let asks = |part: usize| u64::from(parts >> part & 1);
        let [exe, uid, gid, cgroup] = match *self {
            Self::Own { state, fingerprint, .. } => {
                let exe = of_executable(generation, state, fingerprint, asks(ENFORCE_EXE));
                let of = |part: usize| gp_enforce_own(above | part as u64, asks(part));
                if parts >> ENFORCE_UID == 0 {
                    [exe, CLASS_UNLISTED, CLASS_UNLISTED, CLASS_UNLISTED]
                } else {
                    [exe, of(ENFORCE_UID), of(ENFORCE_GID), of(ENFORCE_CGROUP)]
                }
            }
            Self::Other { who, .. } if who >> 1 == 0 => {
                [if who == 0 { CLASS_UNKNOWN } else { CLASS_WITHHELD }; 4]
            }
            Self::Other { who, exec_id, ids, cgroup } => {
                let of =
                    |part: usize, value: u64| gp_enforce_class(above | part as u64, value, 0, asks(part));
                let exe = gp_enforce_task(generation, asks(ENFORCE_EXE), who >> 1, exec_id);
                [
                    exe,
                    of(ENFORCE_UID, ids >> 32),
                    of(ENFORCE_GID, ids & 0xffff_ffff),
                    of(ENFORCE_CGROUP, cgroup),
                ]
            }
        };
        Classes {
            exe_uid: u64::from(exe) << 32 | u64::from(uid),
            gid_cgroup: u64::from(gid) << 32 | u64::from(cgroup),
        }
    }
}

/// The class of an executable of which this is known; one that no rule asks for is not looked at. In line: before Linux 6.0 each
/// function of a chain takes 32 bytes of the stack or more.
#[inline(always)]
fn of_executable(generation: u32, state: u32, [first, second]: [u64; 2], asks: u64) -> u32 {
    match state {
        EXE_PATH => gp_enforce_class(u64::from(generation) << 32 | ENFORCE_EXE as u64, first, second, asks),
        EXE_WITHHELD => CLASS_WITHHELD,
        _ => CLASS_UNKNOWN,
    }
}

/// The class of a value, if rules ask for it. `part` is below the generation.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gp_enforce_class(part: u64, first: u64, second: u64, asks: u64) -> u32 {
    if asks == 0 {
        return CLASS_UNLISTED;
    }
    let key = EnforceClassKey { generation: (part >> 32) as u32, part: part as u32, value: [first, second] };
    // SAFETY: a map value.
    ENFORCE_CLASSES.get_ptr(&key).map_or(CLASS_UNLISTED, |class| unsafe { *class })
}

/// The class of an id of the process that runs here, if rules ask for it. `part` is below the generation.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gp_enforce_own(part: u64, asks: u64) -> u32 {
    if asks == 0 {
        return CLASS_UNLISTED;
    }
    // SAFETY: the helpers take no argument and cannot fail.
    let value = unsafe {
        match part as u32 as usize {
            ENFORCE_UID => bpf_get_current_uid_gid() & 0xffff_ffff,
            ENFORCE_GID => bpf_get_current_uid_gid() >> 32,
            _ => bpf_get_current_cgroup_id(),
        }
    };
    gp_enforce_class(part, value, 0, 1)
}

/// The class of another process's executable, if rules ask for it. A process of which the executable is another by now is not
/// known: only a worker of the kernel calls for one that may have ended.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gp_enforce_task(generation: u32, asks: u64, tgid: u64, exec_id: u64) -> u32 {
    if asks == 0 {
        return CLASS_UNLISTED;
    }
    let Some(task) = TASKS.get_ptr(&(tgid as u32)) else { return CLASS_UNKNOWN };
    // SAFETY: a map value.
    unsafe {
        if (*task).exec_id != exec_id {
            return CLASS_UNKNOWN;
        }
        let (state, fingerprint) = executable(task, exec_id);
        of_executable(generation, state, fingerprint, 1)
    }
}
