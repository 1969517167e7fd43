//! The daemon itself: what runs, since when, how it is, and what it costs.

use super::family::{Family, Samples, Value};
use crate::control::api::{HealthState, Status};

pub(super) fn metrics(status: &Status) -> Vec<Family> {
    let state = status.health().state;
    let states = [
        ("healthy", HealthState::Healthy),
        ("degraded", HealthState::Degraded),
        ("losing", HealthState::Losing),
    ];
    vec![
        Family::info(
            "gdprport_build_info",
            &["version", "kernel"],
            "The version of gdprport, and the release of the kernel that it runs on.",
            [&status.version, &status.kernel.release],
        ),
        Family::gauge(
            "gdprport_start_time_seconds",
            &[],
            "When the daemon began to watch, in seconds since 1970.",
            Samples::one(status.started),
        ),
        Family::counter(
            "gdprport_watched_seconds_total",
            &[],
            "How long the daemon has watched, by a clock that nobody sets.",
            Samples::one(status.uptime_s),
        ),
        Family::gauge(
            "gdprport_health",
            &["state"],
            "1 for the state that the daemon is in, 0 for the others; `gdprport daemon status` gives the reasons.",
            Samples::by(states.map(|(name, of)| (name, of == state))),
        ),
        Family::counter(
            "process_cpu_seconds_total",
            &[],
            "Processor time of the daemon, in user and kernel mode together.",
            Samples::one(Value::seconds(status.cpu_ns)),
        ),
        Family::gauge(
            "process_resident_memory_bytes",
            &[],
            "Resident memory of the daemon.",
            Samples::one(status.memory.rss_kib.saturating_mul(1_024)),
        ),
    ]
}
