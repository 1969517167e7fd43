//! Messages as packets: UDP, and sockets of this host such as `/dev/log`.

use std::io;
use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::time::{Instant, sleep, timeout_at};

use super::message::Writer;
use super::stream::queued;
use crate::deliver::{Message, Outcome, Refused};

/// How long is waited for the receiver's host to say that nobody listens (ICMP). It paces too: packets of a burst are the first
/// that a receiver loses.
const COMPLAINT_WITHIN: Duration = Duration::from_millis(5);

/// A socket that is connected to its receiver.
#[derive(Debug)]
pub(super) enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    /// Sends one; waits while the receiver's queue is full, where that can be known.
    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let count = match self {
            Self::Udp(socket) => socket.send(bytes).await?,
            Self::Unix(socket) => socket.send(bytes).await?,
        };
        if count == bytes.len() { Ok(()) } else { Err(io::Error::other("a message was cut")) }
    }

    /// Waits until what was sent was read (on this host), or for a complaint (over the network).
    async fn settled(&self) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                sleep(COMPLAINT_WITHIN).await;
                socket.take_error()?.map_or(Ok(()), Err)
            }
            Self::Unix(socket) => {
                let mut pause = Duration::from_micros(200);
                while queued(socket)? > 0 {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                socket.take_error()?.map_or(Ok(()), Err)
            }
        }
    }

    /// Sends a batch. On an error the whole batch counts as not delivered: nobody knows which of it was read.
    pub(super) async fn send_all(
        &self,
        batch: &[Message],
        writer: &mut Writer,
        deadline: Instant,
    ) -> Outcome {
        let mut refused = Vec::new();
        for (index, message) in batch.iter().enumerate() {
            let bytes = match writer.plain(message) {
                Ok(bytes) => bytes,
                Err(why) => {
                    refused.push(Refused { index, why });
                    continue;
                }
            };
            match timeout_at(deadline, self.send(bytes)).await {
                Ok(Ok(())) => {}
                // Of this host: larger than its socket or the way takes.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    let why = format!("the message has {} bytes, more than one packet takes", bytes.len());
                    refused.push(Refused { index, why });
                }
                Ok(Err(error)) => return Outcome::failed(said(&error)),
                // What was sent is in the queue of a receiver that lives.
                Err(_) => {
                    let failure = Outcome::failed("it did not take the next message in time").failure;
                    return Outcome { done: index, refused, failure };
                }
            }
        }
        match timeout_at(deadline, self.settled()).await {
            Ok(Err(error)) => Outcome::failed(said(&error)),
            Ok(Ok(())) | Err(_) => Outcome { refused, ..Outcome::all(batch.len()) },
        }
    }
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => format!("cannot send: {error}"),
    }
}
