//! A connection to a cluster: its topic's partitions, and a client for each that was used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::delivery::{Endpoint, KafkaLogin, KafkaSettings, Sasl};
use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::words::words;
use crate::deliver::ANSWER_MAX;
use crate::deliver::connect::connect;
use crate::deliver::hidden::Hidden;
use crate::deliver::tls::{client_config, handshake};

/// Bytes of one answer: the list of a cluster's topics is the largest, and grows with them.
const FRAME_MAX: usize = 8 * ANSWER_MAX;

/// A connected cluster.
pub(super) struct Cluster {
    client: Client,
    /// The topic's partitions, at least one, in order.
    pub(super) partitions: Vec<i32>,
    clients: HashMap<i32, PartitionClient>,
}

impl Cluster {
    /// Connects and looks the topic up; each of the two within the time.
    ///
    /// # Errors
    /// One sentence.
    pub(super) async fn open(
        settings: &KafkaSettings,
        within: Duration,
        hidden: &mut Hidden,
    ) -> Result<Self, String> {
        let tls = tls(settings).await?;
        let brokers = settings.brokers.iter().map(ToString::to_string).collect();
        let mut builder = ClientBuilder::new(brokers)
            .client_id("gdprport")
            .max_message_size(FRAME_MAX)
            .backoff_config(BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
                deadline: Some(within / 2),
            });
        if let Some(config) = &tls {
            builder = builder.tls_config(Arc::clone(config));
        }
        if let Some(login) = &settings.login {
            builder = builder.sasl_config(sasl(login, hidden).await?);
        }
        let client = match timeout(within, builder.build()).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                return Err(reason(settings, tls, within).await.unwrap_or_else(|| words(&error)));
            }
            Err(_) => {
                let late = || format!("no connection within {} s", within.as_secs());
                return Err(reason(settings, tls, within).await.unwrap_or_else(late));
            }
        };
        let topics = timeout(within, client.list_topics()).await.map_err(|_| "no list of topics in time")?;
        let topics = topics.map_err(|error| words(&error))?;
        let topic = topics.into_iter().find(|topic| topic.name == *settings.topic);
        let mut partitions: Vec<i32> = topic.into_iter().flat_map(|topic| topic.partitions).collect();
        partitions.sort_unstable();
        if partitions.is_empty() {
            return Err(format!(
                "the topic `{}` does not exist, or this user does not see it: create it",
                settings.topic
            ));
        }
        Ok(Self { client, partitions, clients: HashMap::new() })
    }

    /// The client of a partition.
    pub(super) async fn partition(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<&PartitionClient, rskafka::client::error::Error> {
        if !self.clients.contains_key(&partition) {
            let made = self.client.partition_client(topic, partition, UnknownTopicHandling::Error).await?;
            self.clients.insert(partition, made);
        }
        Ok(&self.clients[&partition])
    }
}

async fn tls(settings: &KafkaSettings) -> Result<Option<Arc<ClientConfig>>, String> {
    match &settings.tls {
        Some(tls) => client_config(tls).await.map(|config| Some(Arc::new(config))),
        None => Ok(None),
    }
}

async fn sasl(login: &KafkaLogin, hidden: &mut Hidden) -> Result<SaslConfig, String> {
    let credentials = Credentials::new(login.user.to_string(), hidden.text(&login.password).await?);
    Ok(match login.sasl {
        Sasl::Plain => SaslConfig::Plain(credentials),
        Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
        Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
    })
}

/// Why none of the brokers can be reached, if that is it: the client's own words do not tell a wrong name from a wrong port.
async fn reason(
    settings: &KafkaSettings,
    tls: Option<Arc<ClientConfig>>,
    within: Duration,
) -> Option<String> {
    let mut all = Vec::new();
    for broker in &settings.brokers {
        let tried = timeout(within, reach(settings, broker, tls.clone(), within)).await;
        match tried.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => return None,
            Err(why) => all.push(named(&broker.to_string(), why)),
        }
    }
    Some(all.join("; "))
}

/// What is wrong at a place, which is named once.
pub(super) fn named(place: &str, why: String) -> String {
    if why.contains(place) { why } else { format!("{place}: {why}") }
}

async fn reach(
    settings: &KafkaSettings,
    broker: &Endpoint,
    tls: Option<Arc<ClientConfig>>,
    within: Duration,
) -> Result<(), String> {
    let stream = connect(broker, within).await?;
    let Some(config) = tls else { return Ok(()) };
    let name = settings.tls.as_ref().and_then(|tls| tls.server_name.as_ref()).unwrap_or(&broker.host);
    handshake(stream, config, name).await.map(drop)
}
