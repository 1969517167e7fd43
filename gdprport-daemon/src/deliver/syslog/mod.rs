//! Syslog (RFC 5424) over TLS, TCP, UDP and Unix sockets.
//!
//! Belongs here: the message, how messages are told apart, and when they count as delivered. Syslog has no acknowledgement: what
//! TCP acknowledges, or what the receiver has read before it ends the connection, is the strongest that there is.

mod datagram;
mod message;
mod stream;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use transport::Syslog;
