//! OpenLDAP.

use std::path::PathBuf;
use std::process::Command;

use super::server::{Server, into_log};
use crate::cgroup::Cgroup;
use crate::child::{Child, Place};
use crate::ports::{Port, is_listening};
use crate::puppet::real;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::tls::{self, Identity};
use crate::user::User;

const SUFFIX: &str = "dc=gdprport,dc=test";
const ADMINISTRATOR: &str = "cn=administrator,dc=gdprport,dc=test";

/// An slapd with an empty database, with this password of the administrator.
#[derive(Debug)]
pub struct OpenLdap {
    /// The running server.
    pub server: Server,
    client: PathBuf,
    password: String,
}

impl OpenLdap {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when OpenLDAP or its clients are not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start(password: &str) -> Result<Self, Missing> {
        Self::made(password, None)
    }

    /// The same, offering StartTLS.
    ///
    /// # Errors
    /// [`Missing`] when OpenLDAP, its clients or openssl are not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls(password: &str) -> Result<Self, Missing> {
        Self::made(password, Some(tls::identity()?))
    }

    fn made(password: &str, identity: Option<&Identity>) -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/slapd"], "slapd")?;
        let client = installed(&["/usr/bin/ldapsearch"], "ldap-utils")?;
        let user = User::named("openldap")?;
        let (dir, cgroup, port) = (TempDir::new(), Cgroup::service(), Port::free());
        let mut configuration = "include /etc/ldap/schema/core.schema\n".to_owned();
        if let Some(identity) = identity {
            let files = identity.write_into(&dir, &user);
            configuration += &format!("TLSCertificateFile {}\n", files.certificate.display());
            configuration += &format!("TLSCertificateKeyFile {}\n", files.key.display());
            configuration += &format!("TLSCACertificateFile {}\n", files.authority.display());
        }
        let data = dir.dir_for("data", &user);
        configuration += &format!(
            "database ldif\nsuffix {SUFFIX}\nrootdn {ADMINISTRATOR}\nrootpw {password}\ndirectory {}\n",
            data.display()
        );
        let mut command = Command::new(&program);
        // Any debug level, even 0, keeps it in the foreground.
        command.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/"), "-f"]);
        command.arg(dir.write("slapd.conf", &configuration)).current_dir(dir.path());
        into_log(&mut command, &dir);
        let child = Child::start(command, Place::default().cgroup(&cgroup).user(&user));
        let exe = real(&program);
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
        server.wait_until(|server| is_listening(server.port.number()));
        Ok(Self { server, client, password: password.to_owned() })
    }

    /// A client that sends the administrator's password and reads the root's entry, with these `options` about TLS.
    /// What it trusts is written into `dir`.
    #[must_use]
    pub fn client(&self, dir: &TempDir, options: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["-x", "-D", ADMINISTRATOR, "-w", &self.password, "-LLL", "-s", "base", "-b", ""]);
        command.args(options);
        command.args(["-H", &format!("ldap://127.0.0.1:{}/", self.server.port)]);
        if let Ok(identity) = tls::identity() {
            command.env("LDAPTLS_CACERT", identity.write_authority(dir));
        }
        command
    }
}
