//! What every transport promises: the one trait that the deliverer knows of them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Message;

/// How much a transport takes at once, unless the sink's settings ask for less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Events in a batch, at least one.
    pub events: usize,
    /// Bytes of all records of a batch. A single event may exceed it and then goes alone.
    pub bytes: usize,
}

/// An event that the receiver will never take: it is counted as refused and not sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which of the batch.
    pub index: usize,
    /// The receiver's reason: one line, at most 500 characters, without control characters.
    pub why: String,
}

/// Why a batch, or the rest of it, was not taken. It is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence for people: what was tried, where, what came back. One line, without control characters and without
    /// anything secret.
    pub why: String,
    /// The receiver asks for this pause (`Retry-After` of RFC 9110 §10.2.3). The deliverer bounds it.
    pub after: Option<Duration>,
    /// The receiver says that there was too much in one piece (413 and the like): the deliverer sends half as much, and what
    /// is alone and still too large is refused.
    pub too_large: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many of the batch, from its beginning, are done: acknowledged by the receiver, or refused for good.
    /// What comes behind is sent again, so that a receiver may get an event twice, with the same id.
    pub done: usize,
    /// Those of the first `done` that are refused for good; ascending, each once.
    pub refused: Vec<Refused>,
    /// Why not all of it is done; `None` exactly if `done` is the batch's length.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// All of it was acknowledged.
    pub(crate) const fn all(events: usize) -> Self {
        Self { done: events, refused: Vec::new(), failure: None }
    }

    /// None of it was, and nothing is known to have arrived.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        let failure = Failure { why: why.into(), after: None, too_large: false };
        Self { done: 0, refused: Vec::new(), failure: Some(failure) }
    }
}

/// A batch that is being sent.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A way to a receiver.
///
/// - **Acknowledged or not.** `done` counts only what the receiver has confirmed by the strongest means that its protocol has.
///   Where there is none (syslog), what was written to the connection counts, and the documentation says so.
/// - **Nothing is kept.** What is not done is given again by the caller. A transport holds no events between two calls.
/// - **It ends.** Every call ends within the transport's own bound on time, whatever the receiver does, also if it sends one byte
///   a second. It may be dropped at any await.
/// - **It connects by itself**, when it is first called and after a failure, and resolves names each time it does.
/// - **It is bounded.** Of an answer at most [`ANSWER_MAX`] bytes are read; more is a failure. Redirects are not followed.
/// - **It does not wait for its own sake.** Pauses between attempts are the caller's.
pub(crate) trait Transport: Send {
    /// Sends a batch, which is not empty and within the limits.
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a>;

    /// How much it takes at once.
    fn limits(&self) -> Limits;

    /// What a receiver said last that people want to know, such as its name and version; for `sink test`.
    fn answer(&self) -> Option<String> {
        None
    }
}

/// Bytes of an answer that are read.
pub(crate) const ANSWER_MAX: usize = 1 << 20;
