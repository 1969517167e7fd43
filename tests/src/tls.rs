//! The tests' own certificate authority, and the certificate that all their servers show.
//!
//! Belongs here: making them, once per test program, and writing them where a server's user can read them. Does not
//! belong here: who uses them and how.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::child::Place;
use crate::client::run;
use crate::skip::{Missing, installed};
use crate::temp::{TempDir, set_mode};
use crate::user::User;

/// The name that the certificate is for, beside `127.0.0.1` and `::1`; clients ask for it (SNI).
pub const NAME: &str = "db.gdprport.test";

/// The subject of the certificate, as events name it (RFC 4514: the most specific part first).
pub const SUBJECT: &str = "CN=db.gdprport.test,O=gdprport tests";

/// The subject of the authority, in the same form.
pub const ISSUER: &str = "CN=test authority,O=gdprport tests";

/// A certificate with its key and authority, all in PEM.
#[derive(Debug)]
pub struct Identity {
    authority: String,
    certificate: String,
    key: String,
}

/// Where an [`Identity`] was written.
#[derive(Debug, Clone)]
pub struct Files {
    /// The authority's certificate: what a client trusts.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key, for its user alone.
    pub key: PathBuf,
}

/// The identity of this test program's servers.
///
/// # Errors
/// [`Missing`] when openssl is not installed.
///
/// # Panics
/// When it is installed and makes no certificate.
pub fn identity() -> Result<&'static Identity, Missing> {
    static MADE: OnceLock<Result<Identity, Missing>> = OnceLock::new();
    MADE.get_or_init(|| openssl().map(|program| Identity::made(&program))).as_ref().map_err(Clone::clone)
}

/// The openssl command.
///
/// # Errors
/// [`Missing`] when it is not installed.
pub fn openssl() -> Result<PathBuf, Missing> {
    installed(&["/usr/bin/openssl"], "openssl")
}

impl Identity {
    fn made(openssl: &Path) -> Self {
        let dir = TempDir::new();
        let names = format!("subjectAltName=DNS:{NAME},IP:127.0.0.1,IP:::1\n");
        dir.write("names", &names);
        let call = |arguments: &str, subject: &str| {
            let mut command = Command::new(openssl);
            command.args(arguments.split_whitespace()).current_dir(dir.path());
            if !subject.is_empty() {
                command.args(["-subj", subject]);
            }
            run(command, Place::default());
        };
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        call(
            &format!("req -x509 -days 2 {new_key} -keyout authority.key -out authority.crt"),
            "/O=gdprport tests/CN=test authority",
        );
        call(
            &format!("req -new {new_key} -keyout leaf.key -out leaf.csr"),
            &format!("/O=gdprport tests/CN={NAME}"),
        );
        let signed_by = "-CA authority.crt -CAkey authority.key -CAcreateserial";
        call(&format!("x509 -req -days 2 -in leaf.csr -out leaf.crt -extfile names {signed_by}"), "");
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect("openssl wrote it");
        Self { authority: read("authority.crt"), certificate: read("leaf.crt"), key: read("leaf.key") }
    }

    /// Writes it into `dir`; the key belongs to `user`, who alone may read it.
    ///
    /// # Panics
    /// When a file cannot be written or given away.
    #[must_use]
    pub fn write_into(&self, dir: &TempDir, user: &User) -> Files {
        let key = dir.write("tls.key", &self.key);
        set_mode(&key, 0o600);
        std::os::unix::fs::chown(&key, Some(user.uid), Some(user.gid)).expect("root may give a file away");
        let certificate = dir.write("tls.crt", &self.certificate);
        Files { authority: self.write_authority(dir), certificate, key }
    }

    /// Writes certificate and key into `dir`, for this program's own user.
    #[must_use]
    pub fn write(&self, dir: &TempDir) -> (PathBuf, PathBuf) {
        (dir.write("tls.crt", &self.certificate), dir.write("tls.key", &self.key))
    }

    /// Writes what a client trusts into `dir`.
    #[must_use]
    pub fn write_authority(&self, dir: &TempDir) -> PathBuf {
        dir.write("authority.crt", &self.authority)
    }
}
