//! Why the kernel programs cannot run here, each reason as one sentence.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use aya::maps::MapError;
use rustix::io::Errno;

use super::pins::PinError;

/// Why the kernel programs cannot run here. Each message states what and where; what to do is the [`remedy`].
///
/// [`remedy`]: LoadError::remedy
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// A capability is missing.
    #[error("loading kernel programs needs {needed}, and this process lacks {missing}")]
    Capabilities {
        /// All that are needed.
        needed: &'static str,
        /// Those that are missing.
        missing: String,
    },
    /// The kernel is older than anything that works.
    #[error("Linux {release} is too old: gdprport needs Linux 5.10 or newer")]
    TooOld { release: String },
    /// There is no cgroup2 hierarchy.
    #[error("no cgroup2 hierarchy is mounted, and the kernel programs attach to its root")]
    NoCgroup2,
    /// The cgroup2 root cannot be opened.
    #[error("cannot open the cgroup2 root {}: {source}", path.display())]
    Cgroup2 {
        /// Where it is.
        path: PathBuf,
        source: std::io::Error,
    },
    /// The kernel has no type information.
    #[error("this kernel has no type information (/sys/kernel/btf/vmlinux), which the socket storage needs")]
    NoBtf,
    /// A required program was refused.
    #[error("the kernel ({release}) refused the required hook {hook}: {reason}")]
    Refused {
        hook: &'static str,
        release: String,
        /// The kernel's reason, shortened.
        reason: String,
    },
    /// The object or its maps could not be loaded.
    #[error("the kernel ({release}) refused the maps of the kernel programs: {reason}")]
    Object { release: String, reason: String },
    /// A map was used that does not fit.
    #[error("cannot use the kernel programs' map {map}: {reason}")]
    Map { map: &'static str, reason: String },
    /// The directory for pins cannot be used; the message states what to do.
    #[error(transparent)]
    Pins(#[from] PinError),
}

impl LoadError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub(crate) const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Capabilities { .. } | Self::Cgroup2 { .. } => {
                Some("run it as root (`sudo gdprport …`) or through its systemd unit")
            }
            Self::TooOld { .. } => Some("upgrade this host's kernel"),
            Self::NoCgroup2 => Some(
                "mount it with `mount -t cgroup2 none /sys/fs/cgroup` (or boot with \
                 `systemd.unified_cgroup_hierarchy=1`)",
            ),
            Self::NoBtf => Some(
                "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as all distribution kernels since 2020 are",
            ),
            Self::Refused { .. } | Self::Object { .. } | Self::Map { .. } | Self::Pins(_) => None,
        }
    }
}

/// An error with its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Why the kernel refuses a program without saying so, and what to do; `lockdown` is the mode that it is in.
pub(super) fn unexplained(error: &io::Error, lockdown: &str) -> String {
    let errno = Errno::from_io_error(error);
    let errno = errno.unwrap_or(Errno::IO);
    let what = match errno {
        Errno::PERM | Errno::ACCESS if lockdown == "confidentiality" => {
            "kernel lockdown forbids it: boot with lockdown=integrity or less"
        }
        Errno::PERM | Errno::ACCESS => {
            "not allowed here, probably by the sandbox of a container or virtual machine: run it on the host itself"
        }
        Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | ENOTSUPP => {
            "this kernel does not offer it: use a newer one, and for fexit one with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"
        }
        Errno::NOMEM => {
            "there is not enough memory: raise MemoryMax= of the service, or on kernels before 5.11 LimitMEMLOCK="
        }
        _ => return format!("{error}, without a reason of the kernel's verifier"),
    };
    format!("{error}: {what}")
}

/// The kernel's own error for "not supported", which reaches us as a number (`include/linux/errno.h`).
const ENOTSUPP: Errno = Errno::from_raw_os_error(524);

/// The mode of kernel lockdown, such as `none` or `confidentiality`; empty where the kernel has none.
pub(super) fn lockdown() -> String {
    // One line: `none [integrity] confidentiality`.
    let modes = std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let active = modes.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    active.map_or_else(String::new, |(mode, _)| mode.to_owned())
}

pub(super) fn map_error(map: &'static str, error: &MapError) -> LoadError {
    LoadError::Map { map, reason: chain(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_a_reason_says_what_it_is_and_what_to_do() {
        let of = |errno: i32, lockdown: &str| unexplained(&io::Error::from_raw_os_error(errno), lockdown);
        assert_eq!(
            of(libc::EPERM, ""),
            "Operation not permitted (os error 1): not allowed here, probably by the sandbox of a container or virtual \
             machine: run it on the host itself"
        );
        assert!(of(libc::EPERM, "confidentiality").contains(": kernel lockdown forbids it: boot with "));
        for errno in [libc::EINVAL, 524] {
            assert!(of(errno, "none").contains(": this kernel does not offer it: use a newer one"));
        }
        assert!(of(libc::EIO, "none").contains("os error 5"));
        for errno in 1..600 {
            assert!(
                of(errno, "none").chars().count() <= super::super::load::REASON_CAP,
                "{}",
                of(errno, "none")
            );
        }
    }
}
