//! Log messages of the kernel programs, as lines of the daemon's own log.
//!
//! Belongs here: passing them from aya-log to `tracing`. The programs log rarely and in bounded numbers (see
//! `gdprport-ebpf/src/diagnose.rs`); what can be counted is counted, not logged.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Level, Log, Metadata, Record};

use super::error::{LoadError, chain};

/// Bytes of the ring for the programs' messages: some fifty of them. One that finds it full is lost; the counters
/// still include its cause.
pub(super) const RING_BYTES: u32 = 16 << 10;

pub(super) struct KernelLog(EbpfLogger<Relay>);

impl KernelLog {
    /// # Errors
    /// If the object has no log.
    pub(super) fn new(object: &mut Ebpf) -> Result<Self, LoadError> {
        EbpfLogger::init_with_logger(object, Relay)
            .map(Self)
            .map_err(|error| LoadError::Map { map: "AYA_LOGS", reason: chain(&error) })
    }

    /// Writes the messages since the last call.
    pub(super) fn relay(&mut self) {
        self.0.flush();
    }
}

/// From `log`, which aya-log uses, to `tracing`.
struct Relay;

impl Log for Relay {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (message, program) = (record.args(), record.target());
        match record.level() {
            Level::Error => tracing::error!(program, "kernel side: {message}"),
            Level::Warn => tracing::warn!(program, "kernel side: {message}"),
            Level::Info => tracing::info!(program, "kernel side: {message}"),
            Level::Debug | Level::Trace => tracing::debug!(program, "kernel side: {message}"),
        }
    }

    fn flush(&self) {}
}
