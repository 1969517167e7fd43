//! The endpoints about the policy: its text, reading it anew, trying one, taking it back.

use std::sync::atomic::Ordering;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::context::Context;
use super::reply::{HttpRefusal, Json, refuse};
use crate::control::api::{PolicyText, ReloadReply, TrialOrder};
use crate::control::limits::{MAX_BODY, MAX_POLICY_BODY, POLICY_WITHIN};

pub(super) async fn reload(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, HttpRefusal> {
    context.root_only(&caller, "reload the policy", "sudo gdprport daemon reload")?;
    // Nothing is expected in the body; what comes is read within bounds, so that the connection stays usable.
    context.read(body, MAX_BODY, "; a reload needs none").await?;
    let reply = context.handle.reload(POLICY_WITHIN).await.map_err(|error| context.busy(error))?;
    Ok(applied(reply))
}

pub(super) async fn in_force(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<PolicyText>, HttpRefusal> {
    context.root_only(&caller, "read the text of the policy", "sudo gdprport policy apply")?;
    Ok(Json(context.handle.policy(context.within).await.map_err(|error| context.busy(error))?))
}

pub(super) async fn try_out(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, HttpRefusal> {
    context.root_only(&caller, "try a policy", "sudo gdprport policy apply")?;
    let Ok(_place) = context.trying.try_acquire() else {
        context.counters().busy.fetch_add(1, Ordering::Relaxed);
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "another policy is being taken; try again"));
    };
    let json = context.read(body, MAX_POLICY_BODY, "").await?;
    let order: Result<TrialOrder, _> = serde_json::from_slice(&json);
    drop(json);
    let order = order.map_err(|why| why.to_string()).and_then(|order| order.check().map(|()| order));
    let order = order.map_err(|why| {
        refuse(StatusCode::BAD_REQUEST, format!("this is no policy that can be tried: {why}"))
    })?;
    let reply = context.handle.try_out(order, POLICY_WITHIN).await.map_err(|error| context.busy(error))?;
    Ok(applied(reply))
}

pub(super) async fn revert(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, HttpRefusal> {
    context.root_only(&caller, "take back a policy", "sudo gdprport policy revert")?;
    context.read(body, MAX_BODY, "; taking back a policy needs none").await?;
    Ok(applied(context.handle.revert(POLICY_WITHIN).await.map_err(|error| context.busy(error))?))
}

fn applied(reply: ReloadReply) -> Response {
    let code = if reply.applied { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (code, Json(reply)).into_response()
}
