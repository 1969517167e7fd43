//! From the settings of a sink to its transport: one row for each.

use gdprport_core::delivery::Target;

use super::Transport;
use super::http::{Elastic, Loki, Ndjson, Otlp, Splunk};
#[cfg(feature = "kafka")]
use super::kafka::Kafka;
use super::nats::Nats;
use super::syslog::Syslog;

/// Makes the transport of a receiver. It connects when it is first used.
///
/// # Errors
/// One sentence: why there can be none.
pub(super) fn transport(target: &Target) -> Result<Box<dyn Transport>, String> {
    match target {
        Target::Nats(settings) => Ok(Box::new(Nats::new(settings.clone()))),
        #[cfg(feature = "kafka")]
        Target::Kafka(settings) => Ok(Box::new(Kafka::new(settings.clone()))),
        #[cfg(not(feature = "kafka"))]
        Target::Kafka(_) => Err("this build has no client for Kafka (feature `kafka`)".to_owned()),
        Target::Syslog(settings) => Ok(Box::new(Syslog::new(settings.clone()))),
        Target::Http(settings) => Ok(Box::new(Ndjson::new(settings.clone()))),
        Target::Splunk(settings) => Ok(Box::new(Splunk::new(settings.clone()))),
        Target::Elastic(settings) => Ok(Box::new(Elastic::new(settings.clone()))),
        Target::Loki(settings) => Ok(Box::new(Loki::new(settings.clone()))),
        Target::Otlp(settings) => Ok(Box::new(Otlp::new(settings.clone()))),
    }
}
