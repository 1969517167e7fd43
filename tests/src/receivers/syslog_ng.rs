//! syslog-ng over TCP, without flow control or disk buffers: what it has read is in its file soon.

use std::process::Command;

use super::process::Process;
use super::provided;
use super::syslog;
use crate::ports::{Port, is_listening};
use crate::skip::Missing;
use crate::temp::TempDir;

/// A running syslog-ng.
#[derive(Debug)]
pub struct SyslogNg {
    process: Process,
    port: Port,
    dir: TempDir,
}

impl SyslogNg {
    /// Starts one on `127.0.0.1`: its `syslog()` source, which counts octets.
    ///
    /// # Errors
    /// [`Missing`] when it was not set up.
    ///
    /// # Panics
    /// When it was and does not listen.
    pub fn start() -> Result<Self, Missing> {
        let program = provided("syslog-ng/usr/sbin/syslog-ng")?;
        let root = provided("syslog-ng")?;
        let (port, dir) = (Port::free(), TempDir::new());
        let at = dir.path().display().to_string();
        let text = format!(
            "@version: 3.38\n\
             options {{ keep-hostname(yes); flush-lines(1); }};\n\
             source in {{ syslog(ip(\"127.0.0.1\") port({port}) transport(\"tcp\") max-connections(10)); }};\n\
             destination out {{ file(\"{at}/out\" template(\"[${{SDATA}} ${{FACILITY}}.${{LEVEL}} ${{MSGID}} ${{MESSAGE}}\\n\")); }};\n\
             log {{ source(in); destination(out); flags(flow-control); }};\n"
        );
        let config = dir.write("syslog-ng.conf", &text);
        let start = move || {
            let mut command = Command::new(&program);
            let library = |place: &str| root.join(place).display().to_string();
            let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
            let libraries =
                [format!("usr/lib/{multiarch}"), format!("lib/{multiarch}"), "usr/lib/syslog-ng".to_owned()];
            command.env("LD_LIBRARY_PATH", libraries.map(|place| library(&place)).join(":"));
            command.args([
                "--foreground",
                "--no-caps",
                "--stderr",
                "--module-path",
                &library("usr/lib/syslog-ng/3.38"),
            ]);
            command.arg("--cfgfile").arg(&config);
            for (option, name) in [("--persist-file", "persist"), ("--control", "ctl"), ("--pidfile", "pid")]
            {
                command.arg(option).arg(format!("{at}/{name}"));
            }
            command
        };
        let number = port.number();
        let process = Process::new(dir.path(), start, move || is_listening(number));
        Ok(Self { process, port, dir })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it with SIGTERM, as its service manager does: it ends its connections in order, and may lose what it has read.
    pub fn end(&mut self) {
        self.process.end();
    }

    /// Ends it with SIGKILL: what it has read and not yet written is lost, and no sender can know of it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port; what it has is kept.
    pub fn restart(&mut self) {
        self.process.restart();
    }

    /// Whether it reads, or only its sockets are there.
    pub fn pause(&self, paused: bool) {
        self.process.pause(paused);
    }

    /// The ids of the events that it has, in the order of arrival, each as often as it arrived.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        syslog::ids(&self.dir.join("out"))
    }
}
