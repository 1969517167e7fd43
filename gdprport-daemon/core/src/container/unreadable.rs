//! Why the state of a runtime says nothing.
//!
//! Belongs here: the common error of all parsers. It names no file: whoever opened the file knows its path.

/// Why bytes of a runtime's state could not be read. That they do not mention a container is not among these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// They are no whole value of their format, or none: half-written, or another file.
    #[error("it is not {0}, or not completely written")]
    Malformed(&'static str),
    /// They describe another container than the one that was asked for.
    #[error("it describes another container")]
    OtherContainer,
    /// A page, a count or a size in them contradicts the format.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// More would have to be read than the bound allows.
    #[error("more of it would have to be read than the bound allows")]
    TooLarge,
    /// It changed while it was read, at every try.
    #[error("it changes faster than it can be read")]
    Changing,
    /// The file could not be read at a place where its own numbers say that something is.
    #[error("it is shorter than it says, or could not be read")]
    Missing,
}

impl Unreadable {
    /// True if another try a moment later may succeed: whoever writes it has not finished.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Changing | Self::Missing)
    }
}
