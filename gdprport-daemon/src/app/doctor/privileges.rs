//! What is lost without a capability, and what the daemon is kept from.

use crate::control::api::{Check, CheckResult};
use crate::host::confine::{self, Confined};
use crate::host::sockets::{EndError, can_end};

/// One check for each capability that is missing although the daemon starts without it.
pub(super) fn less_seen(given: u64) -> impl Iterator<Item = Check> {
    confine::missing(given).filter_map(|capability| {
        Some(Check {
            id: "privileges".to_owned(),
            result: CheckResult::Degraded,
            found: format!("without {} {}", capability.name, capability.cost?),
            remedy: Some(
                "run it as root, or grant it (AmbientCapabilities= and CapabilityBoundingSet=)".to_owned(),
            ),
        })
    })
}

/// What a daemon that runs in this process cannot do, or one that is started here could not do. None of it is needed.
pub(super) fn sandbox(confined: Option<Confined>) -> Check {
    let landlock = confine::landlock_version();
    let files = match (confined, landlock) {
        (Some(confined), _) if !confined.sandbox.files => {
            "threads that write are kept to no directory (`[sandbox] files = false`)".to_owned()
        }
        (Some(_), Some(version)) => {
            format!("threads that write are kept to their directories (Landlock {version})")
        }
        (None, Some(version)) => {
            format!("Landlock {version} can keep threads that write to their directories")
        }
        (_, None) => "this kernel has no Landlock, so threads that write are kept to no directory".to_owned(),
    };
    let calls = match confined {
        Some(confined) if confined.filtered => "system calls that it never makes are refused",
        Some(confined) if !confined.sandbox.system_calls => {
            "no system call is refused (`[sandbox] system_calls = false`)"
        }
        Some(_) => "no system call is refused: the kernel did not take the filter",
        None => "a running daemon gives up what only its start needs",
    };
    Check {
        id: "sandbox".to_owned(),
        result: CheckResult::Ok,
        found: format!("{calls}; {files}"),
        remedy: None,
    }
}

/// Whether connections of other processes can be ended, tried on one that does not exist.
pub(super) fn endings() -> Check {
    let (result, found, remedy) = match can_end() {
        Ok(()) => (
            CheckResult::Ok,
            "connections can be ended that a policy denies (`existing` and `posture` of [port.enforce])"
                .to_owned(),
            None,
        ),
        Err(error) => {
            let cost = "`existing = \"reset\"` and `posture = \"reset\"` of a policy end nothing";
            let remedy = matches!(error, EndError::Unsupported)
                .then(|| "run a kernel with CONFIG_INET_DIAG_DESTROY, which distributions have".to_owned());
            (CheckResult::Degraded, format!("{error}; {cost}"), remedy)
        }
    };
    Check { id: "endings".to_owned(), result, found, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capability_that_is_missing_says_what_is_lost() {
        let found = |given: u64| less_seen(given).map(|check| check.found).collect::<Vec<_>>();
        assert_eq!(found(u64::MAX), [""; 0]);
        assert_eq!(found(0).len(), 3, "without the others there is no daemon");
        let without_admin = found(!(1 << 21));
        assert!(without_admin[0].starts_with("without CAP_SYS_ADMIN sockets of other network namespaces"));
        assert_eq!(without_admin.len(), 1);
    }
}
