//! The server of the control socket and of the address of the metrics: accepts connections, bounds them and ends them.
//!
//! Belongs here: the accept loop and every limit. Does not belong here: endpoints (`routes`), the path (`bind`).

mod bind;
mod caller;
mod context;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod io;
mod policy_routes;
mod reply;
mod routes;
pub(crate) mod scrapes;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::io as std_io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use bind::BindError;
pub(crate) use caller::{Caller, Credentials};
pub(crate) use reply::{HttpRefusal, Json, refuse};

use self::io::WriteTimeout;
use super::address::GROUP;
use super::counters::{Counters, Gauge};
use super::handle::LoopHandle;
use super::limits::{
    DRAIN, GROUP_WITHIN, MAX_CONNECTIONS, MAX_HEAD, MAX_HEADERS, MAX_SCRAPERS, REPLY_WITHIN, ROOT_RESERVE,
};

/// What a connection is sent for which there is no place.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
content-length: 44\r\nconnection: close\r\n\r\n\
{\"error\":\"too many connections; try again\"}\n";

/// Times and the source of credentials; the defaults are the product's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// For a request's head to arrive, also counted while a kept connection is idle.
    pub(crate) head_within: Duration,
    /// For the reply to a request, except for following the events.
    pub(crate) reply_within: Duration,
    /// For a client that reads to make any progress.
    pub(crate) stall: Duration,
    /// For a connection in total, unless it follows the events; a reply in progress then has `stall` more.
    pub(crate) life: Duration,
    /// Who the client is.
    pub(crate) peer: fn(&UnixStream) -> std_io::Result<Credentials>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            head_within: Duration::from_secs(5),
            reply_within: REPLY_WITHIN,
            stall: Duration::from_secs(10),
            life: Duration::from_secs(60),
            peer: |stream| Credentials::of(stream),
        }
    }
}

/// The control socket, taken and listening; clients wait until it is served.
#[derive(Debug)]
pub(crate) struct Server {
    listener: std::os::unix::net::UnixListener,
    socket_path: bind::SocketPath,
    /// Where nothing but the metrics is served.
    metrics: Option<std::net::TcpListener>,
    options: Options,
}

impl Server {
    /// Takes the path and listens with mode 0660 and group `gdprport`, if this host has that group.
    ///
    /// # Errors
    /// `BindError`: another daemon serves it, something else stands there, or the system refuses.
    pub(crate) fn bind(path: &Path, options: Options) -> Result<Self, BindError> {
        let group = group(GROUP, |name| uzers::get_group_by_name(name).map(|group| group.gid()));
        let (listener, socket_path) = bind::take(path, group)?;
        Ok(Self { listener, socket_path, metrics: None, options })
    }

    /// Also serves the metrics, and nothing else, to whom this listener accepts.
    #[must_use]
    pub(crate) fn with_metrics(self, metrics: Option<std::net::TcpListener>) -> Self {
        Self { metrics, ..self }
    }

    /// The same without a change of the group: whoever is no root leaves that to the directory (setgid).
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub(crate) fn bind_as_it_is(path: &Path, options: Options) -> Result<Self, BindError> {
        let (listener, socket_path) = bind::take(path, None)?;
        Ok(Self { listener, socket_path, metrics: None, options })
    }

    /// Serves until `stop` completes, then gives open connections a second, and the path back.
    ///
    /// # Errors
    /// Only at the start, if the runtime refuses the listener; later failures are counted and do not end it.
    pub(crate) async fn serve(
        self,
        handle: LoopHandle,
        stop: impl Future<Output = ()>,
    ) -> std_io::Result<()> {
        let scrapes = scrapes::of_loop(handle.clone(), self.options.reply_within);
        let router = routes::router(handle.clone(), self.options.reply_within, scrapes.clone());
        self.serve_all(router, scrapes::alone(scrapes), handle.counters(), stop).await
    }

    /// The same with endpoints of somebody else: requests have a [`Caller`] as extension. `scrapes` are those of the metrics'
    /// address.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub(crate) async fn serve_routes(
        self,
        router: Router,
        scrapes: Router,
        stop: impl Future<Output = ()>,
    ) -> std_io::Result<()> {
        self.serve_all(router, scrapes, &Arc::default(), stop).await
    }

    async fn serve_all(
        self,
        router: Router,
        scrapes: Router,
        counters: &Arc<Counters>,
        stop: impl Future<Output = ()>,
    ) -> std_io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let scraped = self.metrics.map(TcpListener::from_std).transpose()?;
        let (stopping, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        if let Some((stream, peer, place)) = admit(stream, counters, &self.options) {
                            let served = serve_connection(stream, peer, router.clone(), self.options, stopped.clone());
                            connections.spawn(count_breaches(served, place, Arc::clone(counters)));
                        }
                    }
                    Err(error) => {
                        // Out of descriptors or memory: without a pause this would spin until some are freed.
                        tracing::warn!(%error, "cannot accept on the control socket");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                accepted = accept_scraper(scraped.as_ref()) => match accepted {
                    Ok(stream) => {
                        if let Some(place) = admit_scraper(&stream, counters) {
                            let served = serve_connection(stream, SCRAPER, scrapes.clone(), self.options, stopped.clone());
                            connections.spawn(count_breaches(served, place, Arc::clone(counters)));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept on the address of the metrics");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop((listener, scraped));
        drop(self.socket_path);
        drop(stopping);
        let drained = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, drained).await;
        Ok(())
    }
}

/// The group's number, if the host has it and returns it in time: a directory service that hangs must not keep the
/// daemon from watching.
fn group(name: &'static str, ask: impl FnOnce(&str) -> Option<u32> + Send + 'static) -> Option<u32> {
    let (to, found) = channel();
    // A stuck thread is left alone: nobody receives its result, and it ends with the process.
    let asking = std::thread::Builder::new().name("group".to_owned()).spawn(move || to.send(ask(name)));
    match asking.map(|_| found.recv_timeout(GROUP_WITHIN)) {
        Ok(Ok(group)) => group,
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(
                group = name,
                "the host does not return the group: the control socket keeps this process's own"
            );
            None
        }
    }
}

/// Finds a place for a new connection or refuses it.
fn admit(
    stream: UnixStream,
    counters: &Arc<Counters>,
    options: &Options,
) -> Option<(UnixStream, Credentials, Gauge)> {
    let peer = (options.peer)(&stream).ok()?;
    let reserved = if peer.uid == 0 { 0 } else { ROOT_RESERVE };
    match Gauge::take(counters, |counters| &counters.connections, MAX_CONNECTIONS as u64 - reserved) {
        Some(place) => {
            counters.accepted.fetch_add(1, Ordering::Relaxed);
            Some((stream, peer, place))
        }
        None => {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            // A fresh socket's buffer has room for this; if not, closing has to be enough.
            let _ = stream.try_write(NO_PLACE);
            None
        }
    }
}

/// Who scrapes over TCP: anybody.
const SCRAPER: Credentials = Credentials { pid: None, uid: u32::MAX };

/// The next connection to the address of the metrics, if there is one.
async fn accept_scraper(listener: Option<&TcpListener>) -> std_io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => pending().await,
    }
}

/// Finds a place for a scraper or refuses it; it takes none of the control socket's.
fn admit_scraper(stream: &TcpStream, counters: &Arc<Counters>) -> Option<Gauge> {
    let place = Gauge::take(counters, |counters| &counters.scrapers, MAX_SCRAPERS as u64);
    let count = if place.is_some() { &counters.accepted } else { &counters.refused };
    count.fetch_add(1, Ordering::Relaxed);
    if place.is_none() {
        let _ = stream.try_write(NO_PLACE);
    }
    place
}

/// Serves a connection that has a place, and counts how it ended.
async fn count_breaches(served: impl Future<Output = ConnectionEnd>, place: Gauge, counters: Arc<Counters>) {
    let _place = place;
    if served.await == ConnectionEnd::Breach {
        counters.broken.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Credentials,
    router: Router,
    options: Options,
    mut stopped: watch::Receiver<()>,
) -> ConnectionEnd {
    let routes = TowerToHyperService::new(router);
    let caller = Caller { peer, following: Arc::default() };
    let following = Arc::clone(&caller.following);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(caller.clone());
        let response = routes.call(request);
        async move { Ok::<_, Infallible>(response.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(options.head_within)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(WriteTimeout::new(stream, options.stall)), service)
    );
    let end_of_life = async {
        sleep(options.life).await;
        if following.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        result = connection.as_mut() => return ConnectionEnd::of(result),
        () = end_of_life => {}
        // Only ever an error, "closed": the sender sends nothing, it is dropped.
        _ = stopped.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(options.stall, connection).await.map_or(ConnectionEnd::Breach, ConnectionEnd::of)
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionEnd {
    /// As it should, or because the client hung up.
    Clean,
    /// The client broke the protocol or a time limit.
    Breach,
}

impl ConnectionEnd {
    fn of(result: hyper::Result<()>) -> Self {
        let Err(error) = result else { return Self::Clean };
        let timed_out = error
            .source()
            .and_then(|source| source.downcast_ref::<std_io::Error>())
            .is_some_and(|error| error.kind() == std_io::ErrorKind::TimedOut);
        if error.is_parse() || error.is_timeout() || timed_out { Self::Breach } else { Self::Clean }
    }
}
