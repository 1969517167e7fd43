//! The file that the calling process runs, as the kernel keeps it: device, inode, path, and whose mounts the path leads
//! through. For programs that run right after an `execve`, in the context of the process.
//!
//! A path is read in full or not at all. It is walked from the file up, as the kernel itself does it (`prepend_path`,
//! fs/d_path.c), with a bounded number of steps.

use core::arch::asm;
use core::ptr::{addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_get_current_task;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel as probe_read_kernel;
use gdprport_common::{FILE_CAP, FileState, KernelOffsets, MountOwner};

use crate::maps::{EXEC_SCRATCH, ExecScratch, NAME_MAX};

/// Where this kernel keeps what is read here; the daemon sets it from the BTF of the running kernel.
#[unsafe(no_mangle)]
static KERNEL_OFFSETS: KernelOffsets = KernelOffsets {
    task_cred: 0,
    cred_user_ns: 0,
    user_ns_inum: 0,
    task_mm: 0,
    mm_exe_file: 0,
    file_inode: 0,
    file_mnt: 0,
    file_dentry: 0,
    inode_ino: 0,
    inode_sb: 0,
    sb_dev: 0,
    dentry_seq: 0,
    dentry_parent: 0,
    dentry_name: 0,
    dentry_name_len: 0,
    vfsmount_root: 0,
    mount_vfsmount: 0,
    mount_parent: 0,
    mount_mountpoint: 0,
    mount_ns: 0,
    mnt_ns_user_ns: 0,
};

/// The offset of one member, as 64 bits. Volatile: the value is not the one that the compiler sees.
macro_rules! offset {
    ($member:ident) => {
        u64::from(read_volatile(&raw const KERNEL_OFFSETS.$member))
    };
}

/// Inode number of the initial user namespace (`PROC_USER_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_USER_NS: u32 = 0xefff_fffd;

/// Most steps of one walk. A step takes one component, crosses one mount, or repeats after a rename.
const STEPS: u32 = 128;

/// The walk goes on; differs from every [`FileState`].
const STEP_ON: u8 = 255;

/// Pointers from here on are error numbers (`ERR_PTR`, include/linux/err.h): the namespace of mounts that only the
/// kernel uses.
const ERRORS: u64 = -4095_i64 as u64;

/// Returns the value, which is within the mask. The compiler would leave a plain `&` out where it knows that, and the
/// verifier does not know it.
#[inline(always)]
fn masked<const MASK: u64>(mut value: u64) -> u64 {
    // SAFETY: one instruction on one register.
    unsafe {
        asm!("{value} &= {mask}", value = inout(reg) value, mask = const MASK,
            options(nostack, preserves_flags, pure, nomem));
    }
    value
}

/// Reads a value of the kernel.
#[inline(always)]
unsafe fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Returns whether the caller is in a user namespace other than the initial one, where an unprivileged user may have
/// set its mounts and its root; false if that cannot be read.
#[inline(always)]
pub(crate) fn in_user_ns() -> bool {
    // SAFETY: the offsets are those of the running kernel, or 0; the helper checks every address.
    unsafe {
        let cred_offset = offset!(task_cred);
        if cred_offset == 0 {
            return false;
        }
        let Some(cred) = read::<u64>(bpf_get_current_task() + cred_offset) else { return false };
        let Some(user_ns) = read(cred + offset!(cred_user_ns)) else { return false };
        is_initial(user_ns) == Some(false)
    }
}

/// Returns whether this is the initial user namespace.
#[inline(always)]
unsafe fn is_initial(user_ns: u64) -> Option<bool> {
    // SAFETY: as above.
    unsafe { read::<u32>(user_ns + offset!(user_ns_inum)).map(|inum| inum == INITIAL_USER_NS) }
}

/// Fills the fields of the record that describe the file that runs.
///
/// # Safety
/// `scratch` is this CPU's own map value.
#[inline(always)]
pub(crate) unsafe fn describe(scratch: *mut ExecScratch) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let header = &mut (*scratch).record.header;
        header.file_ino = 0;
        header.file_dev = 0;
        header.file_len = 0;
        header.file_mounts = MountOwner::Unknown as u8;
        header.file_state = FileState::Unread as u8;
        if let Some(state) = walk(scratch) {
            (*scratch).record.header.file_state = state as u8;
        }
    }
}

/// Reads the file and walks up its path; `None` if a read fails.
#[inline(always)]
unsafe fn walk(scratch: *mut ExecScratch) -> Option<FileState> {
    // SAFETY: `scratch` is the caller's; every other address is checked by the helpers, and what they read stays
    // allocated: the program runs in an RCU read section.
    unsafe {
        let mm_offset = offset!(task_mm);
        if mm_offset == 0 {
            return None;
        }
        let mm: u64 = read(bpf_get_current_task() + mm_offset)?;
        let file: u64 = read(mm + offset!(mm_exe_file))?;
        let inode: u64 = read(file + offset!(file_inode))?;
        let superblock: u64 = read(inode + offset!(inode_sb))?;
        (*scratch).record.header.file_ino = read(inode + offset!(inode_ino))?;
        (*scratch).record.header.file_dev = read(superblock + offset!(sb_dev))?;
        (*scratch).dentry = read(file + offset!(file_dentry))?;
        let mount = read::<u64>(file + offset!(file_mnt))? - offset!(mount_vfsmount);
        let namespace: u64 = read(mount + offset!(mount_ns))?;
        if namespace == 0 {
            (*scratch).record.header.file_mounts = MountOwner::Detached as u8;
        } else if namespace < ERRORS {
            let initial = is_initial(read(namespace + offset!(mnt_ns_user_ns))?)?;
            (*scratch).record.header.file_mounts =
                if initial { MountOwner::Root as u8 } else { MountOwner::Other as u8 };
        }
        (*scratch).mount = mount;
        (*scratch).root = read(mount + offset!(mount_vfsmount) + offset!(vfsmount_root))?;
        for _ in 0..STEPS {
            match gp_path_step() as u8 {
                STEP_ON => {}
                state => return FileState::from_raw(state),
            }
        }
        Some(FileState::TooLong)
    }
}

/// Goes one step up. Returns [`STEP_ON`], or how the walk ends as a number of [`FileState`].
///
/// A global function, which the verifier checks once and by itself (since Linux 5.6): one that it follows from its caller it
/// checks anew in each of the steps, which is most of the time that the daemon takes to start. Before Linux 5.13 such a
/// function takes no pointer, so that it looks its state up.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gp_path_step() -> u32 {
    let Some(scratch) = EXEC_SCRATCH.get_ptr_mut(0) else { return u32::from(FileState::Unread as u8) };
    // SAFETY: this CPU's own map value; whoever calls this in a loop is not preempted by another who does.
    u32::from(unsafe { up(scratch) }.unwrap_or(FileState::Unread as u8))
}

#[inline(always)]
unsafe fn up(scratch: *mut ExecScratch) -> Option<u8> {
    // SAFETY: as in `walk`.
    unsafe {
        let (dentry, mount) = ((*scratch).dentry, (*scratch).mount);
        if dentry == (*scratch).root {
            let parent: u64 = read(mount + offset!(mount_parent))?;
            if parent == mount {
                return Some(FileState::Complete as u8);
            }
            (*scratch).dentry = read(mount + offset!(mount_mountpoint))?;
            (*scratch).mount = parent;
            (*scratch).root = read(parent + offset!(mount_vfsmount) + offset!(vfsmount_root))?;
            return Some(STEP_ON);
        }
        let before: u32 = read(dentry + offset!(dentry_seq))?;
        let parent: u64 = read(dentry + offset!(dentry_parent))?;
        let name: u64 = read(dentry + offset!(dentry_name))?;
        let len: u32 = read(dentry + offset!(dentry_name_len))?;
        let used = addr_of_mut!((*scratch).record.header.file_len);
        let (at, len) = (u64::from(read_volatile(used)), u64::from(len));
        if len > NAME_MAX || at + len + 1 >= FILE_CAP as u64 {
            return Some(FileState::TooLong as u8);
        }
        let at = masked::<{ FILE_CAP as u64 - 1 }>(at) as usize;
        let len = masked::<NAME_MAX>(len) as usize;
        let to = addr_of_mut!((*scratch).record.file).cast::<u8>().add(at);
        if probe_read_kernel(to.cast(), len as u32, name as *const _) != 0 {
            return None;
        }
        *to.add(len) = b'/';
        // An odd number, or another one: it is being renamed. Name and parent may not belong together.
        if before & 1 != 0 || read::<u32>(dentry + offset!(dentry_seq))? != before {
            return Some(STEP_ON);
        }
        write_volatile(used, (at + len + 1) as u16);
        if parent == dentry {
            let internal = (*scratch).record.header.file_mounts == MountOwner::Unknown as u8;
            let state = if internal { FileState::InMemory } else { FileState::Unreachable };
            return Some(state as u8);
        }
        (*scratch).dentry = parent;
        Some(STEP_ON)
    }
}
