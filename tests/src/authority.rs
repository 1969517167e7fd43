//! A certificate authority for clients under test: it issues whatever a bad day has, such as certificates that expired.
//!
//! Belongs here: making certificates with openssl. The one that all servers of the other tests show is `tls`'s.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::child::Place;
use crate::client::run;
use crate::skip::Missing;
use crate::temp::{TempDir, set_mode};
use crate::tls::openssl;

const CONFIG: &str = "\
[ca]
default_ca = own
[own]
new_certs_dir = .
database = index
rand_serial = yes
default_md = sha256
policy = any
certificate = authority.crt
private_key = authority.key
unique_subject = no
[any]
commonName = supplied
";

/// An authority with its key; its files are removed with it.
#[derive(Debug)]
pub struct Authority {
    openssl: PathBuf,
    dir: TempDir,
    /// `openssl ca` has files that two of it would break.
    one: Mutex<()>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's, mode 0600.
    pub key: PathBuf,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valid {
    /// Since yesterday, for two days.
    Now,
    /// In January 2024 only.
    Past,
    /// From the year 2090 on.
    Future,
}

impl Authority {
    /// Makes one of this name.
    ///
    /// # Errors
    /// [`Missing`] when openssl is not installed.
    ///
    /// # Panics
    /// When it is installed and makes no certificate.
    pub fn new(name: &str) -> Result<Self, Missing> {
        let new = Self { openssl: openssl()?, dir: TempDir::new(), one: Mutex::new(()) };
        new.dir.write("ca.cnf", CONFIG);
        new.dir.write("index", "");
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        new.call(&format!(
            "req -x509 -days 2 {new_key} -keyout authority.key -out authority.crt -subj /CN={name}"
        ));
        Ok(new)
    }

    /// Its own certificate: what is trusted.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("authority.crt")
    }

    /// Issues a certificate for these names, such as `DNS:a.example` or `IP:127.0.0.1`; `label` names its files.
    ///
    /// # Panics
    /// When openssl makes none.
    #[must_use]
    pub fn issue(&self, label: &str, names: &[&str], valid: Valid) -> Issued {
        self.issue_with(label, &format!("subjectAltName={}\n", names.join(",")), valid)
    }

    /// Issues a certificate with these extensions, each a line of openssl's configuration.
    ///
    /// # Panics
    /// When openssl makes none.
    #[must_use]
    pub fn issue_with(&self, label: &str, extensions: &str, valid: Valid) -> Issued {
        let _one = self.one.lock().expect("no other test has panicked in here");
        let key = format!("{label}.key");
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.call(&format!("req -new {new_key} -keyout {key} -out {label}.csr -subj /CN={label}"));
        self.dir.write("extensions", &format!("{extensions}basicConstraints=CA:FALSE\n"));
        let dates = match valid {
            Valid::Now => "-days 2",
            Valid::Past => "-startdate 20240101000000Z -enddate 20240201000000Z",
            Valid::Future => "-startdate 20900101000000Z -enddate 20910101000000Z",
        };
        self.call(&format!(
            "ca -batch -config ca.cnf -notext -in {label}.csr -out {label}.crt -extfile extensions {dates}"
        ));
        let issued = Issued { certificate: self.dir.join(format!("{label}.crt")), key: self.dir.join(&key) };
        set_mode(&issued.key, 0o600);
        issued
    }

    fn call(&self, arguments: &str) {
        let mut command = Command::new(&self.openssl);
        command.args(arguments.split_whitespace()).current_dir(self.dir.path());
        run(command, Place::default());
    }
}
