//! `openssl s_server`: plain TLS, for handshakes that other servers cannot be made to do.

use std::process::Command;

use super::server::{Server, into_log};
use crate::cgroup::Cgroup;
use crate::child::{Child, Place};
use crate::ports::{Port, is_listening};
use crate::puppet::real;
use crate::skip::Missing;
use crate::temp::TempDir;
use crate::tls;
use crate::user::User;

/// A running `s_server`.
#[derive(Debug)]
pub struct OpenSsl {
    /// The running server.
    pub server: Server,
}

impl OpenSsl {
    /// Starts it on `127.0.0.1` with `options` of its own.
    ///
    /// # Errors
    /// [`Missing`] when openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start(options: &[&str]) -> Result<Self, Missing> {
        let program = tls::openssl()?;
        let (user, dir) = (User::nobody(), TempDir::new());
        let (cgroup, port) = (Cgroup::service(), Port::free());
        let files = tls::identity()?.write_into(&dir, &user);
        let mut command = Command::new(&program);
        command.args(["s_server", "-www", "-4", "-accept", &format!("127.0.0.1:{port}")]).args(options);
        command.arg("-cert").arg(files.certificate).arg("-key").arg(files.key).current_dir(dir.path());
        into_log(&mut command, &dir);
        let child = Child::start(command, Place::default().cgroup(&cgroup).user(&user));
        let exe = real(&program);
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
        server.wait_until(|server| is_listening(server.port.number()));
        Ok(Self { server })
    }

    /// `openssl s_client` with `options`: it shakes hands and leaves.
    ///
    /// # Errors
    /// [`Missing`] when openssl is not installed.
    pub fn client(&self, options: &[&str]) -> Result<Command, Missing> {
        let mut command = Command::new(tls::openssl()?);
        command.args(["s_client", "-servername", tls::NAME, "-connect"]);
        command.arg(format!("127.0.0.1:{}", self.server.port)).args(options);
        Ok(command)
    }
}
