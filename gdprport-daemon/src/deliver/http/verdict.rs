//! What became of one request with a part of a batch.

use crate::deliver::{Failure, Refused};

/// What became of a request with a part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of the part is done, except these, which are refused for good; by their place in the part, ascending.
    Done(Vec<Refused>),
    /// All of the part was taken, and is done once the receiver acknowledges it by this number.
    Taken(u64),
    /// The first `done` are, the rest is to be sent again.
    Partly { done: usize, refused: Vec<Refused>, failure: Failure },
    /// The request was refused because of an event in it.
    Rejected {
        /// Which, by its place in the part, if the receiver names it.
        at: Option<usize>,
        /// Its reason.
        why: String,
        /// Whether the reason can only be an event's. If not, the settings may be wrong, and then no event is given up.
        sure: bool,
    },
    /// Nothing was taken, for a reason that is no event's.
    Failed(Failure),
}
