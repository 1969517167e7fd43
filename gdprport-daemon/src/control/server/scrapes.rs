//! `GET /metrics`: the one endpoint that the address of `[metrics]` has, and the control socket too.
//!
//! Whoever scrapes, and however often: the loop is asked once in [`SCRAPE_FRESH`], and what it said is written once.

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
use crate::control::handle::{AskError, LoopHandle};
use crate::control::limits::SCRAPE_FRESH;
use crate::control::metrics::{Format, render, sensor};

/// What the loop said last, as both formats.
#[derive(Debug, Clone)]
struct Scrape {
    at: Instant,
    open_metrics: Bytes,
    text: Bytes,
}

#[derive(Debug, Clone)]
struct Context {
    handle: LoopHandle,
    /// How long a scrape may take.
    within: Duration,
    last: Arc<Mutex<Option<Scrape>>>,
}

/// The endpoint. Clones share what the loop said.
pub(super) fn router(handle: LoopHandle, within: Duration) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Context { handle, within, last: Arc::default() })
}

/// The endpoint and nothing else, for an address that any user of the host can reach.
pub(super) fn alone(scrapes: Router) -> Router {
    scrapes
        .fallback(async || refuse(StatusCode::NOT_FOUND, "there is nothing here but GET /metrics"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "metrics are only read, with GET")
        })
}

async fn metrics(State(context): State<Context>, headers: HeaderMap) -> Result<Response, HttpRefusal> {
    // Those that wait for the same reply have waited long enough together.
    let scrape = timeout(context.within, context.scrape()).await;
    let scrape = scrape.unwrap_or(Err(AskError::Late(context.within))).map_err(|error| {
        context.handle.counters().busy.fetch_add(1, Ordering::Relaxed);
        refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    })?;
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    let bytes = match format {
        Format::OpenMetrics => scrape.open_metrics,
        Format::Text => scrape.text,
    };
    Ok(body(format.content_type(), Body::from(bytes)))
}

impl Context {
    async fn scrape(&self) -> Result<Scrape, AskError> {
        let mut last = self.last.lock().await;
        if let Some(scrape) = last.as_ref().filter(|scrape| scrape.at.elapsed() < SCRAPE_FRESH) {
            return Ok(scrape.clone());
        }
        let families = sensor(&self.handle.status(self.within).await?);
        let scrape = Scrape {
            at: Instant::now(),
            open_metrics: render(families.clone(), Format::OpenMetrics).into(),
            text: render(families, Format::Text).into(),
        };
        Ok(last.insert(scrape).clone())
    }
}
