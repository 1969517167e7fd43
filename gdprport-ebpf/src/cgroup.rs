//! New cgroup directories: a unit or container may be gone before the daemon could read its path. Those of cgroup v1 show
//! only that there are containers in v1 hierarchies.

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_probe_read_kernel_str};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use gdprport_common::{CgroupRecord, Hook, PATH_CAP, RecordKind};

use crate::count::Occasion;
use crate::emit;

/// Offset of `root` in `cgroup_mkdir`; the daemon sets this and the next two from tracefs.
#[unsafe(no_mangle)]
static CGROUP_ROOT_OFFSET: u32 = 8;
/// Offset of `id`.
#[unsafe(no_mangle)]
static CGROUP_ID_OFFSET: u32 = 16;
/// Offset of `path`.
#[unsafe(no_mangle)]
static CGROUP_PATH_OFFSET: u32 = 24;

#[tracepoint]
fn gp_cgroup_mkdir(ctx: TracePointContext) -> u32 {
    directory_created(&ctx);
    0
}

#[inline(always)]
fn directory_created(ctx: &TracePointContext) {
    let Some(occasion) = Occasion::seen(Hook::Cgroup) else { return };
    // SAFETY: the helpers check every address; the entry is as large as its type says.
    unsafe {
        let root = ctx.read_at::<u32>(read_volatile(&raw const CGROUP_ROOT_OFFSET) as usize);
        let id = ctx.read_at::<u64>(read_volatile(&raw const CGROUP_ID_OFFSET) as usize);
        let path = ctx.read_at::<u32>(read_volatile(&raw const CGROUP_PATH_OFFSET) as usize);
        let (Ok(root), Ok(cgroup_id), Ok(location)) = (root, id, path) else { return occasion.filtered() };
        let Some((mut entry, occasion)) = emit::reserve::<CgroupRecord>(occasion) else { return };
        let record = entry.as_mut_ptr();
        (*record).kind = RecordKind::Cgroup as u8;
        (*record).reserved = 0;
        (*record).hierarchy = root;
        (*record).cgroup_id = cgroup_id;
        (*record).time_ns = bpf_ktime_get_boot_ns();
        (*record).reserved3 = 0;
        let name = ctx.as_ptr().cast::<u8>().add((location & 0xffff) as usize);
        let read = bpf_probe_read_kernel_str((&raw mut (*record).path).cast(), PATH_CAP as u32, name.cast());
        (*record).path_len = if read > 0 { (read - 1) as u16 } else { 0 };
        emit::submit(entry, occasion);
    }
}
