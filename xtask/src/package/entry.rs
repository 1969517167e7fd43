//! One file of a package: its place, its mode, and what a package manager does with it.

/// A format of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Deb,
    Rpm,
}

/// What a package manager does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is replaced.
    Plain,
    /// An administrator's change of it is kept.
    Configuration,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Without a slash at the beginning.
    pub(super) place: String,
    pub(super) mode: u32,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}
