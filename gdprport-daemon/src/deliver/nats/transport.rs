//! The transport: publishes a batch at once and waits for what the stream acknowledges, in order.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use gdprport_core::delivery::NatsSettings;
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use crate::deliver::hidden::Hidden;
use crate::deliver::{Failure, Limits, Message, Outcome, Refused, Sending, Transport, one_line};

/// How long connecting to one server may take, and to any.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_ANY_WITHIN: Duration = Duration::from_secs(20);

/// How long a batch may take, from its first event to its last acknowledgement.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// A NATS cluster with JetStream.
pub(crate) struct Nats {
    settings: NatsSettings,
    connection: Option<Connection>,
    /// The server that is tried next.
    next: usize,
    answer: Option<String>,
    within: Duration,
    hidden: Hidden,
}

/// What became of one event, if it was not stored.
enum Unstored {
    /// The stream will never take it.
    Refused(String),
    /// It may later.
    Failed(Failure),
}

impl Nats {
    /// Nothing is connected yet.
    pub(crate) fn new(settings: NatsSettings) -> Self {
        Self {
            settings,
            connection: None,
            next: 0,
            answer: None,
            within: SEND_WITHIN,
            hidden: Hidden::default(),
        }
    }

    /// The same with another bound on sending.
    #[cfg(test)]
    pub(super) fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// The first server that lets us in, beginning behind the one that failed last.
    async fn connect(&mut self) -> Result<Connection, String> {
        let deadline = Instant::now() + CONNECT_ANY_WITHIN;
        let mut all = Vec::new();
        for _ in 0..self.settings.servers.len() {
            let index = self.next % self.settings.servers.len();
            let server = &self.settings.servers[index];
            let left =
                deadline.saturating_duration_since(Instant::now()).min(CONNECT_WITHIN.min(self.within));
            if left.is_zero() {
                break;
            }
            match Connection::open(&self.settings, server, left, &mut self.hidden).await {
                Ok(connection) => return Ok(connection),
                Err(why) => all.push(format!("{server}: {why}")),
            }
            self.next = index + 1;
        }
        Err(all.join("; "))
    }

    async fn send_batch(&mut self, batch: &[Message]) -> Outcome {
        let connection = match self.connection.take().filter(|connection| !connection.is_broken()) {
            Some(connection) => connection,
            None => match self.connect().await {
                Ok(connection) => connection,
                Err(why) => return Outcome::failed(one_line(&why)),
            },
        };
        let deadline = Instant::now() + self.within;
        let mut outcome = Outcome::all(0);
        let (mut acks, stopped) = self.publish(&connection, batch, deadline).await;
        for (index, ack) in acks.drain(..).enumerate() {
            let stored = match ack {
                Ok(ack) => self.acknowledged(&connection, ack, deadline).await,
                Err(unstored) => Err(unstored),
            };
            match stored {
                Ok(()) => outcome.done += 1,
                Err(Unstored::Refused(why)) => {
                    outcome.refused.push(Refused { index, why: one_line(&why) });
                    outcome.done += 1;
                }
                Err(Unstored::Failed(failure)) => {
                    outcome.failure = Some(failure);
                    break;
                }
            }
        }
        if outcome.failure.is_none() && outcome.done < batch.len() {
            outcome.failure = stopped.or_else(|| Outcome::failed(self.gone()).failure);
        }
        if outcome.failure.is_none() {
            self.connection = Some(connection);
        } else if connection.is_broken() {
            self.next += 1;
        }
        outcome
    }

    /// Publishes as much as the connection takes in time.
    async fn publish(
        &self,
        connection: &Connection,
        batch: &[Message],
        deadline: Instant,
    ) -> (Vec<Result<PublishAckFuture, Unstored>>, Option<Failure>) {
        let mut acks = Vec::with_capacity(batch.len());
        let Some(jetstream) = connection.jetstream(batch.len()) else {
            return (acks, Outcome::failed(self.gone()).failure);
        };
        for message in batch {
            let event = &message.event;
            let subject = self.settings.subject.subject(
                &event.host.name,
                event.body.kind().as_str(),
                event.severity().as_str(),
            );
            let mut publish =
                PublishMessage::build().payload(message.record.clone()).message_id(event.id.to_string());
            if let Some(stream) = &self.settings.stream {
                publish = publish.expected_stream(&**stream);
            }
            let sent = tokio::select! {
                biased;
                () = Connection::gone(connection.broken.clone()) => return (acks, Outcome::failed(self.gone()).failure),
                sent = timeout_at(deadline, jetstream.send_publish(subject, publish)) => sent,
            };
            match sent {
                Ok(sent) => acks.push(sent.map_err(|error| self.unstored(&error))),
                Err(_) => return (acks, Outcome::failed(self.late()).failure),
            }
        }
        (acks, None)
    }

    async fn acknowledged(
        &mut self,
        connection: &Connection,
        ack: PublishAckFuture,
        deadline: Instant,
    ) -> Result<(), Unstored> {
        let failed = |why: String| Unstored::Failed(Failure { why, after: None, too_large: false });
        let ack = tokio::select! {
            biased;
            ack = timeout_at(deadline, ack.into_future()) => ack,
            () = Connection::gone(connection.broken.clone()) => return Err(failed(self.gone())),
        };
        match ack {
            // One that the stream had already, by its id, is delivered.
            Ok(Ok(ack)) => {
                let again = if ack.duplicate { ", which it had already" } else { "" };
                self.answer =
                    Some(one_line(&format!("stored in {} as number {}{again}", ack.stream, ack.sequence)));
                Ok(())
            }
            Ok(Err(error)) => Err(self.unstored(&error)),
            Err(_) => Err(failed(self.late())),
        }
    }

    fn unstored(&self, error: &PublishError) -> Unstored {
        use std::error::Error as _;
        let source = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
        let code = source.map(async_nats::jetstream::Error::error_code);
        let place = self.settings.place();
        match (error.kind(), code) {
            (PublishErrorKind::MaxPayloadExceeded, _) => {
                Unstored::Refused(format!("larger than the server takes: {error}"))
            }
            (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
                Unstored::Refused("larger than the stream takes (`max_msg_size`)".to_owned())
            }
            (kind, code) => {
                let why = match (kind, code) {
                    (PublishErrorKind::StreamNotFound, _) => {
                        "no stream has this subject, or the server has no JetStream: create one, such as `nats stream add \
                         GDPRPORT --subjects 'gdprport.>'`"
                            .to_owned()
                    }
                    (PublishErrorKind::BrokenPipe, _) => return self.failed(&self.gone()),
                    (PublishErrorKind::TimedOut, _) => return self.failed(&self.late()),
                    (_, Some(ErrorCode::STREAM_NOT_MATCH)) => {
                        format!("the stream of this subject is not `{}`", self.settings.stream.as_deref().unwrap_or("-"))
                    }
                    (_, Some(_)) => format!("the stream does not take it: {}", error.source().unwrap_or(error)),
                    _ => format!("it was not published: {error}"),
                };
                self.failed(&format!("{place}: {why}"))
            }
        }
    }

    fn failed(&self, why: &str) -> Unstored {
        Unstored::Failed(Failure { why: one_line(why), after: None, too_large: false })
    }

    fn gone(&self) -> String {
        one_line(&format!(
            "{}: the server closed the connection, or says more than it was asked",
            self.settings.place()
        ))
    }

    fn late(&self) -> String {
        one_line(&format!("{}: no acknowledgement within {} s", self.settings.place(), self.within.as_secs()))
    }
}

impl Transport for Nats {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        Box::pin(async {
            let outcome = self.send_batch(batch).await;
            self.hidden.outcome(outcome)
        })
    }

    fn limits(&self) -> Limits {
        Limits { events: 500, bytes: 2 << 20 }
    }

    fn answer(&self) -> Option<String> {
        self.answer.as_deref().map(|answer| self.hidden.hide(answer))
    }
}
