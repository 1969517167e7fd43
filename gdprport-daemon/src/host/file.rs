//! Finding the file that a name means under a given root directory, and reading its `#!` line.
//!
//! Names come from processes that may be hostile: look-ups never leave the root, never follow magic links,
//! never open anything but regular files, and never wait for one.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, open, openat, openat2, readlinkat_raw,
};
use rustix::io::pread;

use gdprport_core::identity::{FileId, NamedFile, SHEBANG_CAP, shebang};

/// How many `#!` lines in a row the kernel follows (`exec_binprm`, fs/exec.c).
const INTERPRETER_DEPTH: u32 = 5;

/// Links that the kernel follows on one path (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_CAP: u32 = 40;

/// Mode bits: others than the owner may write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bit: only the owner of an entry, or of the directory, removes or replaces it.
const STICKY: u32 = 0o1000;

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
        self.find(path, false, 0)
    }

    /// The same, if only root can have changed what the path leads to: `None` if others may write to a directory on
    /// the path or own a link. The interpreter of a file that others may write to is left out.
    pub(super) fn lookup_settled(&self, path: &str) -> Option<NamedFile> {
        self.find(path, true, 0)
    }

    /// Whether `stat` shows of the file that a path leads to the device and inode that the kernel keeps of it: not on btrfs
    /// and overlayfs. Of a file that is not there it does.
    pub(super) fn shows_kernel_numbers(&self, path: &str) -> bool {
        /// `BTRFS_SUPER_MAGIC` and `OVERLAYFS_SUPER_MAGIC` (include/uapi/linux/magic.h).
        const OTHER_NUMBERS: [rustix::fs::FsWord; 2] = [0x9123_683e, 0x794c_7630];
        self.open_file(path).is_none_or(|(file, _)| {
            fstatfs(&file).is_ok_and(|system| !OTHER_NUMBERS.contains(&system.f_type))
        })
    }

    fn find(&self, path: &str, settled: bool, depth: u32) -> Option<NamedFile> {
        if depth > INTERPRETER_DEPTH || !path.starts_with('/') {
            return None;
        }
        let (file, stat) = if settled { self.walk(path)? } else { self.open_file(path)? };
        let own = own_path(&file);
        let resolved = std::fs::read_link(&own).ok()?.into_os_string().into_string().ok()?;
        let mut interpreter = None;
        if !settled || (stat.st_uid == 0 && stat.st_mode & OTHERS_WRITE == 0) {
            let mut head = [0; SHEBANG_CAP];
            let len = read_head(&own, &mut head)?;
            if let Some(name) = shebang(&head[..len]) {
                interpreter = Some(Box::new(self.find(name, settled, depth + 1)?));
            }
        }
        let id = FileId { dev: stat.st_dev, ino: stat.st_ino };
        Some(NamedFile { path: resolved, id, interpreter })
    }

    /// Opens a regular file; the kernel resolves the path.
    fn open_file(&self, path: &str) -> Option<(OwnedFd, Stat)> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(&self.0, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
        let stat = fstat(&file).ok()?;
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some((file, stat))
    }

    /// Walks to a regular file step by step, through directories and links that only root can change.
    fn walk(&self, path: &str) -> Option<(OwnedFd, Stat)> {
        let mut trail = vec![self.0.try_clone().ok()?];
        let mut steps: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut links = 0;
        while let Some(step) = steps.pop() {
            match step.as_str() {
                "" | "." => continue,
                ".." => {
                    trail.truncate(trail.len().max(2) - 1);
                    continue;
                }
                _ => {}
            }
            let here = trail.last()?;
            let settled = fstat(here).ok()?;
            let sticky = settled.st_mode & STICKY != 0;
            if settled.st_uid != 0 || (settled.st_mode & OTHERS_WRITE != 0 && !sticky) {
                return None;
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let entry = openat(here, step.as_str(), flags, Mode::empty()).ok()?;
            let stat = fstat(&entry).ok()?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => trail.push(entry),
                // In a sticky directory nobody can remove root's entries, but anyone can add a hard link.
                FileType::Symlink if stat.st_uid == 0 && stat.st_nlink == 1 && links < LINKS_CAP => {
                    links += 1;
                    let target = read_link(&entry, c"")?;
                    let target = String::from_utf8(target).ok()?;
                    if target.starts_with('/') {
                        trail.truncate(1);
                    }
                    steps.extend(target.rsplit('/').map(str::to_owned));
                }
                FileType::RegularFile
                    if steps.iter().all(String::is_empty) && (stat.st_uid == 0 || !sticky) =>
                {
                    return Some((entry, stat));
                }
                _ => return None,
            }
        }
        None
    }
}

/// The path through which a descriptor of this process can be opened again.
fn own_path(file: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The target of a symbolic link, up to 4096 bytes.
pub(super) fn read_link(dir: &OwnedFd, name: &CStr) -> Option<Vec<u8>> {
    let mut buffer = [0; 4096];
    let len = readlinkat_raw(dir, name, &mut buffer[..]).ok()?;
    Some(buffer[..len].to_vec())
}

fn read_head(path: &str, head: &mut [u8]) -> Option<usize> {
    // Known to be a regular file; O_NONBLOCK still keeps another process's lease from making this wait.
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
    fn a_path_that_others_can_change_is_not_settled() {
        let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
        gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let mode =
            |name: &str, bits| fs::set_permissions(at(name), fs::Permissions::from_mode(bits)).expect("mode");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        script(&at("program"), "\x7fELF");
        script(&at("script"), "#!/program\n");
        for name in ["open", "sticky", "theirs"] {
            fs::create_dir(at(name)).expect("folder");
            symlink("/program", at(name).join("link")).expect("link");
        }
        mode("open", 0o777);
        mode("sticky", 0o1777);
        std::os::unix::fs::chown(at("theirs"), Some(5), None).expect("owner can be set");
        symlink("/program", at("sticky/foreign")).expect("link");
        std::os::unix::fs::lchown(at("sticky/foreign"), Some(5), None).expect("owner can be set");
        fs::hard_link(at("sticky/link"), at("sticky/second")).expect("link");
        fs::hard_link(at("sticky/link"), at("second")).expect("link");
        symlink("../sticky/../program", at("theirs-not")).expect("link");

        let root = Root::open(dir.path()).expect("root");
        let program = root.lookup("/program").expect("found");
        for name in ["/program", "/theirs-not", "/./sticky/..//program"] {
            assert_eq!(root.lookup_settled(name).as_ref(), Some(&program), "{name}");
        }
        let found = root.lookup_settled("/script").expect("found");
        assert_eq!(found.program(), &program);
        for name in
            ["/open/link", "/theirs/link", "/sticky/foreign", "/sticky/second", "/second", "/none", "program"]
        {
            assert_eq!(root.lookup_settled(name), None, "{name}");
        }
        mode("script", 0o777);
        let found = root.lookup_settled("/script").expect("the path is settled");
        assert_eq!(found.interpreter, None, "its first line is not");
    }

    #[test]
    fn an_interpreter_that_names_itself_is_not_found() {
        let dir = tempfile::tempdir().expect("a directory");
        script(&dir.path().join("loop"), "#!/loop\n");
        assert_eq!(Root::open(dir.path()).expect("root").lookup("/loop"), None);
    }
}
