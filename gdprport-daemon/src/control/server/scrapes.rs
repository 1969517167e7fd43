//! `GET /metrics`: the one endpoint that the address of the metrics has, and the control socket too.
//!
//! Whoever scrapes, and however often: metrics are asked for once in [`SCRAPE_FRESH`], and written once.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::reply::{HttpRefusal, body, refuse};
use crate::control::counters::Counters;
use crate::control::handle::{AskError, LoopHandle};
use crate::control::limits::SCRAPE_FRESH;
use crate::control::metrics::{Family, Format, render, sensor};

/// An address on which metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve metrics on {listen}: {source}; end what listens there, or change {key} in gdprport.toml"
)]
pub(crate) struct ListenError {
    listen: SocketAddr,
    /// What names it in the configuration.
    key: &'static str,
    /// The error of the system call.
    source: io::Error,
}

/// Listens where metrics are to be served, if anywhere. `key` names the address in the configuration.
///
/// # Errors
/// If the address cannot be taken.
pub(crate) fn listen(at: Option<SocketAddr>, key: &'static str) -> Result<Option<TcpListener>, ListenError> {
    let Some(listen) = at else { return Ok(None) };
    let bound = TcpListener::bind(listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map(Some).map_err(|source| ListenError { listen, key, source })
}

/// What was said last, in both formats.
#[derive(Debug, Clone)]
struct Scrape {
    at: Instant,
    open_metrics: Bytes,
    text: Bytes,
}

#[derive(Debug, Clone)]
struct Context<F> {
    /// Asks for the metrics.
    ask: F,
    /// How long a scrape may take.
    within: Duration,
    counters: Arc<Counters>,
    last: Arc<Mutex<Option<Scrape>>>,
}

/// The endpoint of the daemon: its loop is asked.
pub(super) fn of_loop(handle: LoopHandle, within: Duration) -> Router {
    let counters = Arc::clone(handle.counters());
    let ask = move || {
        let handle = handle.clone();
        async move { handle.status(within).await.map(|status| sensor(&status)).map_err(|error| error.to_string()) }
    };
    router(ask, within, counters)
}

/// The endpoint, of whoever replies to `ask` with metrics, or with why there are none. Clones share what was said last.
pub(crate) fn of<F, Asked>(ask: F, within: Duration) -> Router
where
    F: Fn() -> Asked + Clone + Send + Sync + 'static,
    Asked: Future<Output = Result<Vec<Family>, String>> + Send + 'static,
{
    router(ask, within, Arc::default())
}

fn router<F, Asked>(ask: F, within: Duration, counters: Arc<Counters>) -> Router
where
    F: Fn() -> Asked + Clone + Send + Sync + 'static,
    Asked: Future<Output = Result<Vec<Family>, String>> + Send + 'static,
{
    let context = Context { ask, within, counters, last: Arc::default() };
    Router::new().route("/metrics", get(metrics::<F, Asked>)).with_state(context)
}

/// The endpoint and nothing else, for an address that any user of the host can reach.
pub(crate) fn alone(scrapes: Router) -> Router {
    scrapes
        .fallback(async || refuse(StatusCode::NOT_FOUND, "there is nothing here but GET /metrics"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "metrics are only read, with GET")
        })
}

async fn metrics<F, Asked>(
    State(context): State<Context<F>>,
    headers: HeaderMap,
) -> Result<Response, HttpRefusal>
where
    F: Fn() -> Asked,
    Asked: Future<Output = Result<Vec<Family>, String>>,
{
    // Those that wait for the same reply have waited long enough together.
    let scrape = timeout(context.within, context.scrape()).await;
    let late = |_| Err(AskError::Late(context.within).to_string());
    let scrape = scrape.unwrap_or_else(late).map_err(|why| {
        context.counters.busy.fetch_add(1, Ordering::Relaxed);
        refuse(StatusCode::SERVICE_UNAVAILABLE, why)
    })?;
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    let bytes = match format {
        Format::OpenMetrics => scrape.open_metrics,
        Format::Text => scrape.text,
    };
    Ok(body(format.content_type(), Body::from(bytes)))
}

impl<F, Asked> Context<F>
where
    F: Fn() -> Asked,
    Asked: Future<Output = Result<Vec<Family>, String>>,
{
    async fn scrape(&self) -> Result<Scrape, String> {
        let mut last = self.last.lock().await;
        if let Some(scrape) = last.as_ref().filter(|scrape| scrape.at.elapsed() < SCRAPE_FRESH) {
            return Ok(scrape.clone());
        }
        let families = (self.ask)().await?;
        let scrape = Scrape {
            at: Instant::now(),
            open_metrics: render(families.clone(), Format::OpenMetrics).into(),
            text: render(families, Format::Text).into(),
        };
        Ok(last.insert(scrape).clone())
    }
}
