//! What has appeared on the host since somebody asked: executables, users, groups and cgroups.

use std::sync::Arc;

/// What may have appeared before it is taken: some hundred milliseconds of a busy host. More is found by looking again.
const APPEARED: usize = 16_384;

/// Something that was not there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum New {
    /// An executable whose path is proven.
    Executable(Arc<str>),
    /// A cgroup, by its id.
    Cgroup(u64),
    /// The user and the group of a process.
    Owner(u32, u32),
}

/// What has appeared and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Appeared {
    wanted: bool,
    new: Vec<New>,
    missed: bool,
}

impl Appeared {
    /// Nothing yet; remembers what comes, if that is wanted.
    pub(super) fn begin(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Takes something in, if anybody wants to know.
    #[inline]
    pub(super) fn push(&mut self, new: impl FnOnce() -> New) {
        if !self.wanted {
            return;
        }
        if self.new.len() < APPEARED {
            self.new.push(new());
        } else {
            self.missed = true;
        }
    }

    /// Takes it; `None`: there was more.
    pub(super) fn take(&mut self) -> Option<Vec<New>> {
        let missed = std::mem::take(&mut self.missed);
        let new = std::mem::take(&mut self.new);
        (!missed).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appears_is_remembered_once_it_is_wanted_and_bounded() {
        let mut appeared = Appeared::default();
        appeared.push(|| New::Cgroup(1));
        assert!(appeared.new.is_empty());
        appeared = Appeared::begin(true);
        for id in 0..20_000 {
            appeared.push(|| New::Cgroup(id));
        }
        assert_eq!((appeared.new.len(), appeared.missed), (APPEARED, true));
    }
}
