//! A transport as the bench measures it.

use gdprport_core::delivery::Delivery;
use gdprport_core::event::Event;
use gdprport_core::written::Source;
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::receiver::transport;
use super::{Message, Transport};

/// Events on their way to one receiver.
pub struct Sent {
    transport: Box<dyn Transport>,
    messages: Vec<Message>,
    encoding: &'static str,
    /// How many were sent.
    done: usize,
    runtime: Runtime,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent")
            .field("encoding", &self.encoding)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Sent {
    /// For the sink of a `gdprport.toml`, so many events that are this line of the native encoding, each with an id of its own, in
    /// the encoding of the sink.
    ///
    /// # Errors
    /// What is wrong with the text or the line.
    pub fn new(config: &str, line: &str, events: usize) -> Result<Self, String> {
        let source = Source { name: "gdprport.toml".to_owned(), text: config.to_owned() };
        let delivery = Delivery::parse(source).map_err(|problems| problems.to_string())?;
        if let Some(faulty) = delivery.faulty.first() {
            return Err(faulty.problems.to_string());
        }
        let sink = delivery.sinks.first().ok_or("there is no [[sink]]")?;
        let event: Event = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let message = |seq: usize| {
            let mut event = event.clone();
            (event.id, event.seq, event.time) = (Uuid::now_v7(), seq as u64, Timestamp::now());
            let mut record = Vec::new();
            sink.encoding.write(&event, &mut record);
            Message { event, record: record.into() }
        };
        Ok(Self {
            transport: transport(&sink.target)?,
            messages: (1..=events).map(message).collect(),
            encoding: sink.encoding.as_str(),
            done: 0,
            runtime: Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?,
        })
    }

    /// The encoding of the sink.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Bytes of a record.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.messages.first().map_or(0, |message| message.record.len())
    }

    /// Sends the next batch, as large as the transport takes it, on this thread. Returns how many events that were: 0 at the end.
    ///
    /// # Errors
    /// Why not all of it was taken, or that some were refused.
    pub fn send(&mut self) -> Result<usize, String> {
        let rest = &self.messages[self.done..];
        let limits = self.transport.limits();
        let mut bytes = 0;
        let fits = rest.iter().take(limits.events).take_while(|message| {
            bytes += message.record.len();
            bytes <= limits.bytes
        });
        let batch = &rest[..fits.count().max(1).min(rest.len())];
        if batch.is_empty() {
            return Ok(0);
        }
        let outcome = self.runtime.block_on(self.transport.send(batch));
        match (outcome.failure, outcome.refused.first()) {
            (Some(failure), _) => Err(failure.why),
            (None, Some(refused)) => Err(refused.why.clone()),
            (None, None) => {
                self.done += batch.len();
                Ok(batch.len())
            }
        }
    }
}
