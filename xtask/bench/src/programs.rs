//! The kernel's statistics of BPF programs: which are loaded, which processes hold them, how long they ran.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};
use gdprport_tests::bpf::Held;
use serde_json::{Value, json};

/// `BPF_PROG_TYPE_CGROUP_DEVICE` and `BPF_PROG_TYPE_CGROUP_SYSCTL` of `enum bpf_prog_type` in
/// `include/uapi/linux/bpf.h`: every container has some, and none runs for a connection.
const ASIDE: [u32; 2] = [15, 23];

/// Every loaded program of the types that can slow down a connection or a process, with its run time and whether one of
/// `pids` holds it.
pub(crate) fn list(pids: &[u32]) -> Value {
    let held: BTreeSet<u32> = pids.iter().flat_map(|pid| Held::by(*pid).programs).collect();
    loaded_programs()
        // A program may be unloaded during the listing.
        .filter_map(Result::ok)
        .filter(|program| !ASIDE.contains(&(program.program_type() as u32)))
        .map(|program| {
            json!({
                "id": program.id(),
                "name": program.name_as_str().unwrap_or_default(),
                "held": held.contains(&program.id()),
                "run_ns": u64::try_from(program.run_time().as_nanos()).unwrap_or(u64::MAX),
                "runs": program.run_count(),
            })
        })
        .collect()
}

/// Makes the kernel measure the run time of programs until the descriptor is closed.
///
/// # Errors
/// It refuses; before 5.8 it does not know how.
pub(crate) fn measure() -> Result<OwnedFd, String> {
    enable_stats(Stats::RunTime).map_err(|error| error.to_string())
}
