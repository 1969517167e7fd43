//! Why the kernel programs cannot run here, each reason as one sentence.

use std::error::Error;
use std::path::PathBuf;

use aya::maps::MapError;

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

pub(super) fn map_error(map: &'static str, error: &MapError) -> LoadError {
    LoadError::Map { map, reason: chain(error) }
}
