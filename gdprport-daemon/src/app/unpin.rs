//! Removing what a daemon left pinned, and whether a service that just ended should.
//!
//! systemd runs the same commands after a stop and in the middle of a restart, and passes them only how the
//! service ended. What it was asked to do is in its list of jobs.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::host::probes::{PinDirectory, PinError};

/// Where a daemon pins unless the options name another place.
pub(crate) const DEFAULT_PINS: &str = "/sys/fs/bpf/gdprport";

/// The exit status after which the unit does not start again by itself (`RestartPreventExitStatus=`).
const INVALID: &str = "2";

/// What came of unpinning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpinned {
    /// Everything is detached.
    Removed,
    /// Nothing was pinned.
    NothingThere,
}

/// Detaches what is pinned in `directory` and removes it.
///
/// # Errors
/// If a daemon uses it, it is another user's, or the kernel refuses.
pub(crate) fn unpin(directory: &Path) -> Result<Unpinned, PinError> {
    match PinDirectory::take_existing(directory)? {
        Some(pins) => pins.remove().map(|()| Unpinned::Removed),
        None => Ok(Unpinned::NothingThere),
    }
}

/// What the service manager was asked to do with a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// `stop`, `restart`, `start` …
    pub kind: String,
    /// Whether it is under way: a `start` then is the one that has just failed, and not one that comes.
    pub running: bool,
}

/// How a systemd service ended, as commands of `ExecStopPost=` can know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// `$SERVICE_RESULT`; empty outside of such a command.
    pub result: String,
    /// `$EXIT_STATUS`.
    pub status: String,
    /// What the service manager was asked to do with the unit, if it was.
    pub job: Option<Job>,
}

impl Ending {
    /// How `unit` ended, read from this process's environment and from the service manager.
    #[must_use]
    pub(crate) fn of(unit: &str) -> Self {
        let text = |name| std::env::var_os(name).map(OsString::into_string).and_then(Result::ok);
        Self {
            result: text("SERVICE_RESULT").unwrap_or_default(),
            status: text("EXIT_STATUS").unwrap_or_default(),
            job: job(unit),
        }
    }

    /// Whether the unit is about to start again, so that what is pinned is wanted: it was asked to restart, or it
    /// failed and nobody asked for its end. A service that ended in order and that nobody asked to restart
    /// stays ended. So does one whose start has failed for an invalid policy or configuration.
    #[must_use]
    pub(crate) fn starts_again(&self) -> bool {
        match &self.job {
            Some(job) if job.kind == "start" && job.running => self.is_tried_again(),
            Some(job) => matches!(job.kind.as_str(), "restart" | "try-restart" | "reload-or-start" | "start"),
            None => self.is_tried_again(),
        }
    }

    fn is_tried_again(&self) -> bool {
        !matches!(self.result.as_str(), "success" | "") && self.status != INVALID
    }
}

/// The job of `unit`; `None` if there is none, or the service manager does not reply.
fn job(unit: &str) -> Option<Job> {
    let mut list = Command::new("systemctl");
    list.args(["list-jobs", "--no-legend", "--no-pager", "--plain", "--full"]).stdin(Stdio::null());
    match list.output() {
        Ok(output) if output.status.success() => job_in(&String::from_utf8_lossy(&output.stdout), unit),
        Ok(output) => {
            eprintln!("gdprport: systemctl list-jobs: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            eprintln!("gdprport: cannot ask systemctl whether {unit} starts again: {error}");
            None
        }
    }
}

/// Each line reads `NUMBER UNIT TYPE STATE`.
fn job_in(list: &str, unit: &str) -> Option<Job> {
    list.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        if words.next()? != unit {
            return None;
        }
        Some(Job { kind: words.next()?.to_owned(), running: words.next() == Some("running") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(result: &str, status: &str, job: Option<&str>) -> Ending {
        let job = job.and_then(|job| job_in(&format!("1 a.service {job}"), "a.service"));
        Ending { result: result.into(), status: status.into(), job }
    }

    #[test]
    fn a_service_starts_again_if_asked_to_or_if_it_failed() {
        for (ending, again, what) in [
            (ending("success", "0", Some("restart waiting")), true, "systemctl restart"),
            (ending("success", "0", Some("stop running")), false, "systemctl stop"),
            (ending("timeout", "KILL", Some("stop running")), false, "systemctl stop of one that hangs"),
            (ending("timeout", "KILL", Some("restart running")), true, "systemctl restart of one that hangs"),
            (ending("signal", "KILL", None), true, "killed, Restart=on-failure"),
            (ending("watchdog", "ABRT", None), true, "stuck"),
            (ending("exit-code", "1", None), true, "failed"),
            (ending("exit-code", "2", None), false, "an invalid policy, RestartPreventExitStatus=2"),
            (
                ending("exit-code", "2", Some("start running")),
                false,
                "its start was stopped by an invalid policy",
            ),
            (ending("exit-code", "1", Some("start running")), true, "its start failed"),
            (ending("success", "0", Some("start waiting")), true, "systemctl start while it ends"),
            (ending("success", "0", None), false, "ended by itself"),
            (ending("", "", None), false, "no service at all"),
        ] {
            assert_eq!(ending.starts_again(), again, "{what}");
        }
    }

    #[test]
    fn the_job_of_a_unit_is_the_one_of_its_own_name() {
        let list = " 77 other-gdprport.service restart waiting\n 1290 gdprport.service stop running\n";
        let stop = Job { kind: "stop".to_owned(), running: true };
        assert_eq!(job_in(list, "gdprport.service"), Some(stop));
        assert_eq!(job_in(list, "gdprport"), None);
        assert_eq!(job_in("", "gdprport.service"), None);
    }
}
