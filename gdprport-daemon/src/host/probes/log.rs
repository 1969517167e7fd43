//! What the kernel programs have to say to an operator, as lines of the daemon's own log.
//!
//! Belongs here: the way from aya-log to `tracing`. The programs speak seldom and in bounded numbers (see
//! `gdprport-ebpf/src/diagnose.rs`); what there is to count is counted, not written here.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Level, Log, Metadata, Record};

use super::error::{LoadError, chain};

/// Bytes of the ring in which the programs' words wait: some fifty of them. One that finds it full is not
/// written; the counters know of what it would have told.
pub(super) const RING_BYTES: u32 = 16 << 10;

/// Hands the kernel programs' words on.
pub(super) struct KernelLog(EbpfLogger<Relay>);

impl KernelLog {
    /// Takes over the programs' log.
    ///
    /// # Errors
    /// If the object has none.
    pub(super) fn new(object: &mut Ebpf) -> Result<Self, LoadError> {
        EbpfLogger::init_with_logger(object, Relay)
            .map(Self)
            .map_err(|error| LoadError::Map { map: "AYA_LOGS", reason: chain(&error) })
    }

    /// Writes what has come since the last time.
    pub(super) fn relay(&mut self) {
        self.0.flush();
    }
}

/// From `log`, which aya-log speaks, to `tracing`.
struct Relay;

impl Log for Relay {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (words, program) = (record.args(), record.target());
        match record.level() {
            Level::Error => tracing::error!(program, "kernel side: {words}"),
            Level::Warn => tracing::warn!(program, "kernel side: {words}"),
            Level::Info => tracing::info!(program, "kernel side: {words}"),
            Level::Debug | Level::Trace => tracing::debug!(program, "kernel side: {words}"),
        }
    }

    fn flush(&self) {}
}
