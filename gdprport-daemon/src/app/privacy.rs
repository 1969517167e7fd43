//! The key of pseudonyms, and all else that `[privacy]` takes: read before anything is watched.
//!
//! Belongs here: where the key is, and why it cannot be used. What is done with it is `core::privacy`'s. The daemon does not
//! start without a key that it was to use: it must not show what it was to hide.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdprport_core::privacy::{Accounts, Key, KeyId, NotAKey, Privacy};
use jiff::Timestamp;

use super::config::{PrivacyConfig, Subject};
use super::policy::Trust;
use crate::host::configured;
use crate::host::secret::{self, Replaced};
use crate::host::trust::{Exposure, exposure};

/// The name of the credential that has the key, in the directory that systemd passes (systemd.exec(5), Credentials).
pub(crate) const CREDENTIAL: &str = "pseudonyms";

/// Bytes that are read of a file that should have at most 66.
const KEY_BYTES_MAX: u64 = 4_096;

/// Bytes that are read of the files of users and groups: some fifty thousand lines.
const ACCOUNTS_BYTES_MAX: u64 = 4 << 20;

/// Mode bits of a key that somebody else than its owner could read or write by.
const OF_OTHERS: u32 = 0o077;

/// The same of a credential: systemd lets the service's user read it by an access list, which shows as the group's bit.
const OF_OTHERS_BUT_LIST: u32 = 0o037;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivacyError {
    /// Nobody says where it is.
    #[error(
        "[privacy] has no key: name a file by `key`, which `gdprport privacy rotate` makes, or pass one by systemd's LoadCredential={CREDENTIAL}:FILE"
    )]
    NoKey,
    /// There is none.
    #[error("there is no key of pseudonyms {}: `gdprport privacy rotate` makes one", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read the key of pseudonyms {}: {source}", path.display())]
    Read {
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// Others can read it.
    #[error("cannot use the key of pseudonyms {}, as others can read it: it has mode {mode:04o} (`chmod go= {}` mends it, and if they may have read it, `gdprport privacy rotate`)", path.display(), path.display())]
    Open { path: PathBuf, mode: u32 },
    /// Others can change it.
    #[error("cannot use the key of pseudonyms {}, as others than root can change it: {how}", path.display())]
    Exposed {
        path: PathBuf,
        /// How they can.
        how: Exposure,
    },
    /// It is none.
    #[error("cannot use the key of pseudonyms {}: {source}; `gdprport privacy rotate` makes one", path.display())]
    Invalid {
        path: PathBuf,
        /// What is wrong.
        source: NotAKey,
    },
    /// A new one cannot be written.
    #[error("cannot write the key of pseudonyms {}: {source}", path.display())]
    Write {
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

/// What is shown of peers and persons; `None`: everything as it is. `credentials`: the directory that systemd passes.
///
/// # Errors
/// If pseudonyms are asked for and their key cannot be used.
pub(crate) fn load(
    config: &PrivacyConfig,
    trust: Trust,
    credentials: Option<&Path>,
) -> Result<Option<Arc<Privacy>>, PrivacyError> {
    let wants = |subject| config.pseudonymise.contains(&subject);
    let key = match config.pseudonymise.is_empty() {
        true => None,
        false => Some(key(config, trust, credentials)?),
    };
    let of = |subject| key.clone().filter(|_| wants(subject));
    let accounts = if wants(Subject::Users) { accounts() } else { Accounts::default() };
    Ok(Privacy::new(of(Subject::Peers), of(Subject::Users), config.truncate, accounts).map(Arc::new))
}

/// The key that the configuration or systemd names.
fn key(config: &PrivacyConfig, trust: Trust, credentials: Option<&Path>) -> Result<Key, PrivacyError> {
    match (&config.key, credentials.map(|directory| directory.join(CREDENTIAL))) {
        (Some(path), _) => read(path, trust, OF_OTHERS),
        (None, Some(path)) => match read(&path, Trust::Anyone, OF_OTHERS_BUT_LIST) {
            Err(PrivacyError::Missing(_)) => Err(PrivacyError::NoKey),
            key => key,
        },
        (None, None) => Err(PrivacyError::NoKey),
    }
}

/// The key in a file of somebody who asks for pseudonyms.
///
/// # Errors
/// If it cannot be used.
pub(crate) fn read_key(path: &Path, trust: Trust) -> Result<Key, PrivacyError> {
    read(path, trust, OF_OTHERS)
}

fn read(path: &Path, trust: Trust, others: u32) -> Result<Key, PrivacyError> {
    let path = path.to_owned();
    let place = path.clone();
    let read = move || {
        let read = secret::read(&place, KEY_BYTES_MAX)?;
        Ok((read, exposure(&place)?))
    };
    let done = configured::within(configured::START_WITHIN, read);
    let ((content, mode), exposed) = match done.unwrap_or_else(|late| Err(io::Error::from(late))) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(PrivacyError::Missing(path)),
        Err(source) => return Err(PrivacyError::Read { path, source }),
    };
    if mode & others != 0 {
        return Err(PrivacyError::Open { path, mode });
    }
    match (exposed, trust) {
        (Some(how), Trust::RootOnly) => return Err(PrivacyError::Exposed { path, how }),
        // The text names a user by number, who may be a person.
        (Some(_), Trust::Anyone) => tracing::debug!("others than root can change {}", path.display()),
        (None, _) => {}
    }
    Key::parse(&content).map_err(|source| PrivacyError::Invalid { path, source })
}

/// What the host's own files say of users and groups. Without them paths below `/home` and the user of each process are
/// known all the same.
fn accounts() -> Accounts {
    let read = |path: &'static str| {
        let done = configured::within(configured::START_WITHIN, move || {
            configured::read(Path::new(path), ACCOUNTS_BYTES_MAX)
        });
        match done.unwrap_or_else(|late| Err(io::Error::from(late))) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                tracing::warn!(%error, path, "homes outside of /home are not recognised as those of persons");
                String::new()
            }
        }
    };
    Accounts::parse(&read("/etc/passwd"), &read("/etc/group"))
}

/// A new key, and what became of the one before.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The new one's id.
    pub key: KeyId,
    pub files: Replaced,
}

/// Makes a new key. The one before is kept beside it with the time until which it was used, and so many old ones in all.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn rotate(path: &Path, keep: usize, now: Timestamp) -> Result<Rotated, PrivacyError> {
    let failed = |source| PrivacyError::Write { path: path.to_owned(), source };
    let secret = secret::random().map_err(failed)?;
    let until = now.strftime("%Y-%m-%dT%H%M%S.%6fZ").to_string();
    let files = secret::replace(path, Key::line(&secret).as_bytes(), &until, keep).map_err(failed)?;
    Ok(Rotated { key: Key::new(secret).id(), files })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(key: Option<&Path>) -> PrivacyConfig {
        PrivacyConfig {
            pseudonymise: [Subject::Peers, Subject::Users].into(),
            key: key.map(Path::to_owned),
            truncate: None,
        }
    }

    fn write(path: &Path, content: &[u8], mode: u32) {
        fs::write(path, content).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    }

    #[test]
    fn without_a_usable_key_there_is_one_sentence() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let refused = |trust| {
            let error = load(&config(Some(&path)), trust, None).expect_err("refused").to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
            error
        };
        assert!(refused(Trust::RootOnly).contains("gdprport privacy rotate"), "missing");
        write(&path, b"short", 0o600);
        assert!(refused(Trust::RootOnly).contains("it has 5 bytes"));
        let good = Key::line(&secret::random().expect("random bytes"));
        for mode in [0o640, 0o604, 0o620] {
            write(&path, good.as_bytes(), mode);
            assert!(refused(Trust::Anyone).contains("chmod go="), "{mode:o}");
        }
        let error = load(&config(None), Trust::RootOnly, None).expect_err("no key").to_string();
        assert!(error.contains("LoadCredential=pseudonyms:"), "{error}");
        write(&path, good.as_bytes(), 0o600);
        assert!(load(&config(Some(&path)), Trust::RootOnly, None).expect("a key").is_some());
        let error =
            load(&config(None), Trust::RootOnly, Some(dir.path())).expect_err("another name").to_string();
        assert!(error.contains("LoadCredential"), "{error}");
    }

    #[test]
    fn a_credential_is_taken_where_no_key_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let secret = secret::random().expect("random bytes");
        write(&dir.path().join(CREDENTIAL), &secret, 0o440);
        let privacy =
            load(&config(None), Trust::RootOnly, Some(dir.path())).expect("a key").expect("asked for");
        assert_eq!(privacy.applied().key.as_deref(), Some(&*Key::new(secret).id().to_string()));
    }

    #[test]
    fn a_new_key_is_another_one_and_the_old_one_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys/pseudonyms");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let first = rotate(&path, 1, at("2026-11-29T09:00:00Z")).expect("made");
        let second = rotate(&path, 1, at("2026-11-29T10:00:00Z")).expect("made");
        assert_ne!(first.key, second.key);
        let kept = second.files.kept.expect("kept");
        assert!(kept.ends_with("pseudonyms.until-2026-11-29T100000.000000Z"), "{}", kept.display());
        assert_eq!(read_key(&kept, Trust::RootOnly).expect("a key").id(), first.key);
        assert_eq!(read_key(&path, Trust::RootOnly).expect("a key").id(), second.key);
    }

    #[test]
    fn truncation_takes_no_key() {
        let truncate = gdprport_core::privacy::Truncate::new(24, 48);
        let config = PrivacyConfig { truncate, ..PrivacyConfig::default() };
        let privacy = load(&config, Trust::RootOnly, None).expect("no key").expect("asked for");
        assert_eq!(privacy.address("10.1.2.3".parse().expect("an address")).to_string(), "10.1.2.0");
        assert!(load(&PrivacyConfig::default(), Trust::RootOnly, None).expect("nothing").is_none());
    }
}
