//! From a receiver's answers about requests to an outcome about events: what it takes, what it will never take, and which of
//! a batch it meant when it refused the request as a whole.
//!
//! A receiver that refuses a batch because of one event in it seldom says which. Then the batch is sent in halves until the event
//! is alone. So one bad event neither holds up the others nor is it sent for ever.
//!
//! A receiver that acknowledges later than it answers is sent several requests before it is asked about all of them.

use std::future::{Future, ready};
use std::time::{Duration, Instant};

use super::client::Receiver;
use super::verdict::Verdict;
use crate::deliver::{Failure, Limits, Message, Outcome, Refused, Sending, Transport};

/// Something that sends a part of a batch.
pub(crate) trait Attempts: Send {
    /// What goes into one request. A single event may exceed it and then goes alone.
    const LIMITS: Limits;

    /// The receiver.
    fn receiver(&self) -> &Receiver;

    /// The same, to ask it something.
    fn receiver_mut(&mut self) -> &mut Receiver;

    /// Sends a part as one request.
    fn attempt(&mut self, part: &[Message]) -> impl Future<Output = Verdict> + Send;

    /// How many requests a batch may have: more than one for a receiver that acknowledges later than it answers.
    fn requests(&self) -> usize {
        1
    }

    /// After so long no further request of a batch is begun.
    fn within(&self) -> Duration {
        self.receiver().timeout()
    }

    /// Waits until what was taken is acknowledged; it is in the order of the batch.
    ///
    /// # Errors
    /// The first event of which it is not known, and why.
    fn acknowledged(
        &mut self,
        taken: Vec<Taken>,
    ) -> impl Future<Output = Result<(), (usize, Failure)>> + Send {
        // It gives no `Verdict::Taken`.
        ready(
            taken
                .is_empty()
                .then_some(())
                .ok_or((0, self.receiver().words().failure("acknowledges nothing"))),
        )
    }
}

/// A part of a batch that was taken and waits for its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The first event of it, by its place in the batch.
    pub from: usize,
    /// The number of the acknowledgement.
    pub ack: u64,
}

impl<T: Attempts> Transport for T {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        Box::pin(deliver(self, batch))
    }

    fn limits(&self) -> Limits {
        let (of, requests) = (T::LIMITS, self.requests());
        Limits { events: of.events * requests, bytes: of.bytes * requests }
    }

    fn answer(&self) -> Option<String> {
        self.receiver().said.clone()
    }
}

/// Sends a batch, and waits for acknowledgements where the receiver gives any.
async fn deliver(attempts: &mut impl Attempts, batch: &[Message]) -> Outcome {
    let mut taken = Vec::new();
    let mut outcome = attempt_all(attempts, batch, &mut taken).await;
    if let Err((from, failure)) = attempts.acknowledged(taken).await {
        // What comes behind it is sent again with it.
        outcome.done = from;
        outcome.refused.retain(|refused| refused.index < from);
        outcome.failure.get_or_insert(failure);
    }
    outcome
}

/// So many events in a row that a receiver refuses for a reason that need not be theirs: then it is the settings that are wrong,
/// and the events are kept.
const SYSTEMIC: usize = 8;

enum Step {
    Send(usize, usize),
    Refuse(usize, String),
}

/// Sends a batch, in parts where it is larger than a request or the receiver does not take it as a whole. What is in `taken` counts
/// as done.
async fn attempt_all<A: Attempts>(attempts: &mut A, batch: &[Message], taken: &mut Vec<Taken>) -> Outcome {
    let (begun, limit) = (Instant::now(), attempts.within());
    let mut steps = parts(batch, A::LIMITS);
    steps.reverse();
    let mut outcome = Outcome::all(0);
    let (mut any, mut doubtful) = (false, 0);
    let mut first = true;
    while let Some(step) = steps.pop() {
        let (from, to) = match step {
            Step::Send(from, to) if from == to => continue,
            Step::Send(from, to) => (from, to),
            Step::Refuse(index, why) => {
                outcome.refused.push(Refused { index, why });
                outcome.done = index + 1;
                continue;
            }
        };
        if !first && begun.elapsed() >= limit {
            let words = attempts.receiver().words();
            let mut failure =
                words.failure("takes this batch in parts only, and more slowly than a request may take");
            // Smaller next time, so that there is progress.
            failure.too_large = outcome.done == 0;
            outcome.failure = Some(failure);
            return outcome;
        }
        first = false;
        let place = |refused: Refused| Refused { index: from + refused.index, ..refused };
        match attempts.attempt(&batch[from..to]).await {
            Verdict::Done(refused) => {
                if refused.len() < to - from {
                    any = true;
                    attempts.receiver_mut().proven = true;
                }
                outcome.refused.extend(refused.into_iter().map(place));
                outcome.done = to;
            }
            Verdict::Taken(ack) => {
                any = true;
                attempts.receiver_mut().proven = true;
                taken.push(Taken { from, ack });
                outcome.done = to;
            }
            Verdict::Partly { done, refused, failure } => {
                outcome.refused.extend(refused.into_iter().map(place));
                outcome.done = from + done;
                outcome.failure = Some(failure);
                return outcome;
            }
            // The caller sends less only of a batch: that would be fewer requests, not smaller ones.
            Verdict::Failed(failure) if failure.too_large && to - from > 1 && to - from < batch.len() => {
                halve(&mut steps, from, to);
            }
            Verdict::Failed(failure) => {
                outcome.done = from;
                outcome.failure = Some(failure);
                return outcome;
            }
            Verdict::Rejected { at, why, sure } => {
                let alone = (to - from == 1).then_some(0);
                match alone.or(at.filter(|at| *at < to - from)) {
                    Some(at) => {
                        doubtful += usize::from(!sure);
                        let proven = &mut attempts.receiver_mut().proven;
                        let all = match batch.len() {
                            1 => !*proven,
                            length => doubtful >= SYSTEMIC || (doubtful > 1 && from + at + 1 == length),
                        };
                        if !sure && !any && all {
                            *proven = false;
                            let what = format!("refuses every event, so it may be the settings: {why}");
                            let failure = Some(attempts.receiver().words().failure(&what));
                            return Outcome { done: 0, refused: Vec::new(), failure };
                        }
                        steps.push(Step::Send(from + at + 1, to));
                        steps.push(Step::Refuse(from + at, why));
                        steps.push(Step::Send(from, from + at));
                    }
                    None => halve(&mut steps, from, to),
                }
            }
        }
    }
    outcome
}

fn halve(steps: &mut Vec<Step>, from: usize, to: usize) {
    let half = from + (to - from) / 2;
    steps.push(Step::Send(half, to));
    steps.push(Step::Send(from, half));
}

/// A batch in parts of one request each, in order.
fn parts(batch: &[Message], limits: Limits) -> Vec<Step> {
    let (mut parts, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, message) in batch.iter().enumerate() {
        let length = message.record.len();
        if at > from && (at - from == limits.events || bytes + length > limits.bytes) {
            parts.push(Step::Send(from, at));
            (from, bytes) = (at, 0);
        }
        bytes += length;
    }
    parts.push(Step::Send(from, batch.len()));
    parts
}
