//! The transport: a batch as records of one partition, or of several one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use gdprport_core::delivery::{KafkaSettings, Partitioning};
use rskafka::client::partition::Compression;
use rskafka::record::Record;
use tokio::time::{Instant, timeout_at};

use super::cluster::{Cluster, named};
use super::partition::of_key;
use super::words::failure;
use crate::deliver::hidden::Hidden;
use crate::deliver::{Limits, Message, Outcome, Sending, Transport, one_line};

/// How long connecting may take, and a batch after that.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// A Kafka cluster.
pub(crate) struct Kafka {
    settings: KafkaSettings,
    cluster: Option<Cluster>,
    /// Batches so far, for one partition after the other.
    turn: usize,
    answer: Option<String>,
    within: (Duration, Duration),
    hidden: Hidden,
}

impl Kafka {
    /// Nothing is connected yet.
    pub(crate) fn new(settings: KafkaSettings) -> Self {
        let within = (CONNECT_WITHIN, SEND_WITHIN);
        Self { settings, cluster: None, turn: 0, answer: None, within, hidden: Hidden::default() }
    }

    /// The same with other bounds on connecting and sending.
    #[cfg(test)]
    pub(super) fn within(mut self, connect: Duration, send: Duration) -> Self {
        self.within = (connect, send);
        self
    }

    async fn send_batch(&mut self, batch: &[Message]) -> Outcome {
        let mut cluster = match self.cluster.take() {
            Some(cluster) => cluster,
            None => match Cluster::open(&self.settings, self.within.0, &mut self.hidden).await {
                Ok(cluster) => cluster,
                Err(why) => {
                    // Of several brokers each is named with what is wrong there.
                    let named_alone =
                        self.settings.brokers.iter().any(|broker| why.contains(&broker.to_string()));
                    let why = if named_alone { why } else { named(&self.settings.place(), why) };
                    return Outcome::failed(one_line(&why));
                }
            },
        };
        let deadline = Instant::now() + self.within.1;
        self.turn = self.turn.wrapping_add(1);
        let mut done = 0;
        for run in runs(batch, self.settings.partition) {
            let partition = match self.settings.partition {
                Partitioning::Host => of_key(run[0].event.host.name.as_bytes(), cluster.partitions.len()),
                Partitioning::RoundRobin => self.turn % cluster.partitions.len(),
            };
            let partition = cluster.partitions[partition];
            let produced = async {
                let client = cluster.partition(&self.settings.topic, partition).await?;
                client.produce(run.iter().map(record).collect(), Compression::NoCompression).await
            };
            // What came after all comes again, with the same ids. The connection is given up: its next answer would be for this.
            let outcome = |failure| Outcome { done, refused: Vec::new(), failure };
            match timeout_at(deadline, produced).await {
                Ok(Ok(offsets)) => {
                    let last = offsets.last().copied().unwrap_or_default();
                    self.answer =
                        Some(format!("stored in {}/{partition} at offset {last}", self.settings.topic));
                    done += run.len();
                }
                Ok(Err(error)) => return outcome(Some(failure(&self.settings.place(), &error))),
                Err(_) => {
                    let why = format!(
                        "{}: no acknowledgement within {} s",
                        self.settings.place(),
                        self.within.1.as_secs()
                    );
                    return outcome(Outcome::failed(one_line(&why)).failure);
                }
            }
        }
        self.cluster = Some(cluster);
        Outcome::all(done)
    }
}

/// The parts of a batch that go to one partition each, in order.
fn runs(batch: &[Message], partition: Partitioning) -> impl Iterator<Item = &[Message]> {
    batch.chunk_by(move |a, b| match partition {
        Partitioning::Host => a.event.host.name == b.event.host.name,
        Partitioning::RoundRobin => true,
    })
}

fn record(message: &Message) -> Record {
    let event = &message.event;
    let time = event.time;
    let nanoseconds = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
    let headers = [("id", event.id.to_string()), ("kind", event.body.kind().as_str().to_owned())];
    Record {
        key: Some(event.host.name.as_bytes().to_vec()),
        value: Some(message.record.to_vec()),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect::<BTreeMap<_, _>>(),
        timestamp: DateTime::from_timestamp(time.as_second(), nanoseconds).unwrap_or_default(),
    }
}

impl Transport for Kafka {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        Box::pin(async {
            let outcome = self.send_batch(batch).await;
            self.hidden.outcome(outcome)
        })
    }

    /// Below the 1 MiB that brokers take of one batch of records by default (`message.max.bytes`), with room for headers.
    fn limits(&self) -> Limits {
        Limits { events: 1_000, bytes: 768 << 10 }
    }

    fn answer(&self) -> Option<String> {
        self.answer.clone()
    }
}
