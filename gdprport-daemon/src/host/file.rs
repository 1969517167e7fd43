//! Finding the file that a name means under a given root directory, and reading its `#!` line.
//!
//! Names come from processes that may be hostile: look-ups never leave the root, never follow magic links,
//! never open anything but regular files, and never wait for one.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::pread;

use crate::core::identity::{FileId, NamedFile, SHEBANG_CAP, shebang};

/// How many `#!` lines in a row the kernel follows (`exec_binprm`, fs/exec.c).
const INTERPRETER_DEPTH: u32 = 5;

/// A root directory under which names are looked up.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens a directory as a root; `None` if it may not be opened.
    pub(super) fn open(path: &Path) -> Option<Self> {
        open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok().map(Self)
    }

    pub(super) const fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The regular file that an absolute path leads to under this root, symbolic links followed, with its
    /// interpreter if it is a script. `None` if there is none, or if its interpreter cannot be found.
    pub(super) fn lookup(&self, path: &str) -> Option<NamedFile> {
        self.lookup_nested(path, 0)
    }

    fn lookup_nested(&self, path: &str, depth: u32) -> Option<NamedFile> {
        if depth > INTERPRETER_DEPTH || !path.starts_with('/') {
            return None;
        }
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(&self.0, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
        let stat = fstat(&file).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let own = own_path(&file);
        let resolved = std::fs::read_link(&own).ok()?.into_os_string().into_string().ok()?;
        let mut head = [0; SHEBANG_CAP];
        let len = read_head(&own, &mut head)?;
        let interpreter = match shebang(&head[..len]) {
            Some(name) => Some(Box::new(self.lookup_nested(name, depth + 1)?)),
            None => None,
        };
        let id = FileId { dev: stat.st_dev, ino: stat.st_ino };
        Some(NamedFile { path: resolved, id, interpreter })
    }
}

/// The path through which a descriptor of this process can be opened again.
fn own_path(file: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn read_head(path: &str, head: &mut [u8]) -> Option<usize> {
    // Known to be a regular file; O_NONBLOCK still keeps a lease of somebody else from making this wait.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty()).ok()?;
    pread(&file, head, 0).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn script(path: &Path, text: &str) {
        fs::write(path, text).expect("the file can be written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode can be set");
    }

    #[test]
    fn follows_links_and_scripts_without_leaving_the_root() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        script(&at("python3.11"), "\x7fELF");
        symlink("/python3.11", at("python3")).expect("link");
        script(&at("run.py"), "#! /python3 -u\nprint()");
        symlink("run.py", at("start")).expect("link");
        symlink("../../../../../etc/passwd", at("out")).expect("link");
        symlink("/proc/self/exe", at("magic")).expect("link");
        fs::create_dir(at("folder")).expect("folder");

        let root = Root::open(dir.path()).expect("root");
        let python = root.lookup("/python3").expect("found through an absolute link, inside of the root");
        assert_eq!(Path::new(&python.path), at("python3.11").canonicalize().expect("exists"));
        assert_eq!(python.interpreter, None);
        let start = root.lookup("/start").expect("found");
        assert_eq!(start.path, at("run.py").canonicalize().expect("exists").to_str().expect("utf-8"));
        assert_eq!(start.program(), &python);
        for name in ["/out", "/magic", "/folder", "/none", "run.py", ""] {
            assert_eq!(root.lookup(name), None, "{name}");
        }
    }

    #[test]
    fn interpreters_that_call_themselves_end() {
        let dir = tempfile::tempdir().expect("a directory");
        script(&dir.path().join("loop"), "#!/loop\n");
        assert_eq!(Root::open(dir.path()).expect("root").lookup("/loop"), None);
    }
}
