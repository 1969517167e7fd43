//! rsyslog over TCP or TLS, without a queue: what it has read is in its file.

use std::path::PathBuf;
use std::process::Command;

use super::process::Process;
use super::syslog;
use crate::authority::Issued;
use crate::ports::{Port, is_listening};
use crate::skip::{Missing, installed};
use crate::temp::TempDir;

/// How it listens.
#[derive(Debug, Clone)]
pub enum RsyslogTls {
    /// Plain TCP.
    Without,
    /// TLS 1.3; with `clients`, whoever connects must show a certificate of that authority.
    Shows {
        /// Its certificate.
        own: Issued,
        /// Who is trusted.
        authority: PathBuf,
        /// Whether a client must show one.
        clients: bool,
    },
}

/// A running rsyslog.
#[derive(Debug)]
pub struct Rsyslog {
    process: Process,
    port: Port,
    dir: TempDir,
}

impl Rsyslog {
    /// Starts one on `127.0.0.1`.
    ///
    /// # Errors
    /// [`Missing`] when rsyslog, or its TLS, is not installed.
    ///
    /// # Panics
    /// When it is and does not listen.
    pub fn start(tls: &RsyslogTls) -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/rsyslogd"], "rsyslog")?;
        let (port, dir) = (Port::free(), TempDir::new());
        let (global, module) = match tls {
            RsyslogTls::Without => (String::new(), String::new()),
            RsyslogTls::Shows { own, authority, clients } => {
                let library = std::env::consts::ARCH;
                let driver = format!("/usr/lib/{library}-linux-gnu/rsyslog/lmnsd_ossl.so");
                installed(&[driver.as_str()], "rsyslog-openssl")?;
                let global = format!(
                    "defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCAFile=\"{}\" \
                     defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
                    authority.display(),
                    own.certificate.display(),
                    own.key.display()
                );
                let auth = if *clients { "x509/certvalid" } else { "anon" };
                let module = format!(
                    "StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"{auth}\" \
                     gnutlsPriorityString=\"MinProtocol=TLSv1.3\""
                );
                (global, module)
            }
        };
        let at = dir.path().display();
        let text = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"64k\" {global})\n\
             main_queue(queue.type=\"Direct\")\n\
             module(load=\"imtcp\" {module})\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
             template(name=\"line\" type=\"string\" string=\"%structured-data% %syslogfacility-text%.%syslogseverity-text% \
             %msgid% %msg%\\n\")\n\
             action(type=\"omfile\" file=\"{at}/out\" template=\"line\" asyncWriting=\"off\" flushOnTXEnd=\"on\")\n"
        );
        let config = dir.write("rsyslog.conf", &text);
        let pid = dir.join("pid");
        let start = move || {
            // What the one before left behind when it was killed.
            let _ = std::fs::remove_file(&pid);
            let mut command = Command::new(&program);
            command.arg("-n").arg("-f").arg(&config).arg("-i").arg(&pid);
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

    /// The ids of the events that it has, in the order of arrival, each as often as it arrived.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        syslog::ids(&self.dir.join("out"))
    }

    /// What it wrote: structured data, facility and severity, MSGID and message of each, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.dir.join("out")).unwrap_or_default()
    }
}
