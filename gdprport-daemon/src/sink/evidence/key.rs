//! The private key of the log: a file that only its owner reads, made by the first start, or a credential that systemd passes.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::{KeyName, SecretKey};

use crate::host::secret;

/// The first word of the file.
const FORMAT: &str = "gdprport.key/1";

/// Bytes that are read of a file that has some 400 at most.
const BYTES_MAX: u64 = 4_096;

/// Mode bits by which somebody else than its owner could use it.
const OF_OTHERS: u32 = 0o077;

/// The same of a credential: systemd lets the service's user read it by an access list, which shows as the group's bit.
const OF_OTHERS_BUT_LIST: u32 = 0o037;

/// The name of a log and of its key.
#[must_use]
pub(crate) fn name_of(host: &str) -> KeyName {
    let plain = host.replace(|c: char| c.is_whitespace() || c.is_control() || c == '+', "_");
    KeyName::new(&format!("gdprport/{}", &plain[..plain.floor_char_boundary(253)]))
        .expect("neither empty nor with white space")
}

/// Reads the key, or makes one for this host where it is a file.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn read_or_make(place: &SecretRef, host: &str) -> Result<SecretKey, String> {
    match (read(place), place) {
        (Err(Unread::Absent), SecretRef::File(path)) => make(path, host),
        (Err(Unread::Absent), SecretRef::Credential(name)) => Err(not_passed(name)),
        (Ok(key), _) => Ok(key),
        (Err(Unread::Unusable(why)), _) => Err(why),
    }
}

/// The file of a key that can be replaced by another one.
///
/// # Errors
/// A sentence: it is a credential.
pub(super) fn file(place: &SecretRef) -> Result<&Path, String> {
    match place {
        SecretRef::File(path) => Ok(path),
        SecretRef::Credential(name) => Err(format!(
            "the log's key is the credential {name}, which the daemon cannot replace: stop gdprport, run `gdprport evidence rotate DIR --key FILE` on the file that systemd reads it from, and start it"
        )),
    }
}

/// The place of a key as it is shown.
pub(crate) fn shown(place: &SecretRef) -> String {
    match place {
        SecretRef::File(path) => path.display().to_string(),
        SecretRef::Credential(_) => place.to_string(),
    }
}

fn not_passed(name: &str) -> String {
    format!(
        "the log's key is the credential {name}, which systemd does not pass: write `LoadCredential={name}:FILE` into a drop-in of gdprport.service"
    )
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// There is no file.
    Absent,
    /// It cannot be used: why, and what to do.
    Unusable(String),
}

/// Reads a key.
///
/// # Errors
/// If there is none, or it cannot be used.
pub(crate) fn read(place: &SecretRef) -> Result<SecretKey, Unread> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    read_of(place, credentials.as_deref())
}

/// The same. `credentials`: the directory that systemd passes.
fn read_of(place: &SecretRef, credentials: Option<&Path>) -> Result<SecretKey, Unread> {
    match (place, credentials) {
        (SecretRef::File(path), _) => read_file(path),
        (SecretRef::Credential(name), Some(directory)) => {
            let remedy = |mode| {
                format!(
                    "others can read the log's key, the credential {name}: it has mode {mode:04o} where systemd gives 0400 or 0440; pass it by `LoadCredential={name}:FILE`"
                )
            };
            read_within(&directory.join(&**name), OF_OTHERS_BUT_LIST, remedy)
        }
        (SecretRef::Credential(_), None) => Err(Unread::Absent),
    }
}

/// Reads the key in a file.
///
/// # Errors
/// If there is none, or it cannot be used.
pub(super) fn read_file(path: &Path) -> Result<SecretKey, Unread> {
    let shown = path.display();
    read_within(path, OF_OTHERS, |mode| {
        format!(
            "cannot use the log's key {shown}, as others can read it: it has mode {mode:04o}; if nobody has, `chmod go= {shown}` mends it, else `gdprport evidence rotate` makes another one"
        )
    })
}

/// Reads a key whose file has none of these mode bits; otherwise there is this remedy.
fn read_within(path: &Path, refused: u32, remedy: impl Fn(u32) -> String) -> Result<SecretKey, Unread> {
    let shown = path.display();
    let (bytes, mode) = match secret::read(path, BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Unread::Absent),
        Err(error) => return Err(Unread::Unusable(format!("cannot read the log's key {shown}: {error}"))),
        Ok(read) => read,
    };
    if mode & refused != 0 {
        return Err(Unread::Unusable(remedy(mode)));
    }
    parse(&bytes).ok_or_else(|| {
        Unread::Unusable(format!(
            "{shown} is no key of a log: one line `{FORMAT} NAME BASE64`; put the right one back, or move it away to begin another log"
        ))
    })
}

fn parse(bytes: &[u8]) -> Option<SecretKey> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.trim_end().split(' ');
    if words.next() != Some(FORMAT) {
        return None;
    }
    let (name, secret) = (KeyName::new(words.next()?)?, STANDARD.decode(words.next()?).ok()?);
    if words.next().is_some() {
        return None;
    }
    Some(SecretKey::new(name, &secret.try_into().ok()?))
}

/// The bytes of the file of a key.
fn written(name: &KeyName, secret: &[u8; 32]) -> Vec<u8> {
    format!("{FORMAT} {name} {}\n", STANDARD.encode(secret)).into_bytes()
}

fn make(path: &Path, host: &str) -> Result<SecretKey, String> {
    let key = write_new(path, &name_of(host))?;
    tracing::info!(
        file = %path.display(),
        public = %key.public(),
        "the evidence log's key was made: keep its public half where nobody with root on this host can change it"
    );
    Ok(key)
}

/// Makes a key of this name, in a file that only its owner reads.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn write_new(path: &Path, name: &KeyName) -> Result<SecretKey, String> {
    let failed = |error: io::Error| {
        format!("cannot make the log's key {}: {error}; set `evidence.key`", path.display())
    };
    let secret = secret::random::<32>().map_err(failed)?;
    secret::replace(path, &written(name, &secret), "", 0).map_err(failed)?;
    Ok(SecretKey::new(name.clone(), &secret))
}

/// Why a rotation cannot go on.
pub(super) fn unchanged(path: &Path, error: &io::Error) -> String {
    format!("the next key of the log cannot take the place of {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_again_and_only_by_its_owner() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("evidence.key");
        let place = SecretRef::File(path.clone());
        let made = read_or_make(&place, "db1.example.org").expect("made");
        assert_eq!(made.public().name().as_str(), "gdprport/db1.example.org");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let again = read_or_make(&place, "another name").expect("read");
        assert_eq!(again.public(), made.public(), "a log keeps its name");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it is ours");
        let refused = read_or_make(&place, "x").expect_err("others can read it");
        assert!(refused.contains("chmod go="), "{refused}");
    }

    #[test]
    fn a_credential_is_read_and_never_made_or_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, place) = (dir.path().join("log-key"), SecretRef::Credential("log-key".into()));
        let passed = Some(dir.path());
        assert_eq!(read_of(&place, None).err(), Some(Unread::Absent));
        assert_eq!(read_of(&place, passed).err(), Some(Unread::Absent));
        let refused = read_or_make(&place, "x").expect_err("nothing was passed to a test");
        assert!(refused.contains("LoadCredential=log-key:FILE"), "{refused}");
        let made = read_or_make(&SecretRef::File(path.clone()), "db1.example.org").expect("made");
        for mode in [0o400, 0o440, 0o600] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            let read = read_of(&place, passed).expect("as systemd passes it");
            assert_eq!(read.public(), made.public(), "{mode:o}");
        }
        for mode in [0o444, 0o460, 0o402] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            let Err(Unread::Unusable(why)) = read_of(&place, passed) else { panic!("{mode:o} was taken") };
            assert!(why.contains(&format!("{mode:04o}")) && why.contains("LoadCredential"), "{why}");
        }
        let refused = file(&place).expect_err("it is systemd's");
        assert!(refused.contains("evidence rotate DIR --key FILE"), "{refused}");
    }

    #[test]
    fn another_file_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("evidence.key");
        for text in ["", "x", "gdprport.key/1 a", "gdprport.key/1 a AAAA", "gdprport.key/2 a b"] {
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
            let refused = read_or_make(&SecretRef::File(path.clone()), "x").expect_err("it is no key");
            assert!(refused.contains("is no key of a log"), "{refused}");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
    }

    #[test]
    fn a_host_with_a_strange_name_has_a_log_too() {
        for host in ["", "a b", "a+b", "\u{2003}\n", &"x".repeat(400)] {
            assert!(name_of(host).as_str().starts_with("gdprport/"));
        }
    }
}
