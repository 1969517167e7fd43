//! Kafka: a batch is delivered once all in-sync replicas have it.

mod cluster;
mod partition;
#[cfg(test)]
mod tests;
mod transport;
mod words;

pub(crate) use transport::Kafka;
