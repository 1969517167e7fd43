//! Postfix and Dovecot, each with a configuration of its own and none of the host's.

use std::path::Path;
use std::process::Command;

use super::server::{Server, into_log};
use crate::cgroup::Cgroup;
use crate::child::{Child, Place};
use crate::ports::{Port, is_listening};
use crate::puppet::real;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::tls;
use crate::user::User;

/// A Postfix that offers STARTTLS and delivers nothing.
#[derive(Debug)]
pub struct Postfix {
    /// The running server; its `pid` and `exe` are the starter's.
    pub server: Server,
}

impl Postfix {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when Postfix or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/postfix"], "postfix")?;
        let user = User::named("postfix")?;
        let (dir, cgroup, port) = (TempDir::new(), Cgroup::service(), Port::free());
        let files = tls::identity()?.write_into(&dir, &User::named("root")?);
        let data = dir.dir_for("data", &user);
        for name in ["conf", "queue"] {
            std::fs::create_dir(dir.join(name)).expect("a fresh directory");
        }
        dir.write(
            "conf/main.cf",
            &format!(
                "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\n\
                 inet_protocols = ipv4\nmyhostname = mx.gdprport.test\nmydestination =\n\
                 alias_maps =\nalias_database =\nlocal_recipient_maps =\n\
                 smtpd_peername_lookup = no\nmaillog_file = /dev/stdout\n\
                 smtpd_tls_security_level = may\n\
                 smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n",
                queue = dir.join("queue").display(),
                data = data.display(),
                certificate = files.certificate.display(),
                key = files.key.display(),
            ),
        );
        dir.write(
            "conf/master.cf",
            &format!(
                "127.0.0.1:{port} inet n - n - - smtpd\n\
                 rewrite unix - - n - - trivial-rewrite\n\
                 anvil unix - - n - 1 anvil\n\
                 tlsmgr unix - - n 1000? 1 tlsmgr\n\
                 postlog unix-dgram n - n - 1 postlogd\n"
            ),
        );
        let mut command = Command::new(&program);
        command.arg("-c").arg(dir.join("conf")).arg("start-fg").current_dir(dir.path());
        Ok(Self { server: started(command, &program, dir, cgroup, port, user) })
    }
}

/// A Dovecot that offers STARTTLS for IMAP and accepts no password.
#[derive(Debug)]
pub struct Dovecot {
    /// The running server; its `user` is that of the process that greets.
    pub server: Server,
}

impl Dovecot {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when Dovecot or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/dovecot"], "dovecot-imapd")?;
        installed(&["/usr/lib/dovecot/imap-login"], "dovecot-imapd")?;
        let user = User::named("dovenull")?;
        let (dir, cgroup, port) = (TempDir::new(), Cgroup::service(), Port::free());
        let files = tls::identity()?.write_into(&dir, &User::named("root")?);
        for name in ["base", "state"] {
            std::fs::create_dir(dir.join(name)).expect("a fresh directory");
        }
        let configuration = dir.write(
            "dovecot.conf",
            &format!(
                "base_dir = {base}\nstate_dir = {state}\nlog_path = /dev/stderr\nprotocols = imap\n\
                 listen = 127.0.0.1\ndisable_plaintext_auth = no\nauth_failure_delay = 0\n\
                 ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n\
                 service imap-login {{\n inet_listener imap {{\n port = {port}\n }}\n \
                 inet_listener imaps {{\n port = 0\n }}\n}}\n\
                 passdb {{\n driver = static\n args = password=another\n}}\n",
                base = dir.join("base").display(),
                state = dir.join("state").display(),
                certificate = files.certificate.display(),
                key = files.key.display(),
            ),
        );
        let mut command = Command::new(&program);
        command.args(["-F", "-c"]).arg(configuration).current_dir(dir.path());
        Ok(Self { server: started(command, &program, dir, cgroup, port, user) })
    }
}

fn started(
    mut command: Command,
    program: &Path,
    dir: TempDir,
    cgroup: Cgroup,
    port: Port,
    user: User,
) -> Server {
    into_log(&mut command, &dir);
    let child = Child::start(command, Place::default().cgroup(&cgroup));
    let exe = real(program);
    let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
    server.wait_until(|server| is_listening(server.port.number()));
    server
}
