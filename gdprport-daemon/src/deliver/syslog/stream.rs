//! A connection that has an order: TCP, TLS over it, or a stream on this host; and how much of it the other end has.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, split};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::deliver::tls::explain;

/// Bytes that a receiver may say; syslog receivers say nothing, and what they say is dropped.
const CHATTER_MAX: usize = 64 << 10;

/// How often the kernel is asked what was acknowledged: soon, then less often.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// Anything that bytes go through in order.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Counts the bytes that the socket below has taken: with TLS more than were written.
pub(super) struct Counted<S> {
    inner: S,
    taken: Arc<AtomicU64>,
}

impl<S: AsRawFdSocket> Counted<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, taken: Arc::default() }
    }

    /// What a stream needs besides the bytes: how many were taken, and the socket to ask about them.
    pub(super) fn gauge(&self) -> io::Result<Gauge> {
        Ok(Gauge { taken: Arc::clone(&self.taken), socket: self.inner.as_fd().try_clone_to_owned()? })
    }
}

/// A socket of tokio.
pub(super) trait AsRawFdSocket: AsFd {}

impl<S: AsFd> AsRawFdSocket for S {}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.taken.fetch_add(*count as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// How many bytes went to the socket, and how many of them the other end does not have.
pub(super) struct Gauge {
    taken: Arc<AtomicU64>,
    socket: OwnedFd,
}

impl Gauge {
    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Bytes that the other end has for certain: TCP has acknowledged them, or, on this host, they were read.
    fn arrived(&self) -> io::Result<u64> {
        Ok(self.taken().saturating_sub(queued(&self.socket)?))
    }
}

/// Bytes in a socket's send queue that were not acknowledged (tcp(7), `SIOCOUTQ`), or not read (unix(7)).
pub(super) fn queued(socket: impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one int, to one that lives through the call, and the descriptor is borrowed.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::try_from(bytes).unwrap_or(0)) }
}

/// Why writing ended before all of it had arrived.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection is gone; nobody knows what of it was read.
    Lost(String),
    /// Time is up. The connection lived, so that what has arrived counts: so many events.
    Late(usize),
}

/// A connection.
pub(super) struct Stream {
    io: Box<dyn Io>,
    gauge: Gauge,
}

impl Stream {
    pub(super) fn new(io: impl Io + 'static, gauge: Gauge) -> Self {
        Self { io: Box::new(io), gauge }
    }

    /// Whether the other end has not closed it yet, as far as its kernel has said so.
    pub(super) async fn is_open(&mut self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.gauge.socket, &mut [0; 1], flags) {
            Err(Errno::AGAIN) => return true,
            Ok((_, 0)) | Err(_) => return false,
            Ok(_) => {}
        }
        // Something is there to read, such as tickets of TLS, and behind it may be the end.
        tokio::task::yield_now().await;
        let mut read = 0;
        let mut buffer = [0; 1024];
        while read < CHATTER_MAX {
            tokio::select! {
                biased;
                count = self.io.read(&mut buffer) => match count {
                    Ok(count) if count > 0 => read += count,
                    Ok(_) | Err(_) => return false,
                },
                () = std::future::ready(()) => return true,
            }
        }
        false
    }

    /// Waits whether the other end closes it within a time; says what it did.
    pub(super) async fn stays_open(&mut self, time: Duration) -> Result<(), String> {
        timeout(time, closed(&mut self.io)).await.map_or(Ok(()), Err)
    }

    /// Writes pieces in order and waits until all of them have arrived. Each piece comes with the number of events that are
    /// done once it has.
    pub(super) async fn write(
        &mut self,
        pieces: &[(Vec<u8>, usize)],
        deadline: Instant,
    ) -> Result<(), Broken> {
        let Self { io, gauge } = self;
        let (mut reader, mut writer) = split(io);
        let mut marks: Vec<(u64, usize)> = Vec::with_capacity(pieces.len());
        let work = async {
            for (bytes, events) in pieces {
                writer.write_all(bytes).await?;
                writer.flush().await?;
                marks.push((gauge.taken(), *events));
            }
            let mut pause = FIRST_LOOK;
            while done_of(&marks, gauge.arrived()?) < marks.len() {
                sleep(pause).await;
                pause = (pause * 2).min(LAST_LOOK);
            }
            Ok::<(), io::Error>(())
        };
        // What the other end says is read meanwhile, or its close would not be seen before the next batch.
        let outcome = async {
            tokio::select! {
                biased;
                ended = closed(&mut reader) => Err(Broken::Lost(ended)),
                done = work => done.map_err(|error| Broken::Lost(said(&error))),
            }
        };
        if let Ok(outcome) = timeout_at(deadline, outcome).await {
            return outcome;
        }
        let there = done_of(&marks, gauge.arrived().unwrap_or(0));
        Err(Broken::Late(there.checked_sub(1).map_or(0, |last| marks[last].1)))
    }

    /// Ends this side and waits for the other to end its own, which it does once it has read all.
    pub(super) async fn finish(mut self, deadline: Instant) -> Result<(), String> {
        let work = async {
            self.io.shutdown().await.map_err(|error| said(&error))?;
            let mut buffer = [0; 1024];
            let mut read = 0;
            while read < CHATTER_MAX {
                match self.io.read(&mut buffer).await {
                    Ok(0) => return Ok(()),
                    Ok(count) => read += count,
                    // Without the closing alert of TLS (RFC 8446 §6.1), yet in order: TCP's own has come.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(said(&error)),
                }
            }
            Err("it says more than a syslog receiver has to say".to_owned())
        };
        let late = || {
            "it did not end the connection after it had been sent all (`confirm = \"close\"` waits for that; \
             `confirm = \"tcp\"` does not)"
        };
        timeout_at(deadline, work).await.unwrap_or_else(|_| Err(late().to_owned()))
    }
}

/// How many of the pieces, by where they end, are among the first `bytes`.
fn done_of(marks: &[(u64, usize)], bytes: u64) -> usize {
    marks.partition_point(|(end, _)| *end <= bytes)
}

/// Reads until the other end closes or breaks; what it says is dropped.
async fn closed(reader: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = [0; 1024];
    let mut read = 0;
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return "it closed the connection".to_owned(),
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return "it closed the connection".to_owned();
            }
            Err(error) => return said(&error),
        }
        if read > CHATTER_MAX {
            return "it says more than a syslog receiver has to say".to_owned();
        }
    }
}

fn said(error: &io::Error) -> String {
    explain(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "it broke the connection off".to_owned()
        }
        _ => format!("the connection broke: {error}"),
    })
}
