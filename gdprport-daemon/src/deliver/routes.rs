//! The endpoints of the deliverer's control socket.

use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::board::Board;
use super::probe::probe;
use crate::control::api::{DeliverStatus, EndpointInfo, Index, TestReply};
use crate::control::limits::TEST_WITHIN;
use crate::control::metrics::deliverer;
use crate::control::server::{Caller, HttpRefusal, Json, refuse, scrapes};

/// How long a status may take, less than a client waits.
const STATUS_WITHIN: Duration = Duration::from_secs(4);

/// How long a look at the spool may take; then what was found before is said, with its time.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// What `GET /` lists.
const ENDPOINTS: [(&str, &str, &str); 4] = [
    ("GET", "/", "this list"),
    ("GET", "/v1/sinks", "every sink: how far it is, what was delivered and lost, what is wrong"),
    ("GET", "/metrics", "the numbers of the sinks as OpenMetrics, for Prometheus and its like"),
    (
        "POST",
        "/v1/sinks/NAME/test",
        "send one marked event to a receiver; for root and the deliverer's own user",
    ),
];

/// `GET /metrics`, for the control socket and for an address of its own.
pub(super) fn scrapes(board: Board) -> Router {
    let ask = move || {
        let board = board.clone();
        async move { Ok(deliverer(&board.status(LOOK_WITHIN).await)) }
    };
    scrapes::of(ask, STATUS_WITHIN)
}

pub(super) fn router(board: Board, scrapes: Router) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/v1/sinks", get(sinks))
        .route("/v1/sinks/{name}/test", post(test))
        .with_state(board)
        .merge(scrapes)
        .fallback(async || {
            refuse(StatusCode::NOT_FOUND, "there is nothing at this path; GET / lists what there is")
        })
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method; GET / lists which")
        })
}

async fn index() -> Json<Index> {
    let endpoints = ENDPOINTS.map(|(method, path, does)| EndpointInfo {
        method: method.to_owned(),
        path: path.to_owned(),
        does: does.to_owned(),
    });
    Json(Index { version: env!("CARGO_PKG_VERSION").to_owned(), endpoints: endpoints.to_vec() })
}

async fn sinks(State(board): State<Board>) -> Json<DeliverStatus> {
    Json(board.status(LOOK_WITHIN).await)
}

async fn test(
    State(board): State<Board>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<TestReply>, HttpRefusal> {
    let (uid, ours) = (caller.peer.uid, rustix::process::geteuid().as_raw());
    if uid != 0 && uid != ours {
        let sentence =
            format!("only root may test a sink and this is uid {uid}: use `sudo gdprport sink test`");
        return Err(refuse(StatusCode::FORBIDDEN, sentence));
    }
    let Some(sink) = board.sink(&name) else {
        if board.known().faulty.iter().any(|sink| sink.name.as_deref() == Some(&*name)) {
            let sentence = format!(
                "the sink `{name}` is left out: `gdprport sink status` shows what is wrong with its configuration"
            );
            return Err(refuse(StatusCode::NOT_FOUND, sentence));
        }
        let names: Vec<String> = board.known().rows.iter().map(|row| row.sink.name.to_string()).collect();
        let known =
            if names.is_empty() { "none is".to_owned() } else { format!("these are: {}", names.join(", ")) };
        return Err(refuse(StatusCode::NOT_FOUND, format!("no sink `{name}` is in use; {known}")));
    };
    Ok(Json(probe(&sink, board.host(), TEST_WITHIN).await))
}
