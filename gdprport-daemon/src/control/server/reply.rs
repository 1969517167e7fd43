//! Replies: JSON, and refusals of one sentence.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::control::api::ErrorReply;
use gdprport_core::encode;

/// A reply as JSON, in which nothing steers the terminal of who prints it.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> Json<T> {
    /// The bytes of the reply.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::json(&self.0, &mut bytes);
        bytes
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        body("application/json", Body::from(self.bytes())).into_response()
    }
}

/// A refusal: a status code and one sentence.
#[derive(Debug)]
pub(crate) struct HttpRefusal(StatusCode, String);

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        (self.0, Json(ErrorReply { error: self.1 })).into_response()
    }
}

/// Makes one.
pub(crate) fn refuse(code: StatusCode, sentence: impl Into<String>) -> HttpRefusal {
    HttpRefusal(code, sentence.into())
}

/// A response with a body of this type.
pub(super) fn body(content_type: &'static str, body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
