//! How a command ends: the exit codes, and what is printed of an error.

use std::io;

use super::cli::NotYet;
use super::commands::LedgerError;
use super::format::clean_lines;
use super::help::UnknownTopic;
use super::top::{NoScreen, WrongFilter};
use crate::app::{ConfigError, PolicyError, RunError};
use crate::control::client::ClientError;
use crate::deliver::DeliverError;

/// How a command ends; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// As asked.
    Fine = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage, or a policy with problems.
    Invalid = 2,
    /// The daemon cannot be reached.
    Unreachable = 3,
}

impl Exit {
    /// How a command ends that failed with this error.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        // A reader that has seen enough (`| head`) ends the command, not in failure.
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return Self::Fine;
        }
        // Another start may find the file system working again: systemd does not try one after 2.
        if is_late(error) {
            return Self::Failed;
        }
        match error.downcast_ref::<ClientError>() {
            None if error
                .downcast_ref::<DeliverError>()
                .is_some_and(|e| matches!(e, DeliverError::Config(_))) =>
            {
                Self::Invalid
            }
            None if error.is::<ConfigError>() || error.is::<PolicyError>() || error.is::<UnknownTopic>() => {
                Self::Invalid
            }
            None if error.is::<NoScreen>() || error.is::<WrongFilter>() || error.is::<NotYet>() => {
                Self::Invalid
            }
            None if error.downcast_ref::<RunError>().is_some_and(|e| matches!(e, RunError::Policy(_))) => {
                Self::Invalid
            }
            None if error.downcast_ref::<LedgerError>().is_some_and(LedgerError::is_wrong_usage) => {
                Self::Invalid
            }
            None | Some(ClientError::Refused(_)) => Self::Failed,
            Some(
                ClientError::NoDaemon(_)
                | ClientError::NoDeliverer(_)
                | ClientError::Denied { .. }
                | ClientError::Silent(_)
                | ClientError::Ended(_)
                | ClientError::Garbled { .. },
            ) => Self::Unreachable,
        }
    }
}

/// Whether a file of the configuration or the policy did not come in time.
fn is_late(error: &anyhow::Error) -> bool {
    let policy = match error.downcast_ref::<RunError>() {
        Some(RunError::Policy(policy)) => Some(policy),
        _ => error.downcast_ref::<PolicyError>(),
    };
    let config = match error.downcast_ref::<DeliverError>() {
        Some(DeliverError::Config(config)) => Some(config),
        _ => error.downcast_ref::<ConfigError>(),
    };
    let source = match (policy, config) {
        (Some(PolicyError::Read { source, .. }), _) | (_, Some(ConfigError::Read { source, .. })) => source,
        _ => return false,
    };
    source.kind() == io::ErrorKind::TimedOut
}

/// The text of an error. Each message names its cause itself, with what to do after it: the chain of causes is not
/// printed, it would repeat everything.
pub(super) fn message(error: &anyhow::Error) -> String {
    clean_lines(&error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_cause_is_printed_once() {
        let cause = || io::Error::from(io::ErrorKind::PermissionDenied);
        let path = || PathBuf::from("/etc/gdprport/some.toml");
        let errors: [anyhow::Error; 2] = [
            ConfigError::Read { path: path(), source: cause() }.into(),
            RunError::from(PolicyError::Read { path: path(), source: cause() }).into(),
        ];
        for error in errors {
            let text = message(&error);
            assert_eq!(text.matches("permission denied").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_file_that_comes_too_late_is_no_invalid_one() {
        let of = |kind: io::ErrorKind| {
            let read = || PolicyError::Read { path: "/etc/gdprport".into(), source: kind.into() };
            let config = || ConfigError::Read { path: "/etc/gdprport".into(), source: kind.into() };
            let errors: [anyhow::Error; 4] = [
                RunError::from(read()).into(),
                read().into(),
                config().into(),
                DeliverError::from(config()).into(),
            ];
            errors.map(|error| Exit::of(&error))
        };
        assert_eq!(of(io::ErrorKind::TimedOut), [Exit::Failed; 4]);
        assert_eq!(of(io::ErrorKind::NotFound), [Exit::Invalid; 4]);
    }

    #[test]
    fn an_error_of_several_lines_keeps_them_and_is_harmless() {
        let error = anyhow::anyhow!("line 2\n  |\n2 | a\u{1b}[2Jb = 1\n  | ^");
        assert_eq!(message(&error), "line 2\n  |\n2 | a\u{fffd}[2Jb = 1\n  | ^");
    }
}
