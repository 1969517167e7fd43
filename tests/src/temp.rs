//! Directories, and small filesystems, that are removed with their guard.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::user::User;

/// A directory that everyone on the host may enter; removed with everything in it on drop.
#[derive(Debug)]
pub struct TempDir {
    inner: tempfile::TempDir,
}

impl TempDir {
    /// Makes one.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let inner =
            tempfile::Builder::new().prefix("gdprport-test-").tempdir().expect("a temporary directory");
        set_mode(inner.path(), 0o755);
        Self { inner }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.path()
    }

    /// The path of `name` inside of it; nothing is created.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file inside of it and returns its path.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        set_mode(&path, 0o644);
        path
    }

    /// Makes a directory inside of it that belongs to `owner`.
    ///
    /// # Panics
    /// When it cannot be made or given away.
    #[must_use]
    pub fn dir_for(&self, name: &str, owner: &User) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir(&path).expect("a fresh directory");
        std::os::unix::fs::chown(&path, Some(owner.uid), Some(owner.gid))
            .expect("root may give a directory away");
        set_mode(&path, 0o700);
        path
    }
}

impl Default for TempDir {
    fn default() -> Self {
        Self::new()
    }
}

/// A file system that answers nothing: a FUSE whose server never speaks. Whoever looks for a file in it waits until it is
/// dropped.
#[derive(Debug)]
pub struct HungDisk {
    target: CString,
    dir: TempDir,
    /// What the server would read. Once it is closed everybody who waits gets an error.
    server: Option<std::fs::File>,
}

impl HungDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// Where FUSE cannot be had.
    pub fn new() -> Result<Self, crate::skip::Missing> {
        use std::os::fd::AsRawFd as _;
        let missing = || crate::skip::Missing::of("FUSE");
        let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let server = device.map_err(|_| missing())?;
        let dir = TempDir::new();
        let place = dir.join("hung");
        std::fs::create_dir(&place).expect("a fresh directory");
        let target = CString::new(place.as_os_str().as_bytes()).expect("a path has no NUL");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
        let options = CString::new(options).expect("digits have no NUL");
        let kind = c"fuse".as_ptr();
        // SAFETY: all pointers are to NUL-terminated strings that outlive the call.
        let done = unsafe { libc::mount(kind, target.as_ptr(), kind, 0, options.as_ptr().cast()) };
        if done == 0 { Ok(Self { target, dir, server: Some(server) }) } else { Err(missing()) }
    }

    /// The path of a name in it; looking at it hangs.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.join("hung").join(name)
    }
}

impl Drop for HungDisk {
    fn drop(&mut self) {
        self.server = None;
        // SAFETY: the pointer is to a NUL-terminated string; a detached mount needs nothing else of ours.
        unsafe { libc::umount2(self.target.as_ptr(), libc::MNT_DETACH) };
    }
}

/// Sets the permission bits of `path`.
///
/// # Panics
/// When that is not allowed.
pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .unwrap_or_else(|e| panic!("cannot set the mode of {}: {e}", path.display()));
}

/// A tmpfs of a given size, mounted inside a directory of its own; unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
    target: CString,
}

impl SmallDisk {
    /// Mounts one that holds `bytes` bytes (rounded up to pages by the kernel).
    ///
    /// # Panics
    /// When mounting is not allowed.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let dir = TempDir::new();
        let target = CString::new(dir.path().as_os_str().as_bytes()).expect("a path has no NUL");
        let options = CString::new(format!("size={bytes},mode=755")).expect("digits have no NUL");
        // SAFETY: all pointers are to NUL-terminated strings that outlive the call.
        let done = unsafe {
            libc::mount(c"tmpfs".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, options.as_ptr().cast())
        };
        assert_eq!(done, 0, "cannot mount a tmpfs: {}", std::io::Error::last_os_error());
        Self { dir, target }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes it read-only, or writable again.
    ///
    /// # Panics
    /// When that is not allowed: also while a file is open for writing in it.
    pub fn writable(&self, writable: bool) {
        let flags = libc::MS_REMOUNT | if writable { 0 } else { libc::MS_RDONLY };
        let none = std::ptr::null();
        // SAFETY: the target is a NUL-terminated string that outlives the call; the rest may be NULL.
        let done = unsafe { libc::mount(none, self.target.as_ptr(), none, flags, none.cast()) };
        assert_eq!(done, 0, "cannot remount: {}", std::io::Error::last_os_error());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // SAFETY: the pointer is to a NUL-terminated string; a detached mount needs nothing else of ours.
        unsafe { libc::umount2(self.target.as_ptr(), libc::MNT_DETACH) };
    }
}
