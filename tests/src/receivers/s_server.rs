//! `openssl s_server` with a certificate of the test's choice: the server of TLS handshakes that must fail.

use std::process::{Command, Stdio};

use crate::authority::Issued;
use crate::child::{Child, Place};
use crate::ports::{Port, is_listening};
use crate::skip::Missing;
use crate::tls::openssl;
use crate::wait;

/// A running server.
#[derive(Debug)]
pub struct SServer {
    _child: Child,
    port: Port,
}

impl SServer {
    /// Starts one on `127.0.0.1` that shows this certificate; `options` are its own.
    ///
    /// # Errors
    /// [`Missing`] when openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not listen.
    pub fn start(shows: &Issued, options: &[&str]) -> Result<Self, Missing> {
        let port = Port::free();
        let mut command = Command::new(openssl()?);
        command.args(["s_server", "-quiet", "-4", "-accept", &format!("127.0.0.1:{port}")]);
        command.arg("-cert").arg(&shows.certificate).arg("-key").arg(&shows.key).args(options);
        // An open input: at its end the server would close its connection.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Child::start(command, Place::default());
        wait::until("s_server listens", || is_listening(port.number()));
        Ok(Self { _child: child, port })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }
}
