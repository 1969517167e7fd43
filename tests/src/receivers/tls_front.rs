//! TLS in front of a receiver that has none: socat with a certificate of the test's choice.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::authority::Issued;
use crate::child::{Child, Place};
use crate::ports::{Port, is_listening};
use crate::skip::{Missing, installed};
use crate::wait;

/// A running one.
#[derive(Debug)]
pub struct TlsFront {
    _child: Child,
    port: Port,
}

impl TlsFront {
    /// Starts one on `127.0.0.1` that shows this certificate; `options` are those of socat's `OPENSSL-LISTEN`.
    ///
    /// # Errors
    /// [`Missing`] when socat is not installed.
    ///
    /// # Panics
    /// When it is and does not listen.
    pub fn start(shows: &Issued, to: SocketAddr, options: &str) -> Result<Self, Missing> {
        let program = installed(&["/usr/bin/socat"], "socat")?;
        let port = Port::free();
        let (certificate, key) = (shows.certificate.display(), shows.key.display());
        let mut command = Command::new(program);
        command.arg(format!(
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={certificate},key={key},{options}"
        ));
        command.arg(format!("TCP:{to}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Child::start(command, Place::default());
        wait::until("socat listens", || is_listening(port.number()));
        Ok(Self { _child: child, port })
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}
