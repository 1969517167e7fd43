//! What a daemon under test says of itself.

use serde_json::Value;

use crate::daemon::Daemon;

/// The hook that sees processes in `accept` itself, where the kernel offers it.
pub const IN_ACCEPT: &str = "fexit/inet_csk_accept";

impl Daemon {
    /// The output of `daemon status --json`.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.status_or_error().unwrap_or_else(|error| panic!("status failed: {error}"))
    }

    /// The same, or what was printed instead, as by a daemon that has too much to do to answer in time.
    ///
    /// # Errors
    /// What the command printed as its error.
    ///
    /// # Panics
    /// When the output is not JSON.
    pub fn status_or_error(&self) -> Result<Value, String> {
        let output = self.ask(["daemon", "status", "--json"]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).expect("the status is JSON"))
    }

    /// Whether it sees processes in `accept` itself; elsewhere an accept without an address is its listener's.
    #[track_caller]
    pub fn sees_accept(&self) -> bool {
        let status = self.status();
        let hooks = status["hooks"].as_array().map(Vec::as_slice).unwrap_or_default();
        hooks.iter().any(|entry| entry["name"] == IN_ACCEPT && entry["state"] == "attached")
    }

    /// One port of the status; `null` if it is not listed.
    #[track_caller]
    pub fn port_status(&self, port: u16) -> Value {
        let status = self.status();
        let ports = status["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        ports.iter().find(|entry| entry["number"] == port).cloned().unwrap_or_default()
    }
}
