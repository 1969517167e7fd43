//! journald, by its native protocol, so that every event is found by its fields:
//! `journalctl SYSLOG_IDENTIFIER=gdprport GDPRPORT_KIND=violation`.
//!
//! Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>. One datagram per event; a record that is too large for
//! a datagram goes as a sealed memfd. journald that does not read holds up only this sink.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix};

use super::destination::Target;
use super::report::{Failure, Report};
use super::{Batch, Render, Sink, SinkError};
use gdprport_core::event::{AuditFinding, Event, Severity};
use gdprport_core::model::Container;

/// Where journald listens.
pub(crate) const JOURNALD_SOCKET: &str = "/run/systemd/journal/socket";

impl Sink {
    /// A sink that sends every event to journald; `message` writes the words of `MESSAGE`.
    ///
    /// `socket` is [`JOURNALD_SOCKET`], except in tests.
    ///
    /// # Errors
    /// If nothing listens there, or the thread cannot be started.
    pub fn journald(socket: &Path, capacity: NonZeroUsize, message: Render) -> Result<Self, SinkError> {
        let failed = |source| SinkError::Journald { path: socket.to_owned(), source };
        let unbound = UnixDatagram::unbound().map_err(failed)?;
        // Only to learn whether somebody listens: sending by path later survives a restart of journald.
        UnixDatagram::unbound().and_then(|probe| probe.connect(socket)).map_err(failed)?;
        let target = Journald {
            socket: unbound,
            path: socket.to_owned(),
            message,
            record: Vec::new(),
            words: Vec::new(),
        };
        Self::spawn("journald", capacity, target)
    }
}

struct Journald {
    socket: UnixDatagram,
    path: PathBuf,
    message: Render,
    record: Vec<u8>,
    words: Vec<u8>,
}

impl Target for Journald {
    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        let mut report = Report { delivered: 0, bytes: 0, skipped: Vec::new(), failure: None };
        for (index, event) in batch.events().iter().take(count).enumerate() {
            self.words.clear();
            (self.message)(event, &mut self.words);
            self.record.clear();
            append_record(event, batch.line(index), &self.words, &mut self.record);
            match self.send() {
                Ok(()) => {
                    report.delivered += 1;
                    report.bytes += self.record.len();
                }
                Err(error) => {
                    // The next one may arrive.
                    report.skipped.push(index);
                    report.failure =
                        Some(Failure::Io(format!("journald at {}: {error}", self.path.display())));
                }
            }
        }
        report
    }

    fn wants_events(&self) -> bool {
        true
    }
}

impl Journald {
    fn send(&self) -> io::Result<()> {
        loop {
            match self.socket.send_to(&self.record, &self.path) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(Errno::from_io_error(&error), Some(Errno::MSGSIZE | Errno::NOBUFS)) =>
                {
                    return self.send_large();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a memory file with the record in it. journald takes it only sealed.
    fn send_large(&self) -> io::Result<()> {
        let file: OwnedFd =
            rustix::fs::memfd_create("gdprport-event", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut rest = &self.record[..];
        while !rest.is_empty() {
            let n = rustix::io::write(&file, rest)?;
            rest = &rest[n..];
        }
        rustix::fs::fcntl_add_seals(
            &file,
            SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
        )?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [file.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let address = SocketAddrUnix::new(&self.path)?;
        rustix::net::sendmsg_addr(&self.socket, &address, &[], &mut control, SendFlags::empty())?;
        Ok(())
    }
}

/// Appends all fields of one journal record.
pub(super) fn append_record(event: &Event, line: &[u8], words: &[u8], record: &mut Vec<u8>) {
    let body = &event.body;
    append(record, "MESSAGE", words);
    append(record, "PRIORITY", priority(event.severity()).as_bytes());
    append(record, "SYSLOG_IDENTIFIER", b"gdprport");
    append(
        record,
        "GDPRPORT_ID",
        event.id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes(),
    );
    append(record, "GDPRPORT_KIND", body.kind().as_str().as_bytes());
    append(record, "GDPRPORT_SEVERITY", event.severity().as_str().as_bytes());
    if let Some(port) = body.port() {
        append(record, "GDPRPORT_PORT", port.name.as_bytes());
    }
    if let Some(flow) = body.flow() {
        append(record, "GDPRPORT_FLOW_ID", flow.flow.id.to_string().as_bytes());
        append(record, "GDPRPORT_PEER", flow.flow.peer.ip.to_string().as_bytes());
    }
    if let Some(event) = body.audited() {
        append_finding(&event.finding, record);
    }
    if let Some(verdict) = body.verdict() {
        append(record, "GDPRPORT_VERDICT", verdict.outcome().as_bytes());
        // A field may stand more than once: journalctl finds the event by each of its reasons.
        for reason in verdict.reasons() {
            append(record, "GDPRPORT_REASON", reason.id.as_str().as_bytes());
        }
        if let Some(accepted) = body.accepted() {
            append(record, "GDPRPORT_ACCEPTED_BY", accepted.by.as_bytes());
            append(record, "GDPRPORT_ACCEPTED_UNTIL", accepted.until.to_string().as_bytes());
        }
    }
    if let Some(process) = body.process() {
        for (field, value) in [
            ("GDPRPORT_UNIT", &process.unit),
            ("GDPRPORT_EXE", &process.exe),
            ("GDPRPORT_USER", &process.user),
        ] {
            if let Some(value) = value {
                append(record, field, value.as_bytes());
            }
        }
        if let Some(container) = &process.container {
            append_container(container, record);
        }
    }
    append(record, "GDPRPORT_EVENT", line.trim_ascii_end());
}

/// Appends what an audit found.
fn append_finding(finding: &AuditFinding, record: &mut Vec<u8>) {
    if let Some(port) = &finding.subject.port {
        append(record, "GDPRPORT_PORT", port.as_bytes());
    }
    append(record, "GDPRPORT_FINDING", finding.id.as_str().as_bytes());
    append(record, "GDPRPORT_FINGERPRINT", finding.fingerprint.as_bytes());
    append(record, "GDPRPORT_STATE", finding.state.as_str().as_bytes());
    if let Some(accepted) = &finding.accepted {
        append(record, "GDPRPORT_ACCEPTED_BY", accepted.by.as_bytes());
        append(record, "GDPRPORT_ACCEPTED_UNTIL", accepted.until.to_string().as_bytes());
    }
}

/// Appends how a container is called; where its name is not known, by its id.
fn append_container(container: &Container, record: &mut Vec<u8>) {
    let names = container.names();
    let name = names.and_then(|names| names.name.as_ref()).unwrap_or(&container.id);
    append(record, "GDPRPORT_CONTAINER", name.as_bytes());
    let Some(names) = names else { return };
    for (field, value) in [
        ("GDPRPORT_IMAGE", &names.image),
        ("GDPRPORT_NAMESPACE", &names.namespace),
        ("GDPRPORT_POD", &names.pod_name),
    ] {
        if let Some(value) = value {
            append(record, field, value.as_bytes());
        }
    }
}

/// Appends one field: as `NAME=value`, or with its length before it if it has a line feed in it.
fn append(record: &mut Vec<u8>, name: &str, value: &[u8]) {
    record.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        record.push(b'\n');
        record.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        record.push(b'=');
    }
    record.extend_from_slice(value);
    record.push(b'\n');
}

/// The syslog priority (syslog(3)): error, warning, notice, informational.
const fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "3",
        Severity::Medium => "4",
        Severity::Low => "5",
        Severity::Info => "6",
    }
}

#[cfg(test)]
mod tests;
