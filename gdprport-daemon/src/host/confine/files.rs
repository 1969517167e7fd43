//! Keeping a thread to its directories, with Landlock (Linux 5.13; security/landlock).

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
};

/// The rights that are taken, as Linux 6.10 knows them; an older kernel takes those that it knows.
const KNOWN: ABI = ABI::V5;

/// Where a thread may write. It may execute nothing, and make no device and no socket.
#[derive(Debug, Clone, Copy)]
pub(super) enum Places<'a> {
    None,
    /// Nowhere, but it may remove files of this directory.
    RemoveIn(&'a Path),
    /// These files, and what is beside them.
    Write(&'a [PathBuf]),
}

/// Confines the calling thread, and those that it starts.
pub(super) fn confine(places: Places<'_>) -> Result<(), String> {
    restrict(places).map_err(|error| error.to_string())
}

fn restrict(places: Places<'_>) -> Result<(), RulesetError> {
    let handled = AccessFs::from_write(KNOWN) | AccessFs::Execute;
    let mut rules = Ruleset::default().handle_access(handled)?.create()?;
    let (allowed, directories): (BitFlags<AccessFs>, Vec<PathBuf>) = match places {
        Places::None => (BitFlags::empty(), Vec::new()),
        Places::RemoveIn(directory) => (AccessFs::RemoveFile.into(), vec![directory.to_owned()]),
        Places::Write(files) => (writing(), files.iter().flat_map(|file| around(file)).collect()),
    };
    for directory in directories {
        // One that is not there has nothing to write to.
        if let Ok(open) = PathFd::new(&directory) {
            rules = rules.add_rule(PathBeneath::new(open, allowed))?;
        }
    }
    rules.restrict_self().map(drop)
}

fn writing() -> BitFlags<AccessFs> {
    let special = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::IoctlDev;
    AccessFs::from_write(KNOWN) & !special
}

/// The directories above the one that a path is in, as it is written and as it is without links. Not that directory itself: a
/// rule holds for the directory that was there, and one that is deleted and made again is another.
fn around(path: &Path) -> Vec<PathBuf> {
    let above = |path: &Path| {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mut above = directory.ancestors().skip(1);
        above.find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned()
    };
    let written = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut found = vec![above(&written)];
    found.extend(std::fs::canonicalize(path).ok().map(|real| above(&real)));
    found
}

/// The version of Landlock that this kernel has; `None`: it has none, or it is not switched on.
#[must_use]
pub(crate) fn landlock_version() -> Option<u32> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` (include/uapi/linux/landlock.h).
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel takes no attributes, and returns a number.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What happens on a thread of its own: nothing lifts what it gave up.
    fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))
    }

    #[test]
    fn a_writer_writes_where_it_may_and_nowhere_else() {
        if landlock_version().is_none() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (own, other) = (dir.path().join("a/own"), dir.path().join("b"));
        for directory in [&own, &other] {
            fs::create_dir_all(directory).expect("a directory");
        }
        let file = own.join("events");
        apart(|| {
            confine(Places::Write(std::slice::from_ref(&file))).expect("it is confined");
            fs::write(&file, "x").expect("its own file");
            fs::rename(&file, own.join("events.1")).expect("a rotation");
            fs::remove_dir_all(&own).expect("its own directory");
            fs::create_dir(&own).expect("made again");
            fs::write(&file, "y").expect("written again");
            let refused = fs::write(other.join("file"), "z").expect_err("another place");
            assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
            assert_eq!(fs::read(&file).expect("what it may read is not its matter"), b"y");
        });
        fs::write(other.join("file"), "z").expect("no other thread is confined");
    }

    #[test]
    fn a_server_removes_its_socket_and_writes_nothing() {
        if landlock_version().is_none() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("control.sock");
        fs::write(&socket, "").expect("a file");
        apart(|| {
            confine(Places::RemoveIn(dir.path())).expect("it is confined");
            assert!(fs::write(&socket, "x").is_err() && fs::write(dir.path().join("y"), "x").is_err());
            fs::remove_file(&socket).expect("its own");
        });
        apart(|| {
            confine(Places::None).expect("it is confined");
            assert!(fs::write(dir.path().join("y"), "x").is_err());
        });
    }
}
