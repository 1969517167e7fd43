//! The memory limit of this process, from its cgroup and those above it, and returning unused memory to the kernel.
//!
//! Belongs here: finding the limit, configuring the allocator. Does not belong here: using the limit (`app::config`).

use std::fs;
use std::path::{Path, PathBuf};

/// The lowest limit in bytes that a cgroup sets on this process; `None` if none does, or it cannot be read.
#[must_use]
pub(crate) fn limit() -> Option<u64> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let (top, own, file) = place(&cgroups, &mounts)?;
    let own = top.join(own.trim_start_matches('/'));
    own.ancestors().take_while(|dir| dir.starts_with(&top)).filter_map(|dir| read(&dir.join(file))).min()
}

/// Blocks of this size or more go back to the kernel as soon as they are freed. glibc's own threshold is the same at
/// first, but grows with the largest block ever freed: after one of 6 MB, such as the kernel's type information, no
/// such block would ever be returned.
const LARGE: libc::c_int = 128 << 10;

/// Makes the allocator return large blocks to the kernel. Call this before there are other threads.
pub(crate) fn return_large_blocks() {
    // SAFETY: plain call that sets parameters of the allocator; a value that it rejects changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

/// Returns free memory to the kernel, also between blocks that are in use: starting and bursts leave much of it. Takes
/// a millisecond for every few ten megabytes, so call it rarely.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function takes no pointer, and may be called by any thread at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The mount point of the hierarchy with the memory controller, this process's path in it, and the file of a limit.
/// Version 1 where it has the controller, because then version 2 does not.
fn place(cgroups: &str, mounts: &str) -> Option<(PathBuf, String, &'static str)> {
    let path = |wanted: &str| {
        cgroups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|controller| controller == wanted).then(|| path.to_owned())
        })
    };
    let mount = |kind: &str, option: Option<&str>| {
        mounts.lines().find_map(|line| {
            // proc_pid_mountinfo(5): behind a lone hyphen come type, source and options of the file system.
            let (fields, rest) = line.split_once(" - ")?;
            let mut rest = rest.split(' ');
            let is_kind = rest.next() == Some(kind);
            let options = rest.nth(1).unwrap_or_default();
            let has = option.is_none_or(|wanted| options.split(',').any(|option| option == wanted));
            (is_kind && has).then(|| PathBuf::from(fields.split(' ').nth(4).unwrap_or("/")))
        })
    };
    match path("memory") {
        Some(own) => Some((mount("cgroup", Some("memory"))?, own, "memory.limit_in_bytes")),
        None => Some((mount("cgroup2", None)?, path("")?, "memory.max")),
    }
}

/// A limit; `max`, and version 1's number near the largest one, mean that there is none.
fn read(file: &Path) -> Option<u64> {
    let limit: u64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (limit < u64::MAX / 4).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_controller_is_found_in_either_cgroup_version() {
        let hybrid = "9:name=systemd:/\n4:memory:/a/b\n0::/u\n";
        let mounts = "30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                      31 25 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
        let (top, own, file) = place(hybrid, mounts).expect("version 1");
        assert_eq!(
            (top.to_str(), &*own, file),
            (Some("/sys/fs/cgroup/memory"), "/a/b", "memory.limit_in_bytes")
        );
        let unified = "0::/system.slice/gdprport.service\n";
        let (top, own, file) = place(unified, mounts).expect("version 2");
        let expected = (Some("/sys/fs/cgroup/unified"), "/system.slice/gdprport.service", "memory.max");
        assert_eq!((top.to_str(), &*own, file), expected);
        assert_eq!(place("", mounts), None);
        assert_eq!(place(unified, ""), None);
    }

    #[test]
    fn no_limit_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("memory.max");
        assert_eq!(read(&file), None);
        for (text, expected) in
            [("max\n", None), ("9223372036854771712\n", None), ("67108864\n", Some(64 << 20))]
        {
            fs::write(&file, text).expect("it can be written");
            assert_eq!(read(&file), expected, "{text}");
        }
    }

    #[test]
    fn this_process_has_a_sensible_limit_or_none() {
        assert!(limit().is_none_or(|limit| limit > 1 << 20));
    }
}
