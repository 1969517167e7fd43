//! Tracepoint formats: the offsets of their fields differ between kernels, and tracefs has them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

/// Where the kernel documents that tracefs is mounted (Documentation/trace/ftrace.rst).
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tracefs {
    /// It is mounted here.
    At(PathBuf),
    /// Only root may read this directory, so it may be mounted there.
    Hidden(PathBuf),
    /// It is not mounted.
    Absent,
}

/// Looks for tracefs at its usual mount points.
#[must_use]
pub(crate) fn find() -> Tracefs {
    find_in(&MOUNT_POINTS.map(Path::new))
}

fn find_in(places: &[&Path]) -> Tracefs {
    let mut seen = Tracefs::Absent;
    for place in places {
        match std::fs::metadata(place.join("events")) {
            Ok(events) if events.is_dir() => return Tracefs::At((*place).to_owned()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && seen == Tracefs::Absent => {
                seen = Tracefs::Hidden((*place).to_owned());
            }
            Ok(_) | Err(_) => {}
        }
    }
    seen
}

fn place() -> Option<PathBuf> {
    if let Tracefs::At(place) = find() { Some(place) } else { None }
}

/// Finds tracefs, and mounts it if needed: minimal systems and containers do not, and without it no tracepoint can be
/// attached.
pub(super) fn find_or_mount() -> Option<PathBuf> {
    if let Some(place) = place() {
        return Some(place);
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match mount("tracefs", MOUNT_POINTS[0], "tracefs", flags, None) {
        Ok(()) => tracing::info!(place = MOUNT_POINTS[0], "mounted tracefs"),
        Err(error) => tracing::debug!(%error, "tracefs is not mounted and cannot be"),
    }
    place()
}

/// Byte offset of `field` in the record of tracepoint `category/name`, `None` if there is no such field.
pub(super) fn offset(tracefs: &Path, category: &str, name: &str, field: &str) -> Option<u32> {
    let format = std::fs::read_to_string(tracefs.join("events").join(category).join(name).join("format"));
    parse_offset(&format.ok()?, field)
}

/// The lines read `field:TYPE NAME; offset:N; size:N; signed:N;`, with tabs, an array's name followed by `[N]`.
pub(in crate::host) fn parse_offset(format: &str, field: &str) -> Option<u32> {
    format.lines().find_map(|line| {
        let mut parts = line.trim().strip_prefix("field:")?.split(';');
        let name = parts.next()?.rsplit(' ').next()?;
        if name.split('[').next() != Some(field) {
            return None;
        }
        parts.next()?.trim().strip_prefix("offset:")?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORK_5_10: &str = "name: sched_process_fork\nID: 316\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
        \tfield:char parent_comm[16];\toffset:8;\tsize:16;\tsigned:1;\n\
        \tfield:pid_t parent_pid;\toffset:24;\tsize:4;\tsigned:1;\n\
        \tfield:char child_comm[16];\toffset:28;\tsize:16;\tsigned:1;\n\
        \tfield:pid_t child_pid;\toffset:44;\tsize:4;\tsigned:1;\n";

    const FORK_6_18: &str = "format:\n\tfield:__data_loc char[] parent_comm;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t child_pid;\toffset:20;\tsize:4;\tsigned:1;\n";

    #[test]
    fn fields_are_found_at_each_kernels_offsets() {
        assert_eq!(parse_offset(FORK_5_10, "child_pid"), Some(44));
        assert_eq!(parse_offset(FORK_6_18, "child_pid"), Some(20));
        assert_eq!(parse_offset(FORK_5_10, "parent_comm"), Some(8));
        assert_eq!(parse_offset(FORK_6_18, "parent_comm"), Some(8));
    }

    #[test]
    fn tracefs_is_the_first_place_that_has_events() {
        let dir = tempfile::tempdir().expect("directory");
        let (first, second) = (dir.path().join("tracing"), dir.path().join("debug"));
        let places = [first.as_path(), second.as_path()];
        assert_eq!(find_in(&places), Tracefs::Absent);
        std::fs::create_dir_all(second.join("events")).expect("directory");
        assert_eq!(find_in(&places), Tracefs::At(second.clone()));
    }

    #[test]
    fn a_missing_field_is_not_found() {
        assert_eq!(parse_offset(FORK_5_10, "child"), None);
        assert_eq!(parse_offset("field:;offset", "child"), None);
        assert_eq!(parse_offset("", "child"), None);
    }
}
