//! NATS JetStream: published with the event's id, delivered once the stream has acknowledged it.

mod connection;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use transport::Nats;
