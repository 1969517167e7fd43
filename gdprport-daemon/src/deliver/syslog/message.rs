//! One event as a message of RFC 5424, and how it is told from the next on a stream.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use gdprport_core::delivery::{Framing, SyslogSettings};
use gdprport_core::event::Severity;

use crate::deliver::Message;

/// Characters of a host name (RFC 5424 §6).
const HOST_MAX: usize = 255;

/// Writes messages as a sink wants them.
#[derive(Debug)]
pub(super) struct Writer {
    facility: u8,
    sd_id: Arc<str>,
    max_size: usize,
    /// The message without its framing, used again.
    scratch: Vec<u8>,
}

impl Writer {
    pub(super) fn new(settings: &SyslogSettings) -> Self {
        Self {
            facility: settings.facility.number(),
            sd_id: Arc::clone(&settings.sd_id),
            max_size: settings.max_size,
            scratch: Vec::new(),
        }
    }

    /// Appends a message, framed for a stream.
    ///
    /// # Errors
    /// Why the event is refused.
    pub(super) fn append(
        &mut self,
        message: &Message,
        framing: Framing,
        to: &mut Vec<u8>,
    ) -> Result<(), String> {
        let plain = self.plain(message)?;
        match framing {
            Framing::OctetCounting => {
                let _ = write!(to, "{} ", plain.len());
                to.extend_from_slice(plain);
            }
            Framing::Lf => {
                to.extend_from_slice(plain);
                to.push(b'\n');
            }
        }
        Ok(())
    }

    /// The message itself: what a datagram has.
    ///
    /// # Errors
    /// Why the event is refused: cut, it would be neither whole nor known to be not.
    pub(super) fn plain(&mut self, message: &Message) -> Result<&[u8], String> {
        let event = &message.event;
        let priority = self.facility * 8 + severity(event.severity());
        let mut header = String::with_capacity(256);
        let _ = write!(header, "<{priority}>1 ");
        // Six digits are what RFC 5424 §6.2.3 allows. A year before Christ cannot be written.
        let time = format!("{:.6}", event.time);
        header.push_str(if time.starts_with('-') { "-" } else { &time });
        header.push(' ');
        let before = header.len();
        header.extend(event.host.name.chars().filter(char::is_ascii_graphic).take(HOST_MAX));
        if header.len() == before {
            header.push('-');
        }
        // A change of PROCID means an interruption (RFC 5424 §6.2.6), and `seq` counts within a run.
        let _ = write!(
            header,
            " gdprport {} {} [{} id=\"{}\" seq=\"{}\"] ",
            event.agent.run,
            event.body.kind().as_str(),
            self.sd_id,
            event.id,
            event.seq
        );
        self.scratch.clear();
        self.scratch.extend_from_slice(header.as_bytes());
        self.scratch.extend_from_slice(&message.record);
        let size = self.scratch.len();
        if size > self.max_size {
            return Err(format!(
                "the message has {size} bytes, more than `max_size` ({}): raise it here and in the receiver, or choose a \
                 shorter encoding",
                self.max_size
            ));
        }
        Ok(&self.scratch)
    }
}

/// The severity of syslog (RFC 5424 §6.2.1): error, warning, notice, informational, as in the journal.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}
