//! Whether others than root can change what a path leads to.
//!
//! Belongs here: owners and modes of a file and of everything on the way to it. What is done about it is `app`'s.
//! Whoever may write the policy decides what is declared, and whoever may rename a directory on the way replaces it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// Mode bits: the group or everybody may write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bit: only the owner of an entry, or of the directory, removes or replaces it.
const STICKY: u32 = 0o1000;
/// Links that the kernel follows on one path (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_CAP: u32 = 40;

/// How others than root can change something. Its text completes "others than root can change it: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The file, directory or link that they can change.
    place: PathBuf,
    kind: &'static str,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It belongs to this user.
    Owner(u32),
    /// Its mode lets others write.
    Mode(u32),
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, kind, how } = self;
        let place = place.display();
        match how {
            How::Owner(uid) => {
                let remedy = remedy_of_owner(&self.place, *kind == "directory");
                write!(f, "the {kind} {place} belongs to user {uid} ({remedy})")
            }
            How::Mode(mode) => {
                write!(f, "the {kind} {place} has mode {mode:04o} (`chmod go-w {place}` mends it)")
            }
        }
    }
}

/// What to do about something that belongs to somebody else. No `chown` of a directory, which may be somebody's home.
pub(crate) fn remedy_of_owner(place: &Path, directory: bool) -> String {
    if directory {
        "keep it in a directory of root's".to_owned()
    } else {
        format!("`chown root {}` mends it", place.display())
    }
}

/// How others can change the file that a path leads to, if they can: the file itself, a directory on the way that they
/// may write to (unless it is sticky, like /tmp), or a link on the way. A file that is missing is the caller's to find.
///
/// # Errors
/// If something on the way cannot be examined.
pub(crate) fn exposure(path: &Path) -> io::Result<Option<Exposure>> {
    walk(path, STICKY, is_ours)
}

/// The same of a directory all of whose files count: others must not add one either.
///
/// # Errors
/// As [`exposure`].
pub(crate) fn exposure_of_directory(path: &Path) -> io::Result<Option<Exposure>> {
    walk(path, 0, is_ours)
}

/// The same of a directory that a daemon writes: it may also be that of the service's user.
///
/// # Errors
/// As [`exposure`].
pub(crate) fn exposure_of_state(path: &Path) -> io::Result<Option<Exposure>> {
    walk(path, 0, is_own)
}

/// The user that the packaged service runs as (`packaging/gdprport.sysusers`).
pub(crate) const SERVICE_USER: &str = "gdprport-sensor";

/// Whether what this user owns is a daemon's: root's, this process's user's, or the service's. A root who starts a daemon by hand
/// goes on with what the service has written.
#[must_use]
pub(crate) fn is_own(uid: u32) -> bool {
    static SERVICE: OnceLock<Option<u32>> = OnceLock::new();
    let service = || uzers::get_user_by_name(SERVICE_USER).map(|user| user.uid());
    is_ours(uid) || *SERVICE.get_or_init(service) == Some(uid)
}

/// A daemon that does not run as root is trusted with what it could change anyway.
fn is_ours(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// `last_sticky`: the bit that makes a directory at the end of the path harmless. `trusted`: whose files are.
fn walk(path: &Path, last_sticky: u32, trusted: fn(u32) -> bool) -> io::Result<Option<Exposure>> {
    let mut place = PathBuf::from("/");
    let mut steps = reversed(&std::path::absolute(path)?);
    if let Some(found) = examine(&place, &fs::symlink_metadata(&place)?, STICKY, trusted) {
        return Ok(Some(found));
    }
    let mut links = 0;
    while let Some(step) = steps.pop() {
        if step == ".." {
            place.pop();
            continue;
        }
        let entry = place.join(step);
        let meta = fs::symlink_metadata(&entry)?;
        let sticky = if steps.is_empty() { last_sticky } else { STICKY };
        if let Some(found) = examine(&entry, &meta, sticky, trusted) {
            return Ok(Some(found));
        }
        if !meta.is_symlink() {
            place = entry;
            continue;
        }
        links += 1;
        if links > LINKS_CAP {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let target = fs::read_link(&entry)?;
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        steps.extend(reversed(&target));
    }
    Ok(None)
}

/// The steps of a path, the first one last.
pub(crate) fn reversed(path: &Path) -> Vec<OsString> {
    let step = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}

fn examine(place: &Path, meta: &Metadata, sticky: u32, trusted: fn(u32) -> bool) -> Option<Exposure> {
    let (kind, sticky) = match () {
        () if meta.is_symlink() => ("link", 0),
        () if meta.is_dir() => ("directory", sticky),
        () => ("file", 0),
    };
    let found = |how| Some(Exposure { place: place.to_owned(), kind, how });
    if !trusted(meta.uid()) {
        return found(How::Owner(meta.uid()));
    }
    let writable = meta.mode() & OTHERS_WRITE != 0 && meta.mode() & sticky == 0;
    // A link's mode means nothing. What is mounted read-only nobody writes, whatever its mode: Kubernetes mounts
    // configuration so, with 0777.
    if writable && !meta.is_symlink() && !is_read_only(place) {
        return found(How::Mode(meta.mode() & 0o7777));
    }
    None
}

fn is_read_only(place: &Path) -> bool {
    statvfs(place).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    use super::*;

    /// A directory with `policy.toml` in `etc`, all of it root's.
    fn scene() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("etc")).expect("a directory");
        fs::write(dir.path().join("etc/policy.toml"), "").expect("a file");
        mode(&dir.path().join("etc"), 0o755);
        mode(&dir.path().join("etc/policy.toml"), 0o644);
        dir
    }

    fn mode(path: &Path, bits: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("mode");
    }

    /// What is said of the policy, without the temporary directory.
    fn said(dir: &Path, path: &str) -> Option<String> {
        let found = exposure(&dir.join(path)).expect("it can be examined")?;
        Some(found.to_string().replace(dir.to_str().expect("UTF-8"), ""))
    }

    #[test]
    fn what_root_alone_can_change_is_not_exposed() {
        let dir = scene();
        for path in ["etc/policy.toml", "etc/../etc/./policy.toml"] {
            assert_eq!(said(dir.path(), path), None, "{path}");
        }
        mode(&dir.path().join("etc"), 0o1777);
        assert_eq!(said(dir.path(), "etc/policy.toml"), None, "sticky, as /tmp");
        let sticky = exposure_of_directory(&dir.path().join("etc")).expect("it can be examined");
        assert!(sticky.is_some(), "but anybody may add a file");
        assert!(exposure(&dir.path().join("etc/none")).is_err());
    }

    #[test]
    fn whatever_lets_others_write_is_named_with_the_remedy() {
        let dir = scene();
        let (etc, file) = (dir.path().join("etc"), dir.path().join("etc/policy.toml"));
        for (bits, shown) in [(0o666, "0666"), (0o664, "0664"), (0o646, "0646")] {
            mode(&file, bits);
            assert_eq!(
                said(dir.path(), "etc/policy.toml"),
                Some(format!(
                    "the file /etc/policy.toml has mode {shown} (`chmod go-w /etc/policy.toml` mends it)"
                ))
            );
        }
        mode(&file, 0o644);
        mode(&etc, 0o775);
        let said_of_etc = said(dir.path(), "etc/policy.toml").expect("others may replace the file");
        assert_eq!(said_of_etc, "the directory /etc has mode 0775 (`chmod go-w /etc` mends it)");
    }

    #[test]
    fn a_file_directory_or_link_of_another_user_is_exposed() {
        let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
        gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
        let dir = scene();
        let (etc, file) = (dir.path().join("etc"), dir.path().join("etc/policy.toml"));
        chown(&file, Some(65_534), None).expect("owner");
        assert_eq!(
            said(dir.path(), "etc/policy.toml").as_deref(),
            Some("the file /etc/policy.toml belongs to user 65534 (`chown root /etc/policy.toml` mends it)")
        );
        chown(&file, Some(0), None).expect("owner");
        chown(&etc, Some(65_534), None).expect("owner");
        assert_eq!(
            said(dir.path(), "etc/policy.toml").as_deref(),
            Some("the directory /etc belongs to user 65534 (keep it in a directory of root's)")
        );
        chown(&etc, Some(0), None).expect("owner");
        symlink("etc/policy.toml", dir.path().join("link")).expect("link");
        symlink(&etc, dir.path().join("way")).expect("link");
        assert_eq!([said(dir.path(), "link"), said(dir.path(), "way/policy.toml")], [None, None]);
        lchown(dir.path().join("link"), Some(65_534), None).expect("owner");
        assert!(said(dir.path(), "link").is_some_and(|said| said.contains("the link /link ")));
        mode(&etc, 0o777);
        assert!(said(dir.path(), "way/policy.toml").is_some_and(|said| said.contains("the directory /etc ")));
    }

    #[test]
    fn links_without_end_are_an_error() {
        let dir = scene();
        symlink("loop", dir.path().join("loop")).expect("link");
        assert!(exposure(&dir.path().join("loop")).is_err());
    }
}
