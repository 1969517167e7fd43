//! Taking the socket's path: for one daemon alone, with the right owner from the start, and giving it back.
//!
//! Belongs here: the lock, the dead daemon's socket, modes and owners. Does not belong here: serving.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

use super::caller::Credentials;
use crate::control::address::{DEFAULT_SOCKET, DELIVER_SOCKET};
use crate::control::limits::BACKLOG;

/// Tries at the lock, for the case that its file is replaced between opening and locking it.
const LOCK_TRIES: u32 = 8;

/// Why the control socket could not be bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Another daemon serves it.
    #[error(
        "another gdprport daemon{} already answers on {}: stop it, or give this one a path of its own with --socket",
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), path.display()
    )]
    Taken {
        /// The other daemon's process id, if the kernel reports it.
        pid: Option<u32>,
        path: PathBuf,
    },
    /// Something else stands at the path.
    #[error("{} exists and is not a socket: it was left alone; remove it or choose another path with --socket", .0.display())]
    NotASocket(PathBuf),
    /// The path cannot name a socket.
    #[error("{} cannot be a socket's path: it needs a file name and at most 107 bytes; choose another with --socket", .0.display())]
    BadPath(PathBuf),
    /// The directory of a path that was chosen does not exist.
    #[error("cannot listen on {}: the directory {} does not exist: create it or choose another path with --socket", path.display(), directory.display())]
    NoDirectory {
        path: PathBuf,
        /// The directory that is missing.
        directory: PathBuf,
    },
    /// The system refused.
    #[error(
        "cannot {doing} {}: {source}; start it as root, or choose a path whose directory it may write with --socket",
        path.display()
    )]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// The path, taken. Removes the socket and the lock when dropped.
#[derive(Debug)]
pub(super) struct SocketPath {
    path: PathBuf,
    /// Device and inode of our socket: another's is never removed.
    socket: (u64, u64),
    lock_path: PathBuf,
    _lock: File,
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.socket) {
            let _ = fs::remove_file(&self.path);
        }
        // Still locked: another daemon that has it open finds after locking that the path names another file.
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Takes `path`: creates its directory (0755) if missing and the default's, removes the socket of a dead daemon,
/// listens with mode 0660 and the given group where one is given and may be set.
pub(super) fn take(path: &Path, group: Option<u32>) -> Result<(UnixListener, SocketPath), BindError> {
    let address = SocketAddrUnix::new(path).map_err(|_| BindError::BadPath(path.to_owned()))?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(BindError::BadPath(path.to_owned()));
    };
    if !parent.as_os_str().is_empty() && !parent.exists() {
        // A mistyped path must not leave directories behind.
        if ![DEFAULT_SOCKET, DELIVER_SOCKET].iter().any(|ours| path == Path::new(ours)) {
            return Err(BindError::NoDirectory { path: path.to_owned(), directory: parent.to_owned() });
        }
        create_directory(parent)?;
    }
    let mut lock_name = name.to_owned();
    lock_name.push(".lock");
    let lock_path = path.with_file_name(lock_name);
    let lock = lock(&lock_path, path)?;
    clear(path)?;
    let listener = create(path, &address, group)?;
    let meta = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    let socket_path =
        SocketPath { path: path.to_owned(), socket: (meta.dev(), meta.ino()), lock_path, _lock: lock };
    Ok((listener, socket_path))
}

/// Creates `/run/gdprport`, which systemd would have made; not what should be above it.
fn create_directory(path: &Path) -> Result<(), BindError> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        // Another daemon was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map_err(failed("create the directory", path)),
    }
}

/// Two daemons that start at once must not both find the path free.
fn lock(lock_path: &Path, path: &Path) -> Result<File, BindError> {
    for _ in 0..LOCK_TRIES {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(lock_path)
            .map_err(failed("open the lock file", lock_path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let pid = UnixStream::connect(path)
                    .and_then(|stream| Credentials::of(&stream))
                    .ok()
                    .and_then(|peer| peer.pid);
                return Err(BindError::Taken { pid, path: path.to_owned() });
            }
            Err(errno) => return Err(failed("lock", lock_path)(errno.into())),
        }
        let ours = file.metadata().map_err(failed("look at", lock_path))?;
        if fs::metadata(lock_path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(BindError::Taken { pid: None, path: path.to_owned() })
}

/// Removes what a dead daemon left at the path; refuses if that daemon lives or if it is not a socket.
fn clear(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", path)(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(stream) => {
            let pid = Credentials::of(&stream).ok().and_then(|peer| peer.pid);
            Err(BindError::Taken { pid, path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed("remove the dead daemon's socket", path))
        }
        Err(error) => Err(failed("find out who serves", path)(error)),
    }
}

fn create(path: &Path, address: &SocketAddrUnix, group: Option<u32>) -> Result<UnixListener, BindError> {
    let listen_at = failed("listen on", path);
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(|errno| listen_at(errno.into()))?;
    // Linux takes the new file's mode from the socket's own (net/unix/af_unix.c, unix_bind_bsd): nobody but
    // the owner can connect before group and mode are set below, whatever the umask.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)
        .and_then(|()| bind(&socket, address))
        .map_err(|errno| listen_at(errno.into()))?;
    // As a service it has the group already, and needs no right to set one.
    if let Some(gid) = group.filter(|gid| fs::symlink_metadata(path).is_ok_and(|meta| meta.gid() != *gid)) {
        match std::os::unix::fs::lchown(path, None, Some(gid)) {
            Ok(()) => {}
            // Not root: the group stays the caller's own, who can still use the socket.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(path = %path.display(), gid, "the control socket keeps this process's own group");
            }
            Err(error) => return Err(failed("set the group of", path)(error)),
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed("set the mode of", path))?;
    listen(&socket, BACKLOG).map_err(|errno| listen_at(errno.into()))?;
    Ok(UnixListener::from(socket))
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> BindError + use<> {
    let path = path.to_owned();
    move |source| BindError::Io { doing, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_owner_and_group_and_gone_afterwards() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        let (_listener, socket_path) = take(&path, None).expect("free path");
        assert_eq!(fs::metadata(&path).expect("socket").permissions().mode() & 0o777, 0o660);
        drop(socket_path);
        assert_eq!(fs::read_dir(dir.path()).expect("directory").count(), 0);
    }

    #[test]
    fn a_directory_that_is_missing_is_named_and_not_created() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("run/gdprport/control.sock");
        let error = take(&path, None).expect_err("no directory").to_string();
        let expected =
            format!("the directory {} does not exist: ", dir.path().join("run/gdprport").display());
        assert!(error.contains(&expected), "{error}");
        assert_eq!(fs::read_dir(dir.path()).expect("directory").count(), 0);
    }

    #[test]
    fn a_live_daemon_is_refused_by_pid_and_keeps_its_socket() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        let _first = take(&path, None).expect("free path");
        let second = take(&path, None).expect_err("taken path").to_string();
        let expected = format!("another gdprport daemon (pid {}) already answers on ", std::process::id());
        assert!(second.starts_with(&expected), "{second}");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_live_socket_without_a_lock_is_refused_as_well() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        let _other = UnixListener::bind(&path).expect("free path");
        assert!(matches!(take(&path, None), Err(BindError::Taken { pid: Some(_), .. })));
    }

    #[test]
    fn a_dead_daemons_socket_is_replaced() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        drop(UnixListener::bind(&path).expect("free path"));
        let (_listener, _socket_path) = take(&path, None).expect("dead socket");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        fs::write(&path, "precious").expect("write");
        assert!(matches!(take(&path, None), Err(BindError::NotASocket(_))));
        assert_eq!(fs::read(&path).expect("read"), b"precious");
    }

    #[test]
    fn a_lock_that_cannot_be_opened_says_what_to_do() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        std::os::unix::fs::symlink("elsewhere", dir.path().join("control.sock.lock")).expect("link");
        let error = take(&path, None).expect_err("a link is not followed").to_string();
        assert!(error.starts_with("cannot open the lock file "), "{error}");
        assert!(error.contains("; start it as root, or choose ") && error.contains("--socket"), "{error}");
    }

    #[test]
    fn of_two_daemons_that_start_at_once_one_is_refused() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        drop(UnixListener::bind(&path).expect("free path"));
        let taken: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| take(&path, None))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 1);
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let path = PathBuf::from(format!("/{}", "x".repeat(120)));
        assert!(matches!(take(&path, None), Err(BindError::BadPath(_))));
    }
}
