//! What a deliverer is asked to do: the sinks of `gdprport.toml`, as they are written.
//!
//! Belongs here: the grammar and meaning of `[[sink]]` and `[deliver]`, one file for the settings of each transport, the
//! filter, and what a sink waits for. Pure. How events get to a receiver is `deliver`'s in the daemon's crate.

mod backoff;
#[cfg(test)]
mod documented;
mod elastic;
mod endpoint;
mod file;
mod filter;
mod header;
mod http;
mod kafka;
mod loki;
mod nats;
mod otlp;
mod over_http;
mod ports;
mod scalar;
mod secret;
mod servers;
mod sink;
mod splunk;
mod syslog;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_http;
mod timestamps;
mod tls;
mod url;

pub use backoff::{AFTER_MAX, Backoff};
pub use elastic::ElasticSettings;
pub use endpoint::Endpoint;
pub use file::{Delivery, FaultySink, SINKS_MAX, Settings, SpoolPlace};
pub use filter::{Filter, PortName};
pub use header::{HeaderName, HeaderText};
pub use kafka::{KafkaLogin, KafkaSettings, Partitioning, Sasl};
pub use loki::LokiSettings;
pub use nats::{NatsLogin, NatsSettings, SubjectTemplate};
pub use otlp::OtlpSettings;
pub use over_http::{Auth, HttpSettings, Proxy};
pub use secret::SecretRef;
pub use sink::{BatchBounds, Sink, Start};
pub use splunk::SplunkSettings;
pub use syslog::{Confirm, Facility, Framing, SyslogAddress, SyslogSettings};
pub use target::{Target, TransportKind};
pub use timestamps::TimestampSettings;
pub use tls::{ClientCertificate, ServerName, TlsSettings};
pub use url::HttpUrl;
