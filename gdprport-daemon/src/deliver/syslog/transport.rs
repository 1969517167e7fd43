//! The transport: connects, sends a batch, and says how much of it arrived.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::delivery::{Confirm, Endpoint, SyslogAddress, SyslogSettings};
use tokio::net::{UdpSocket, UnixDatagram, UnixStream};
use tokio::time::{Instant, timeout};

use super::datagram::Datagrams;
use super::message::Writer;
use super::stream::{Broken, Counted, Stream};
use crate::deliver::connect::connect;
use crate::deliver::tls::{client_config, handshake};
use crate::deliver::{Limits, Message, Outcome, Refused, Sending, Transport};

/// How long connecting may take, with the handshake of TLS.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a batch may take once there is a connection.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// How long the next connection has to stay open before the batch on the one before it counts. A program that ends closes
/// its connections and its listener within a millisecond or two (measured with syslog-ng 3.38: 5 ms are enough).
const OUTLIVES: Duration = Duration::from_millis(50);

/// Bytes that are written at once: the steps in which a slow receiver's progress counts.
const PIECE: usize = 32 << 10;

/// Syslog to one receiver.
pub(crate) struct Syslog {
    settings: SyslogSettings,
    writer: Writer,
    link: Option<Link>,
    within: (Duration, Duration),
    /// Whether something arrived the last time.
    arrived: bool,
}

enum Link {
    Stream(Stream),
    Datagrams(Datagrams),
}

impl Syslog {
    /// Nothing is connected yet.
    pub(crate) fn new(settings: SyslogSettings) -> Self {
        let writer = Writer::new(&settings);
        Self { settings, writer, link: None, within: (CONNECT_WITHIN, SEND_WITHIN), arrived: false }
    }

    /// The same with other bounds on connecting and sending.
    #[cfg(test)]
    pub(super) fn within(mut self, connect: Duration, send: Duration) -> Self {
        self.within = (connect, send);
        self
    }

    /// The failure of a whole batch.
    fn failed(&self, why: &str) -> Outcome {
        Outcome::failed(format!("{}: {why}", self.settings.address))
    }

    async fn send_batch(&mut self, batch: &[Message]) -> Outcome {
        let mut link = match self.link.take() {
            // Closed since the last batch, most likely because the receiver was restarted.
            Some(Link::Stream(mut stream)) => stream.is_open().await.then_some(Link::Stream(stream)),
            link => link,
        };
        if link.is_none() {
            match open(&self.settings, self.within.0).await {
                Ok(opened) => link = Some(opened),
                Err(why) => return self.failed(&why),
            }
        }
        match link {
            Some(Link::Datagrams(socket)) => {
                let deadline = Instant::now() + self.within.1;
                let mut outcome = socket.send_all(batch, &mut self.writer, deadline).await;
                match &mut outcome.failure {
                    Some(failure) => failure.why = format!("{}: {}", self.settings.address, failure.why),
                    None => self.link = Some(Link::Datagrams(socket)),
                }
                outcome
            }
            Some(Link::Stream(stream)) => self.send_stream(stream, batch).await,
            None => self.failed("there is no connection"),
        }
    }

    /// Waits until it is plain that the receiver ended the last connection because it had read all of it, and not because
    /// its program ends, with what it had read in its memory: then the connection for the next batch ends too.
    async fn outlived(&mut self) -> Result<(), String> {
        let ends = |why: &str| format!("it ended the connection and seems to end itself ({why})");
        let Link::Stream(mut next) = open(&self.settings, self.within.0).await.map_err(|why| ends(&why))?
        else {
            return Ok(());
        };
        next.stays_open(OUTLIVES).await.map_err(|why| ends(&why))?;
        self.link = Some(Link::Stream(next));
        Ok(())
    }

    async fn send_stream(&mut self, mut stream: Stream, batch: &[Message]) -> Outcome {
        let (pieces, mut refused) = self.pieces(batch);
        let deadline = Instant::now() + self.within.1;
        let mut written = stream.write(&pieces, deadline).await;
        let closes = self.settings.confirm == Confirm::Close;
        if written.is_ok() && closes {
            written = match stream.finish(deadline).await {
                Ok(()) => self.outlived().await,
                Err(why) => Err(why),
            }
            .map_err(Broken::Lost);
        } else if written.is_ok() {
            self.link = Some(Link::Stream(stream));
        }
        match written {
            Ok(()) => Outcome { refused, ..Outcome::all(batch.len()) },
            // What its kernel had and its program had not read is gone: all of the batch is sent again.
            Err(Broken::Lost(why)) => self.failed(&why),
            Err(Broken::Late(arrived)) => {
                let done = if closes { 0 } else { arrived };
                refused.retain(|refused| refused.index < done);
                let why =
                    format!("it took {done} of {} events within {} s", batch.len(), self.within.1.as_secs());
                Outcome { done, refused, ..self.failed(&why) }
            }
        }
    }

    /// The messages of a batch in pieces, each with the number of events up to its end, and those that are refused.
    fn pieces(&mut self, batch: &[Message]) -> (Vec<(Vec<u8>, usize)>, Vec<Refused>) {
        let (mut pieces, mut refused) = (Vec::new(), Vec::new());
        let mut piece = Vec::with_capacity(PIECE);
        for (index, message) in batch.iter().enumerate() {
            if let Err(why) = self.writer.append(message, self.settings.framing, &mut piece) {
                refused.push(Refused { index, why });
            }
            if piece.len() >= PIECE {
                pieces.push((std::mem::replace(&mut piece, Vec::with_capacity(PIECE)), index + 1));
            }
        }
        pieces.push((piece, batch.len()));
        (pieces, refused)
    }
}

impl Transport for Syslog {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        Box::pin(async {
            self.arrived = false;
            let outcome = self.send_batch(batch).await;
            self.arrived = outcome.done > outcome.refused.len();
            outcome
        })
    }

    fn limits(&self) -> Limits {
        match self.settings.address {
            // What a receiver's socket holds by default, with room (net.core.rmem_default is 208 KiB, with overhead).
            SyslogAddress::Udp(_) => Limits { events: 64, bytes: 64 << 10 },
            SyslogAddress::Unix(_) => Limits { events: 256, bytes: 256 << 10 },
            SyslogAddress::Tcp(_) | SyslogAddress::Tls(_) => Limits { events: 1_000, bytes: 1 << 20 },
        }
    }

    fn answer(&self) -> Option<String> {
        let means = match (&self.settings.address, self.settings.confirm) {
            (SyslogAddress::Udp(_), _) => "sent; UDP confirms nothing",
            (_, Confirm::Close) => "the receiver has read it; syslog itself confirms nothing",
            (SyslogAddress::Unix(_), Confirm::Tcp) => "read from the socket; syslog itself confirms nothing",
            (_, Confirm::Tcp) => "acknowledged by the receiver's TCP; syslog itself confirms nothing",
        };
        self.arrived.then(|| means.to_owned())
    }
}

async fn open(settings: &SyslogSettings, within: Duration) -> Result<Link, String> {
    let opened = timeout(within, connected(settings, within)).await;
    opened.unwrap_or_else(|_| Err(format!("no connection within {} s", within.as_secs())))
}

async fn connected(settings: &SyslogSettings, within: Duration) -> Result<Link, String> {
    match &settings.address {
        SyslogAddress::Unix(path) => open_unix(path).await,
        SyslogAddress::Udp(endpoint) => open_udp(endpoint).await.map(Link::Datagrams),
        SyslogAddress::Tcp(endpoint) => {
            let stream = Counted::new(connect(endpoint, within).await?);
            let gauge = stream.gauge().map_err(|error| error.to_string())?;
            Ok(Link::Stream(Stream::new(stream, gauge)))
        }
        SyslogAddress::Tls(endpoint) => {
            // Read anew each time, so that renewed certificates count.
            let config = client_config(&settings.tls).await?;
            let stream = Counted::new(connect(endpoint, within).await?);
            let gauge = stream.gauge().map_err(|error| error.to_string())?;
            let name = settings.tls.server_name.as_ref().unwrap_or(&endpoint.host);
            let stream = handshake(stream, Arc::new(config), name).await?;
            Ok(Link::Stream(Stream::new(stream, gauge)))
        }
    }
}

async fn open_udp(endpoint: &Endpoint) -> Result<Datagrams, String> {
    let found = tokio::net::lookup_host((&*endpoint.host.0, endpoint.port)).await;
    let mut found = found.map_err(|error| format!("cannot resolve the name {}: {error}", endpoint.host.0))?;
    let address = found.next().ok_or_else(|| format!("the name {} has no address", endpoint.host.0))?;
    let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let opened = async {
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        Ok::<_, std::io::Error>(socket)
    };
    opened.await.map(Datagrams::Udp).map_err(|error| format!("cannot send to {address}: {error}"))
}

/// Whichever kind of socket is there, as the C library does it.
async fn open_unix(path: &Path) -> Result<Link, String> {
    let datagrams = UnixDatagram::unbound().and_then(|socket| socket.connect(path).map(|()| socket));
    match datagrams {
        Ok(socket) => Ok(Link::Datagrams(Datagrams::Unix(socket))),
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
            let stream =
                UnixStream::connect(path).await.map_err(|error| format!("cannot connect: {error}"))?;
            let stream = Counted::new(stream);
            let gauge = stream.gauge().map_err(|error| error.to_string())?;
            Ok(Link::Stream(Stream::new(stream, gauge)))
        }
        Err(error) => Err(format!("cannot connect: {error}")),
    }
}
