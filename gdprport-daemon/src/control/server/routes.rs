//! The endpoints: who may do what, and which reply has which status code.
//!
//! Belongs here: HTTP. The replies themselves are the loop's.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream;
use tokio::sync::Semaphore;

use gdprport_core::audit::Recording;

use super::caller::Caller;
use super::context::Context;
use super::policy_routes;
use super::reply::{HttpRefusal, Json, body, refuse};
use crate::control::api::{
    EndpointInfo, EraseQuery, EvidenceOrder, EvidenceReply, ExplainQuery, ExplainReply, FlowQuery,
    GroupQuery, Index, RecordReply, StatusReply,
};
use crate::control::counters::Gauge;
use crate::control::handle::LoopHandle;
use crate::control::limits::{EVIDENCE_WITHIN, MAX_BODY, MAX_FINDINGS_BODY, MAX_FOLLOWERS};

/// What `GET /` lists; a test holds it against the router.
const ENDPOINTS: [(&str, &str, &str); 15] = [
    ("GET", "/", "this list"),
    ("GET", "/v1/status", "health, hooks in use, policy, ports, coverage, sinks"),
    ("GET", "/v1/flows?port=&violations=&limit=", "the open flows, oldest first"),
    (
        "GET",
        "/v1/groups?port=&violations=&group=&limit=",
        "the same as sums of those with port, direction, peer and process in common, the worst first",
    ),
    ("GET", "/v1/explain?flow=", "why an open flow is judged as it is, rule by rule"),
    ("GET", "/v1/events", "every event from now on, one JSON object a line, until the client hangs up"),
    ("GET", "/v1/doctor", "what this kernel and these privileges allow"),
    ("GET", "/metrics", "the numbers of the status as OpenMetrics, for Prometheus and its like"),
    (
        "POST",
        "/v1/findings",
        "compare the findings of an audit with the one before, and report what differs; for root only",
    ),
    ("POST", "/v1/reload", "read the policy anew; for root only"),
    ("GET", "/v1/policy", "the policy in force, as a text; for root only"),
    (
        "POST",
        "/v1/policy/trial",
        "put a policy in force that is taken back by itself, unless a reload confirms it; for root only",
    ),
    ("POST", "/v1/policy/revert", "take back the policy on trial; for root only"),
    ("POST", "/v1/evidence/erase", "erase entries of the evidence log; for root only"),
    ("POST", "/v1/evidence/rotate", "sign the evidence log with another key; for root only"),
];

pub(super) fn router(handle: LoopHandle, within: Duration, scrapes: Router) -> Router {
    let one = || Arc::new(Semaphore::new(1));
    Router::new()
        .route("/", get(index))
        .route("/v1/status", get(status))
        .route("/v1/flows", get(flows))
        .route("/v1/groups", get(groups))
        .route("/v1/explain", get(explain))
        .route("/v1/events", get(events))
        .route("/v1/doctor", get(doctor))
        .route("/v1/findings", post(findings))
        .route("/v1/reload", post(policy_routes::reload))
        .route("/v1/policy", get(policy_routes::in_force))
        .route("/v1/policy/trial", post(policy_routes::try_out))
        .route("/v1/policy/revert", post(policy_routes::revert))
        .route("/v1/evidence/erase", post(erase))
        .route("/v1/evidence/rotate", post(rotate))
        .with_state(Context { handle, within, recording: one(), trying: one() })
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

async fn status(State(context): State<Context>) -> Result<Json<StatusReply>, HttpRefusal> {
    let status = context.handle.status(context.within).await.map_err(|error| context.busy(error))?;
    Ok(Json(StatusReply { health: status.health(), status }))
}

async fn flows(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<FlowQuery>, QueryRejection>,
) -> Result<Response, HttpRefusal> {
    let Query(query) = query.map_err(|rejection| {
        refuse(
            StatusCode::BAD_REQUEST,
            format!(
                "{}; known are port=NAME|NUMBER, violations=true|false and limit=N",
                rejection.body_text()
            ),
        )
    })?;
    within_limit(query.limit)?;
    let place = context.list_place(&caller)?;
    let reply = context.handle.flows(query, context.within).await.map_err(|error| context.busy(error))?;
    Ok(list(Json(reply).bytes(), place))
}

async fn groups(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<GroupQuery>, QueryRejection>,
) -> Result<Response, HttpRefusal> {
    let Query(query) = query.map_err(|rejection| {
        let known = "known are port=NAME|NUMBER, violations=true|false, group=ID and limit=N";
        refuse(StatusCode::BAD_REQUEST, format!("{}; {known}", rejection.body_text()))
    })?;
    within_limit(query.limit)?;
    let place = context.list_place(&caller)?;
    let reply = context.handle.groups(query, context.within).await.map_err(|error| context.busy(error))?;
    Ok(list(Json(reply).bytes(), place))
}

fn within_limit(limit: usize) -> Result<(), HttpRefusal> {
    if (1..=FlowQuery::MAX_LIMIT).contains(&limit) {
        return Ok(());
    }
    let sentence = format!("limit={limit} is out of range: it goes from 1 to {}", FlowQuery::MAX_LIMIT);
    Err(refuse(StatusCode::BAD_REQUEST, sentence))
}

/// A long list. Its place is kept until the client has taken nearly all of it: hyper asks for more only then.
fn list(json: Vec<u8>, place: Gauge) -> Response {
    let parts = stream::unfold((Some(json), place), |(json, place)| async move {
        json.map(|json| (Ok::<_, Infallible>(json), (None, place)))
    });
    body("application/json", Body::from_stream(parts))
}

async fn explain(
    State(context): State<Context>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Json<ExplainReply>, HttpRefusal> {
    let Query(query) = query.map_err(|rejection| {
        let known = "known is flow=ID, the community id or the cookie of a flow";
        refuse(StatusCode::BAD_REQUEST, format!("{}; {known}", rejection.body_text()))
    })?;
    let reply = context.handle.explain(query, context.within).await.map_err(|error| context.busy(error))?;
    Ok(Json(reply))
}

async fn events(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, HttpRefusal> {
    let place =
        context.place(|counters| &counters.followers, MAX_FOLLOWERS, "clients follow the events already")?;
    let lines = context.handle.follow(context.within).await.map_err(|error| context.busy(error))?;
    caller.following.store(true, Ordering::Relaxed);
    let lines = stream::unfold((lines, place), |(mut lines, place)| async move {
        let line = lines.recv().await?;
        Some((Ok::<_, Infallible>(line), (lines, place)))
    });
    Ok(body("application/x-ndjson", Body::from_stream(lines)))
}

async fn doctor(State(context): State<Context>) -> Result<Response, HttpRefusal> {
    let report = context.handle.doctor(context.within).await.map_err(|error| context.busy(error))?;
    Ok(Json(report).into_response())
}

async fn findings(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<RecordReply>, HttpRefusal> {
    context.root_only(&caller, "record an audit", "sudo gdprport audit --record")?;
    let Ok(_place) = context.recording.try_acquire() else {
        context.counters().busy.fetch_add(1, Ordering::Relaxed);
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "another audit is being recorded; try again"));
    };
    let json = context.read(body, MAX_FINDINGS_BODY, "").await?;
    let recording = Recording::parse(&json).map_err(|why| {
        refuse(StatusCode::BAD_REQUEST, format!("these are no findings of an audit: {why}"))
    })?;
    drop(json);
    let recorded =
        context.handle.record(recording, context.within).await.map_err(|error| context.busy(error))?;
    let not = |why| refuse(StatusCode::SERVICE_UNAVAILABLE, format!("the audit was not recorded: {why}"));
    recorded.map(Json).map_err(not)
}

async fn erase(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<EvidenceReply>, HttpRefusal> {
    context.root_only(&caller, "erase evidence", "sudo gdprport evidence erase")?;
    let json = context.read(body, MAX_BODY, "").await?;
    let query: EraseQuery = serde_json::from_slice(&json).map_err(|why| {
        refuse(StatusCode::BAD_REQUEST, format!("it does not say which entries are to be erased: {why}"))
    })?;
    order(&context, EvidenceOrder::Erase(query)).await
}

async fn rotate(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<EvidenceReply>, HttpRefusal> {
    context.root_only(&caller, "rotate the key of the evidence log", "sudo gdprport evidence rotate")?;
    context.read(body, MAX_BODY, "; a rotation needs none").await?;
    order(&context, EvidenceOrder::Rotate).await
}

async fn order(context: &Context, order: EvidenceOrder) -> Result<Json<EvidenceReply>, HttpRefusal> {
    let done = context.handle.evidence(order, EVIDENCE_WITHIN).await.map_err(|error| context.busy(error))?;
    done.map(Json).map_err(|why| refuse(StatusCode::SERVICE_UNAVAILABLE, why))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::super::caller::Credentials;
    use super::*;

    #[tokio::test]
    async fn every_listed_endpoint_exists() {
        let (handle, inbox) = crate::control::handle::channel();
        drop(inbox);
        let within = Duration::from_secs(5);
        let scrapes = super::super::scrapes::of_loop(handle.clone(), within);
        let service = TowerToHyperService::new(router(handle, within, scrapes));
        for (method, path, _) in ENDPOINTS {
            let path = path.split('?').next().expect("a path");
            let request = Request::builder()
                .method(method)
                .uri(path)
                .extension(Caller { peer: Credentials { pid: None, uid: 0 }, following: Arc::default() })
                .body(Body::empty())
                .expect("request");
            let code = service.call(request).await.expect("infallible").status();
            let expected = match path {
                "/" => StatusCode::OK,
                // It has to be said which flow.
                "/v1/explain" => StatusCode::BAD_REQUEST,
                // And what was found.
                "/v1/findings" => StatusCode::BAD_REQUEST,
                // And which policy.
                "/v1/policy/trial" => StatusCode::BAD_REQUEST,
                // And which entries.
                "/v1/evidence/erase" => StatusCode::BAD_REQUEST,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            assert_eq!(code, expected, "{method} {path}");
        }
    }
}
