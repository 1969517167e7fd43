//! What a test itself knows about one end of a connection, compared with what an event reports.

use std::path::PathBuf;

use crate::daemon::Daemon;
use crate::event::Event;
use crate::log::EventLog;
use crate::puppet::Puppet;

/// The truth about one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `in` or `out`.
    pub direction: &'static str,
    /// The local port.
    pub local: u16,
    /// The peer's port.
    pub peer: u16,
    /// The process that made the call.
    pub pid: u32,
    /// Its executable.
    pub exe: PathBuf,
    /// Its user's name.
    pub user: String,
}

impl End {
    /// The end that `pid` connected from `local` to the watched port `port`.
    #[must_use]
    pub fn client(pid: u32, exe: impl Into<PathBuf>, user: &str, local: u16, port: u16) -> Self {
        Self { direction: "out", local, peer: port, pid, exe: exe.into(), user: user.to_owned() }
    }

    /// The end that `pid` accepted on the watched port `port` from the peer's port `peer`.
    #[must_use]
    pub fn server(pid: u32, exe: impl Into<PathBuf>, user: &str, port: u16, peer: u16) -> Self {
        Self { direction: "in", local: port, peer, pid, exe: exe.into(), user: user.to_owned() }
    }

    /// The connecting end of a puppet that runs as root.
    #[must_use]
    pub fn of_client(puppet: &Puppet, local: u16, port: u16) -> Self {
        Self::client(puppet.pid(), puppet.exe(), "root", local, port)
    }

    /// The accepting end of a puppet that runs as root.
    #[must_use]
    pub fn of_server(puppet: &Puppet, port: u16, peer: u16) -> Self {
        Self::server(puppet.pid(), puppet.exe(), "root", port, peer)
    }

    /// Waits for the event of this kind about this end.
    #[track_caller]
    pub fn event(&self, log: &mut EventLog, kind: &str) -> Event {
        log.flow(kind, self.direction, self.local, self.peer)
    }

    /// Waits for the event of this kind about this end, checks that it names the owner correctly and as seen in
    /// the caller's own context, and returns it.
    #[track_caller]
    pub fn named_exactly(&self, log: &mut EventLog, kind: &str) -> Event {
        let event = self.event(log, kind);
        self.check_owner(&event);
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        event
    }

    /// Checks that the event names this end's process.
    #[track_caller]
    pub fn check_owner(&self, event: &Event) {
        let line = event.line();
        assert_eq!(event.number("process.pid"), Some(u64::from(self.pid)), "pid: {line}");
        assert_eq!(event.text("process.exe"), self.exe.to_string_lossy(), "exe: {line}");
        assert_eq!(event.text("process.user"), self.user, "user: {line}");
    }
}

/// Checks for the verdict `declared`, by this rule.
#[track_caller]
pub fn check_declared(event: &Event, role: &str) {
    assert_eq!(event.text("verdict.outcome"), "declared", "{}", event.line());
    assert_eq!(event.text("verdict.rule"), role, "{}", event.line());
}

/// Checks for the verdict `violation`, for this one reason, nearest to this rule, whose only failing key is this.
#[track_caller]
pub fn check_violation(event: &Event, reason: &str, role: &str, failed: &str) {
    assert_eq!(event.text("verdict.outcome"), "violation", "{}", event.line());
    assert_eq!(event.reasons(), [reason], "{}", event.line());
    assert_eq!(event.text("verdict.nearest.role"), role, "{}", event.line());
    assert_eq!(event.nearest_failed(), [failed], "{}", event.line());
}

/// Checks that the event and its `violation` are about the same thing, and that a declared end has none.
///
/// # Panics
/// When they are not, or it has one.
#[track_caller]
pub fn check_violation_event(daemon: &mut Daemon, end: &End, opened: &Event) {
    let same = |event: &Event| {
        event.kind() == "violation" && event.ends(end.direction) == opened.ends(end.direction)
    };
    if opened.text("verdict.outcome") == "violation" {
        let violation = daemon.log.wait("the violation", same);
        end.check_owner(&violation);
        assert_eq!(violation.at("verdict"), opened.at("verdict"), "{}", violation.line());
        assert_eq!(violation.text("severity"), "high", "{}", violation.line());
    } else {
        assert_eq!(daemon.log.count(same), 0, "a declared flow is no violation");
    }
}
