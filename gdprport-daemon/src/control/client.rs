//! The client of the control socket: typed requests, and one sentence for every way they can fail.
//!
//! Belongs here: connecting, sending, reading replies within bounds. How replies look to people is `ui`'s.

#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gdprport_core::audit::Recording;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::address::GROUP;
use super::api::{
    DeliverStatus, DoctorReport, ErrorReply, EvidenceOrder, EvidenceReply, ExplainQuery, ExplainReply,
    FlowQuery, FlowsReply, GroupQuery, GroupsReply, PolicyText, RecordReply, ReloadReply, StatusReply,
    TestReply, TrialOrder,
};
use super::limits::{CLIENT_TIMEOUT, EVIDENCE_WITHIN, MAX_LINE, MAX_REPLY, POLICY_WITHIN, TEST_WITHIN};

/// Why a request has no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers on {}: start it with `systemctl start gdprport` or `sudo gdprport daemon run`, or name its socket with --socket",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// Somebody listens, but not for us.
    #[error(
        "permission denied on {}: join the group `{group}` (`sudo usermod -aG {group} $USER`, then log in again), or use sudo",
        socket.display()
    )]
    Denied { socket: PathBuf, group: String },
    /// The daemon took the request and does not reply.
    #[error("the daemon on {} did not answer within {} s: it may be overloaded or stopped", .0.display(), CLIENT_TIMEOUT.as_secs())]
    Silent(PathBuf),
    /// Whoever listened went away in the middle of it.
    #[error(
        "the daemon on {} ended the connection before it answered: it is stopping, or it was killed; `systemctl status gdprport` says which",
        .0.display()
    )]
    Ended(PathBuf),
    /// What came back is not what a gdprport daemon sends.
    #[error("what answers on {} does not speak as a gdprport daemon of this version does: {why}", socket.display())]
    Garbled { socket: PathBuf, why: String },
    /// The deliverer does not run.
    #[error(
        "no deliverer answers on {}: start it with `systemctl start gdprport-deliver` or `gdprport deliver`, or name its socket with --socket",
        .0.display()
    )]
    NoDeliverer(PathBuf),
    /// The daemon refused, with this reason.
    #[error("{0}")]
    Refused(String),
}

/// A reply, typed and as it came.
#[derive(Debug, Clone)]
pub(crate) struct TypedReply<T> {
    pub(crate) value: T,
    pub(crate) json: Bytes,
}

/// A daemon's socket. Every request opens a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct ControlClient {
    socket: PathBuf,
    deliverer: bool,
    within: Duration,
}

impl ControlClient {
    /// Names the socket; connects to nothing yet.
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), deliverer: false, within: CLIENT_TIMEOUT }
    }

    /// The same for the socket of a deliverer.
    pub(crate) fn of_deliverer(socket: &Path) -> Self {
        Self { deliverer: true, ..Self::new(socket) }
    }

    /// `GET /v1/sinks` of a deliverer.
    pub(crate) async fn sinks(&self) -> Result<TypedReply<DeliverStatus>, ClientError> {
        self.ask(Method::GET, "/v1/sinks").await
    }

    /// `POST /v1/sinks/NAME/test` of a deliverer; `name` is one that a sink can have.
    pub(crate) async fn test_sink(&self, name: &str) -> Result<TypedReply<TestReply>, ClientError> {
        let patient = Self { within: TEST_WITHIN + CLIENT_TIMEOUT, ..self.clone() };
        patient.ask(Method::POST, &format!("/v1/sinks/{name}/test")).await
    }

    /// `GET /v1/status`.
    pub(crate) async fn status(&self) -> Result<TypedReply<StatusReply>, ClientError> {
        self.ask(Method::GET, "/v1/status").await
    }

    /// `GET /v1/flows`.
    pub(crate) async fn flows(&self, query: &FlowQuery) -> Result<TypedReply<FlowsReply>, ClientError> {
        self.ask(Method::GET, &flows_path(query)).await
    }

    /// `GET /v1/groups`.
    pub(crate) async fn groups(&self, query: &GroupQuery) -> Result<TypedReply<GroupsReply>, ClientError> {
        let GroupQuery { port, violations, group, limit } = query;
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("violations", &violations.to_string());
        pairs.append_pair("limit", &limit.to_string());
        pairs.extend_pairs(port.iter().map(|port| ("port", port)));
        pairs.extend_pairs(group.iter().map(|group| ("group", group.to_string())));
        self.ask(Method::GET, &format!("/v1/groups?{}", pairs.finish())).await
    }

    /// `GET /v1/explain`.
    pub(crate) async fn explain(
        &self,
        query: &ExplainQuery,
    ) -> Result<TypedReply<ExplainReply>, ClientError> {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("flow", &query.flow);
        self.ask(Method::GET, &format!("/v1/explain?{}", pairs.finish())).await
    }

    /// `GET /v1/doctor`.
    pub(crate) async fn doctor(&self) -> Result<TypedReply<DoctorReport>, ClientError> {
        self.ask(Method::GET, "/v1/doctor").await
    }

    /// The same, and waits until a large policy is in force.
    fn patient(&self) -> Self {
        Self { within: POLICY_WITHIN + CLIENT_TIMEOUT, ..self.clone() }
    }

    /// `POST /v1/reload`. A policy with problems is a reply, not an error.
    pub(crate) async fn reload(&self) -> Result<TypedReply<ReloadReply>, ClientError> {
        self.patient().ask(Method::POST, "/v1/reload").await
    }

    /// `GET /v1/policy`.
    pub(crate) async fn policy(&self) -> Result<TypedReply<PolicyText>, ClientError> {
        self.ask(Method::GET, "/v1/policy").await
    }

    /// `POST /v1/policy/trial`. A policy with problems is a reply, not an error.
    pub(crate) async fn try_out(&self, order: &TrialOrder) -> Result<TypedReply<ReloadReply>, ClientError> {
        let json = serde_json::to_vec(order).map_err(|error| self.garbled(&error))?;
        self.patient().ask_with(Method::POST, "/v1/policy/trial", json.into()).await
    }

    /// `POST /v1/policy/revert`. That there is nothing to take back is a reply, not an error.
    pub(crate) async fn revert(&self) -> Result<TypedReply<ReloadReply>, ClientError> {
        self.patient().ask(Method::POST, "/v1/policy/revert").await
    }

    /// `POST /v1/findings`.
    pub(crate) async fn record(&self, recording: &Recording) -> Result<TypedReply<RecordReply>, ClientError> {
        let json = serde_json::to_vec(recording).map_err(|error| self.garbled(&error))?;
        self.ask_with(Method::POST, "/v1/findings", json.into()).await
    }

    /// `POST /v1/evidence/erase` or `/v1/evidence/rotate`.
    pub(crate) async fn evidence(
        &self,
        order: &EvidenceOrder,
    ) -> Result<TypedReply<EvidenceReply>, ClientError> {
        let patient = Self { within: EVIDENCE_WITHIN + CLIENT_TIMEOUT, ..self.clone() };
        let (path, body) = match order {
            EvidenceOrder::Erase(query) => ("/v1/evidence/erase", serde_json::to_vec(query)),
            EvidenceOrder::Rotate => ("/v1/evidence/rotate", Ok(Vec::new())),
        };
        let body = body.map_err(|error| self.garbled(&error))?;
        patient.ask_with(Method::POST, path, body.into()).await
    }

    /// `GET /v1/events`: every event from when this returns.
    pub(crate) async fn events(&self) -> Result<EventLines, ClientError> {
        let begun = async {
            let (response, connection) = self.send(Method::GET, "/v1/events", Bytes::new()).await?;
            if response.status() == StatusCode::OK {
                return Ok((response.into_body(), connection));
            }
            let (status, json) = (response.status(), self.read(response.into_body()).await?);
            Err(self.refusal(status, &json))
        };
        let (body, connection) = self.within(begun).await?;
        Ok(EventLines { client: self.clone(), body, buffer: Vec::new(), _connection: connection })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<TypedReply<T>, ClientError> {
        self.ask_with(method, path, Bytes::new()).await
    }

    async fn ask_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<TypedReply<T>, ClientError> {
        self.within(async {
            let (response, _connection) = self.send(method, path, body).await?;
            let (status, json) = (response.status(), self.read(response.into_body()).await?);
            if !status.is_success() && status != StatusCode::UNPROCESSABLE_ENTITY {
                return Err(self.refusal(status, &json));
            }
            let value = serde_json::from_slice(&json).map_err(|error| self.garbled(&error))?;
            Ok(TypedReply { value, json })
        })
        .await
    }

    async fn within<T>(&self, reply: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        timeout(self.within, reply).await.unwrap_or_else(|_| Err(ClientError::Silent(self.socket.clone())))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.garbled(&error))?;
        let connection = Connection(tokio::spawn(async move {
            // Its failures reach the one who waits for the reply.
            let _ = connection.await;
        }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "gdprport")
            .body(Full::new(body))
            .map_err(|error| self.garbled(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.broken(&error))?;
        Ok((response, connection))
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, ClientError> {
        let collected = Limited::new(body, MAX_REPLY).collect().await;
        let collected = collected.map_err(|error| match error.downcast_ref() {
            Some(error) => self.broken(error),
            None => self.garbled(&error),
        })?;
        Ok(collected.to_bytes())
    }

    fn refusal(&self, status: StatusCode, json: &[u8]) -> ClientError {
        match serde_json::from_slice::<ErrorReply>(json) {
            Ok(reply) => ClientError::Refused(reply.error),
            Err(_) => self.garbled(&format!("status {status} without a reason")),
        }
    }

    fn broken(&self, error: &hyper::Error) -> ClientError {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let reset = |error: &io::Error| {
            let kinds =
                [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::UnexpectedEof];
            kinds.contains(&error.kind())
        };
        let ended = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        if ended || source.is_some_and(reset) {
            ClientError::Ended(self.socket.clone())
        } else {
            self.garbled(error)
        }
    }

    fn garbled(&self, why: &impl ToString) -> ClientError {
        ClientError::Garbled { socket: self.socket.clone(), why: why.to_string() }
    }

    fn unreachable(&self, error: &io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                ClientError::Denied { socket: self.socket.clone(), group: self.group() }
            }
            // The backlog is full: somebody is there and does not accept.
            io::ErrorKind::WouldBlock => ClientError::Silent(self.socket.clone()),
            _ if self.deliverer => ClientError::NoDeliverer(self.socket.clone()),
            _ => ClientError::NoDaemon(self.socket.clone()),
        }
    }

    /// The group that may use the socket: the file's own, or the one it would have.
    fn group(&self) -> String {
        fs::metadata(&self.socket)
            .ok()
            .filter(|meta| meta.gid() != 0)
            .and_then(|meta| uzers::get_group_by_gid(meta.gid()))
            .map_or_else(|| GROUP.to_owned(), |group| group.name().to_string_lossy().into_owned())
    }
}

/// The task that moves bytes; ends when dropped.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The events of a daemon, line by line.
#[derive(Debug)]
pub(crate) struct EventLines {
    client: ControlClient,
    body: Incoming,
    buffer: Vec<u8>,
    _connection: Connection,
}

impl EventLines {
    /// The next line without its newline; `None` when the daemon has stopped. Waits as long as it takes.
    /// `ClientError::Garbled` if the stream breaks off or a line is no text or over 1 MiB.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + end).collect();
                line.pop();
                return String::from_utf8(line).map(Some).map_err(|error| self.client.garbled(&error));
            }
            searched = self.buffer.len();
            if searched > MAX_LINE {
                return Err(self.client.garbled(&"a line without an end"));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.client.garbled(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

fn flows_path(query: &FlowQuery) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("violations", &query.violations.to_string());
    pairs.append_pair("limit", &query.limit.to_string());
    pairs.extend_pairs(query.port.iter().map(|port| ("port", port)));
    format!("/v1/flows?{}", pairs.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_denied_names_the_group_to_join() {
        let client = ControlClient::new(Path::new("/nonexistent/control.sock"));
        assert_eq!(
            client.unreachable(&io::ErrorKind::PermissionDenied.into()).to_string(),
            "permission denied on /nonexistent/control.sock: join the group `gdprport` \
             (`sudo usermod -aG gdprport $USER`, then log in again), or use sudo"
        );
    }

    #[test]
    fn a_value_cannot_leave_its_place_in_the_query() {
        let query = FlowQuery { port: Some("a b&limit=1#é~-._9".to_owned()), violations: true, limit: 7 };
        let path = flows_path(&query);
        assert_eq!(path, "/v1/flows?violations=true&limit=7&port=a+b%26limit%3D1%23%C3%A9%7E-._9");
    }
}
