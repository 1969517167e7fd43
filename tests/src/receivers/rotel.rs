//! `rotel`, a real collector of OpenTelemetry: takes OTLP over HTTP and forwards it to a fake, which keeps the ids.
//!
//! What it has taken and not forwarded is in its memory: after a kill only what came through counts.

use std::path::PathBuf;
use std::process::Command;

use super::http_fake::Fake;
use super::process::Process;
use super::{otlp, provided};
use crate::ports::{Port, is_listening};
use crate::skip::Missing;
use crate::temp::TempDir;

/// A running collector, and what is behind it.
#[derive(Debug)]
pub struct Rotel {
    process: Process,
    /// What it forwards to.
    pub behind: Fake,
    http: u16,
    _ports: [Port; 2],
    _dir: TempDir,
}

impl Rotel {
    /// Starts one on `127.0.0.1`.
    ///
    /// # Errors
    /// [`Missing`] when it is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        let program = program()?;
        let behind = Fake::start(otlp::Otlp::default());
        let (dir, http, grpc) = (TempDir::new(), Port::free(), Port::free());
        let (port, pid, log) = (http.number(), dir.join("pid"), dir.join("rotel.log"));
        let (http_at, grpc_at, to) = (format!("127.0.0.1:{http}"), format!("127.0.0.1:{grpc}"), behind.url());
        let start = move || {
            let mut command = Command::new(&program);
            command.args(["start", "--otlp-http-endpoint", &http_at, "--otlp-grpc-endpoint", &grpc_at]);
            command.arg("--pid-file").arg(&pid).arg("--log-file").arg(&log);
            command.args([
                "--exporter",
                "otlp",
                "--otlp-exporter-protocol",
                "http",
                "--batch-timeout",
                "100ms",
            ]);
            command.args(["--otlp-exporter-endpoint", &to]);
            command
        };
        let process = Process::new(dir.path(), start, move || is_listening(port));
        Ok(Self { process, behind, http: port, _ports: [http, grpc], _dir: dir })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.process.restart();
    }
}

/// The program lies in the package, whose folder is named after the version of Python.
fn program() -> Result<PathBuf, Missing> {
    let missing = || Missing::of("rotel (`cargo xtask setup --test-servers` brings it)");
    let folders = std::fs::read_dir(provided("venv/lib")?).map_err(|_| missing())?;
    let programs = folders.flatten().map(|folder| folder.path().join("site-packages/rotel/rotel-agent"));
    programs.into_iter().find(|program| program.exists()).ok_or_else(missing)
}
