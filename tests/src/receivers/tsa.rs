//! A time-stamping authority: `openssl ts -reply` behind the fake HTTP server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::http_fake::{Protocol, Reply, Request, Taken};
use crate::authority::{Authority, Issued, Valid};
use crate::child::Place;
use crate::client::run;
use crate::skip::Missing;
use crate::temp::TempDir;
use crate::tls::openssl;

/// An authority, with a certificate by another one that is trusted.
#[derive(Debug)]
pub struct Tsa {
    openssl: PathBuf,
    dir: TempDir,
    authority: Authority,
    _issued: Issued,
}

impl Tsa {
    /// Makes one.
    ///
    /// # Errors
    /// [`Missing`] when openssl is not installed.
    pub fn new() -> Result<Self, Missing> {
        let (openssl, dir, authority) = (openssl()?, TempDir::new(), Authority::new("stamps")?);
        let issued = authority.issue_with("tsa", "extendedKeyUsage=critical,timeStamping\n", Valid::Now);
        let config = format!(
            "[tsa]\ndefault_tsa = own\n[own]\nserial = serial\nsigner_cert = {}\nsigner_key = {}\n\
             signer_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n",
            issued.certificate.display(),
            issued.key.display()
        );
        dir.write("tsa.cnf", &config);
        dir.write("serial", "01");
        Ok(Self { openssl, dir, authority, _issued: issued })
    }

    /// The certificate that its own leads to.
    #[must_use]
    pub fn trusted(&self) -> PathBuf {
        self.authority.file()
    }

    /// Whether openssl accepts a timestamp of a file, by certificates that are trusted.
    ///
    /// # Panics
    /// When openssl is not installed.
    #[must_use]
    pub fn accepts(stamp: &Path, file: &Path, trusted: &Path) -> bool {
        let mut command = Command::new(openssl().expect("it was there before"));
        command.args(["ts", "-verify", "-in"]).arg(stamp).arg("-data").arg(file).arg("-CAfile").arg(trusted);
        command.output().is_ok_and(|output| output.status.success())
    }
}

impl Protocol for Tsa {
    fn take(&mut self, request: &Request) -> Taken {
        if request.method != "POST" || request.header("content-type") != Some("application/timestamp-query") {
            return Taken::nothing(Reply::text(415, "this takes application/timestamp-query by POST"));
        }
        fs::write(self.dir.join("request"), &request.body).expect("a fresh directory");
        let mut command = Command::new(&self.openssl);
        command.args("ts -reply -config tsa.cnf -queryfile request -out reply".split(' '));
        command.current_dir(self.dir.path());
        run(command, Place::default());
        let body = fs::read(self.dir.join("reply")).expect("openssl wrote it");
        let kind = ("Content-Type".to_owned(), "application/timestamp-reply".to_owned());
        let reply = Reply { status: 200, headers: vec![kind], body };
        Taken { reply, ids: vec![request.body.iter().map(|byte| format!("{byte:02x}")).collect()] }
    }
}
