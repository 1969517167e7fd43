//! What is looked up, and where: plain values that all parts share.

use std::path::PathBuf;
use std::sync::Arc;

use gdprport_core::model::Container;

/// What a container is known by until its names are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::host) struct Key {
    pub(super) id: Arc<str>,
    pub(super) runtime: Option<Arc<str>>,
    pub(super) pod: Option<Arc<str>>,
    pub(super) claimed_by: Option<u32>,
}

impl Key {
    pub(super) fn of(container: &Container) -> Self {
        let Container { id, runtime, pod, claimed_by, naming: _ } = container;
        Self { id: Arc::clone(id), runtime: runtime.clone(), pod: pod.clone(), claimed_by: *claimed_by }
    }
}

/// The directory of a container: the number of its hierarchy, and its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) struct Directory {
    pub(in crate::host) hierarchy: u32,
    pub(in crate::host) id: u64,
}

/// Whose state is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// That of root's runtimes, in the directories that they use.
    Root,
    /// A directory of our configuration.
    Place(Arc<PathBuf>),
    /// That of the runtimes of a user.
    User(u32),
}
