//! From a receiver's answers about requests to an outcome about events: what it takes, what it will never take, and which of
//! a batch it meant when it refused the request as a whole.
//!
//! A receiver that refuses a batch because of one event in it seldom says which. Then the batch is sent in halves until the event
//! is alone. So one bad event neither holds up the others nor is it sent for ever.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::words::Words;
use crate::deliver::{Failure, Message, Outcome, Refused};

/// What became of a request with a part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of the part is done, except these, which are refused for good; by their place in the part, ascending.
    Done(Vec<Refused>),
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

/// Something that sends a part of a batch.
pub(crate) trait Attempts: Send {
    /// Sends it as one request.
    fn attempt(&mut self, part: &[Message]) -> impl Future<Output = Verdict> + Send;

    /// What sentences about the receiver are made of.
    fn words(&self) -> Arc<Words>;

    /// Whether it has taken an event since it last seemed to refuse all of them: then its settings are right, and what it refuses is
    /// an event's fault.
    fn proven(&mut self) -> &mut bool;
}

/// So many events in a row that a receiver refuses for a reason that need not be theirs: then it is the settings that are wrong,
/// and the events are kept.
const SYSTEMIC: usize = 8;

enum Step {
    Send(usize, usize),
    Refuse(usize, String),
}

/// Sends a batch, in parts where the receiver does not take it as a whole. After `limit` no further request is begun.
pub(crate) async fn deliver(attempts: &mut impl Attempts, batch: &[Message], limit: Duration) -> Outcome {
    let begun = Instant::now();
    let mut steps = vec![Step::Send(0, batch.len())];
    let mut outcome = Outcome::all(0);
    let (mut taken, mut doubtful) = (false, 0);
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
            let mut failure = attempts
                .words()
                .failure("takes this batch in parts only, and more slowly than a request may take");
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
                    taken = true;
                    *attempts.proven() = true;
                }
                outcome.refused.extend(refused.into_iter().map(place));
                outcome.done = to;
            }
            Verdict::Partly { done, refused, failure } => {
                outcome.refused.extend(refused.into_iter().map(place));
                outcome.done = from + done;
                outcome.failure = Some(failure);
                return outcome;
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
                        let all = match batch.len() {
                            1 => !*attempts.proven(),
                            length => doubtful >= SYSTEMIC || (doubtful > 1 && from + at + 1 == length),
                        };
                        if !sure && !taken && all {
                            *attempts.proven() = false;
                            let what = format!("refuses every event, so it may be the settings: {why}");
                            let failure = Some(attempts.words().failure(&what));
                            return Outcome { done: 0, refused: Vec::new(), failure };
                        }
                        steps.push(Step::Send(from + at + 1, to));
                        steps.push(Step::Refuse(from + at, why));
                        steps.push(Step::Send(from, from + at));
                    }
                    None => {
                        let half = from + (to - from) / 2;
                        steps.push(Step::Send(half, to));
                        steps.push(Step::Send(from, half));
                    }
                }
            }
        }
    }
    outcome
}
