//! Secrets of sinks: read where the configuration says, shown nowhere.
//!
//! Belongs here: which files are taken, and what holds the bytes. They are read anew for every connection that needs one, so that
//! a rotated secret counts without a restart.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::{Utf8Error, from_utf8};
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::Duration;

use gdprport_core::delivery::SecretRef;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};

use crate::host::configured::apart;

/// Bytes that a secret may have: a private key of RSA with 16,384 bits has 12,700.
const BYTES_MAX: usize = 64 << 10;

/// How long the file system of a secret or certificate may take.
pub(super) const FILES_WITHIN: Duration = Duration::from_secs(5);

/// Permission bits that others than the owner must not have.
const OTHERS: u32 = 0o077;

/// The bytes of a secret. Nothing that prints shows them, and they are overwritten when it is dropped. What a library copies of
/// them is not: process memory is kept from others by [`seal`].
#[derive(Clone)]
pub(crate) struct Secret(Box<[u8]>);

impl Secret {
    /// The bytes, without the white space behind them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text.
    ///
    /// # Errors
    /// If it is none; the error has no part of it.
    pub(crate) fn text(&self) -> Result<&str, Utf8Error> {
        from_utf8(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        erase(&mut self.0);
    }
}

/// Overwrites bytes so that the compiler does not leave it out.
fn erase(bytes: &mut [u8]) {
    for byte in bytes.iter_mut() {
        // SAFETY: a pointer to one byte that is borrowed for writing.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Why there is no secret. The text names the place and never the secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// It cannot be read.
    #[error("cannot read the secret {place}: {source}")]
    Read { place: String, source: io::Error },
    /// It is a directory, FIFO, device or socket.
    #[error("the secret {place} is no regular file")]
    NotAFile { place: String },
    /// Others can read or change it.
    #[error("the secret {place} has mode {mode:04o}, so that others can read it: `chmod 0600 {}` mends it", path.display())]
    Wide { place: String, path: PathBuf, mode: u32 },
    /// It belongs to somebody else.
    #[error(
        "the secret {place} belongs to user {uid}: it must belong to root or to the user of the deliverer ({ours})"
    )]
    Owner { place: String, uid: u32, ours: u32 },
    /// It is too large.
    #[error("the secret {place} has more than {BYTES_MAX} bytes")]
    Large { place: String },
    /// There is nothing in it.
    #[error("the secret {place} is empty")]
    Empty { place: String },
    /// Credentials are the service manager's, and it passed none.
    #[error(
        "the secret {place} needs `LoadCredential={name}:/path` in gdprport-deliver.service: \
         $CREDENTIALS_DIRECTORY is not set"
    )]
    NoCredentials { place: String, name: String },
}

/// Reads a secret, apart from whatever else is done. White space at its end is not part of it: editors add a line feed.
///
/// # Errors
/// [`SecretError`]: it cannot be read, or others can.
pub(super) async fn read(place: &SecretRef) -> Result<Secret, SecretError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let (what, here) = (place.to_string(), place.clone());
    let read = move || read_from(&here, credentials.as_deref());
    apart(&what, FILES_WITHIN, read)
        .await
        .unwrap_or_else(|late| Err(SecretError::Read { place: what, source: late.into() }))
}

/// The same, as text.
///
/// # Errors
/// One sentence without any of it.
pub(super) async fn text(place: &SecretRef) -> Result<String, String> {
    let secret = read(place).await.map_err(|error| error.to_string())?;
    secret.text().map(str::to_owned).map_err(|_| format!("the secret {place} is no text"))
}

fn read_from(place: &SecretRef, credentials: Option<&Path>) -> Result<Secret, SecretError> {
    let shown = place.to_string();
    match place {
        SecretRef::File(path) => open(path, &shown, OTHERS),
        SecretRef::Credential(name) => match credentials {
            // Its directory is the service's own; a file in it may be readable for the group (systemd.exec(5)).
            Some(directory) => open(&directory.join(&**name), &shown, 0o037),
            None => Err(SecretError::NoCredentials { place: shown, name: name.to_string() }),
        },
    }
}

/// Opens and reads in one: what was checked is what is read.
fn open(path: &Path, shown: &str, refused: u32) -> Result<Secret, SecretError> {
    let place = || shown.to_owned();
    let failed = |source: io::Error| SecretError::Read { place: place(), source };
    // Without O_NONBLOCK opening a FIFO waits for its writer; of a regular file it changes nothing.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let stat = rustix::fs::fstat(&file).map_err(|errno| failed(errno.into()))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(SecretError::NotAFile { place: place() });
    }
    let ours = rustix::process::geteuid().as_raw();
    if stat.st_uid != 0 && stat.st_uid != ours {
        return Err(SecretError::Owner { place: place(), uid: stat.st_uid, ours });
    }
    if stat.st_mode & refused != 0 {
        return Err(SecretError::Wide { place: place(), path: path.to_owned(), mode: stat.st_mode & 0o7777 });
    }
    // One allocation, so that no copy stays behind where it grew.
    let mut bytes = vec![0; BYTES_MAX + 1];
    let mut filled = 0;
    let read = loop {
        match rustix::io::read(&file, &mut bytes[filled..]) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => break Err(failed(errno.into())),
        }
        if filled > BYTES_MAX {
            break Err(SecretError::Large { place: place() });
        }
    };
    let secret = read.and_then(|()| {
        let text = bytes[..filled].trim_ascii_end();
        if text.is_empty() { Err(SecretError::Empty { place: place() }) } else { Ok(Secret(text.into())) }
    });
    erase(&mut bytes);
    secret
}

/// Keeps this process's memory from others: no core dump, no `ptrace`, no `/proc/PID/mem` or `environ` but for root.
pub(crate) fn seal() {
    let no_core = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let no_dump = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if let Err(error) = no_core.and(no_dump) {
        tracing::warn!(%error, "this process's memory may end in a core dump");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(dir: &Path, content: &[u8], mode: u32) -> PathBuf {
        let path = dir.join("key");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        path
    }

    fn said(place: &SecretRef) -> String {
        match read_from(place, None) {
            Ok(secret) => secret.text().expect("text").to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_secret_is_read_without_the_line_feed_behind_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for mode in [0o600, 0o400] {
            let path = file(dir.path(), b"s3cr3t\r\n", mode);
            assert_eq!(said(&SecretRef::File(path.clone())), "s3cr3t");
            fs::remove_file(path).expect("it was written");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        for mode in [0o640, 0o604, 0o666, 0o620, 0o601] {
            let path = file(dir.path(), b"s3cr3t", mode);
            let error = said(&SecretRef::File(path.clone()));
            let (path, mode) = (path.display(), format!("{mode:04o}"));
            assert_eq!(
                error,
                format!(
                    "the secret file:{path} has mode {mode}, so that others can read it: `chmod 0600 {path}` mends it"
                )
            );
        }
    }

    #[test]
    fn a_secret_of_somebody_else_is_refused() {
        let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
        gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
        let dir = tempfile::tempdir().expect("a directory");
        let path = file(dir.path(), b"s3cr3t", 0o600);
        std::os::unix::fs::chown(&path, Some(65_534), None).expect("owner");
        assert!(said(&SecretRef::File(path)).contains("belongs to user 65534"));
    }

    #[test]
    fn what_is_no_file_or_too_large_or_empty_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("a FIFO");
        for path in [fifo, "/dev/zero".into(), dir.path().to_owned()] {
            assert!(said(&SecretRef::File(path)).ends_with("is no regular file"));
        }
        let large = file(dir.path(), &vec![b'x'; BYTES_MAX + 1], 0o600);
        assert!(said(&SecretRef::File(large)).ends_with("has more than 65536 bytes"));
        let empty = file(dir.path(), b"\n\n", 0o600);
        assert!(said(&SecretRef::File(empty)).ends_with("is empty"));
        assert!(said(&SecretRef::File(dir.path().join("none"))).contains("No such file"));
    }

    #[test]
    fn a_credential_is_read_from_the_services_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        file(dir.path(), b"s3cr3t", 0o440);
        let place = SecretRef::Credential("key".into());
        let secret = read_from(&place, Some(dir.path())).expect("readable");
        assert_eq!(secret.bytes(), b"s3cr3t");
        assert_eq!(
            said(&place),
            "the secret credential:key needs `LoadCredential=key:/path` in gdprport-deliver.service: \
             $CREDENTIALS_DIRECTORY is not set"
        );
    }

    #[test]
    fn nothing_that_prints_shows_a_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = file(dir.path(), b"s3cr3t", 0o600);
        let secret = read_from(&SecretRef::File(path), None).expect("readable");
        let copy = secret.clone();
        assert_eq!(format!("{secret} {copy:?}"), "… Secret(…)");
    }
}
