//! A served socket with a loop behind it, for the promises in `replies` and `bounds`.

mod bounds;
mod replies;
mod scrapes;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::control::api::samples;
use crate::control::api::{
    ControlStatus, ExplainReply, FlowQuery, FlowsReply, GroupQuery, RecordReply, ReloadReply,
};
use crate::control::client::{ClientError, ControlClient};
use crate::control::handle::{Request, channel};

/// Long enough to never be the cause of a failure, short enough to not hang for ever.
const EVENTUALLY: Duration = Duration::from_secs(20);

const ROOT: fn(&UnixStream) -> std_io::Result<Credentials> = |_| Ok(Credentials { pid: None, uid: 0 });
const SOMEONE: fn(&UnixStream) -> std_io::Result<Credentials> = |_| Ok(Credentials { pid: None, uid: 1_001 });

/// A served socket with a loop behind it; all of it ends with the value.
struct Served {
    dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Served {
    fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let server = Server::bind(&dir.path().join("control.sock"), options).expect("a free path");
        let (handle, mut inbox) = channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let serving = server.serve(handle, async {
                let _ = stopped.await;
            });
            let mut followers = Vec::new();
            let replying = async {
                loop {
                    tokio::select! {
                        request = inbox.recv() => match request {
                            None => break,
                            Some(Request::Status(reply)) => {
                                let mut status = samples::status();
                                status.control = inbox.counters();
                                let _ = reply.send(status);
                            }
                            Some(Request::Flows(query, reply)) => {
                                let all = samples::flows().len();
                                let many = if query.limit == FlowQuery::MAX_LIMIT { 2_000 } else { all };
                                let mut flows: Vec<_> = samples::flows().into_iter().cycle().take(many).collect();
                                if let Some(port) = query.port {
                                    let named = gdprport_core::event::Port { name: port.into(), ..(*flows[0].port).clone() };
                                flows[0].port = named.into();
                                }
                                let matching = query.limit as u64;
                                let _ = reply.send(FlowsReply { watched: true, matching, privacy: None, flows });
                            }
                            Some(Request::Groups(query, reply)) => {
                                let mut groups = samples::groups();
                                groups.groups.rows.retain(|row| query.group.is_none_or(|id| id == row.id));
                                let _ = reply.send(groups);
                            }
                            Some(Request::Explain(query, reply)) => {
                                let _ = reply.send(ExplainReply { policy: query.flow, flows: Vec::new() });
                            }
                            Some(Request::Follow(follower, reply)) => {
                                followers.push(follower);
                                let _ = reply.send(());
                            }
                            Some(Request::Reload(reply)) => {
                                let _ = reply.send(samples::reload_refused());
                            }
                            Some(Request::Policy(reply)) => {
                                let _ = reply.send(samples::policy_text());
                            }
                            Some(Request::Trial(order, reply)) => {
                                let mut reply_to = samples::reload_refused();
                                reply_to.digest = order.file;
                                let _ = reply.send(reply_to);
                            }
                            Some(Request::Revert(reply)) => {
                                let _ = reply.send(samples::reload_refused());
                            }
                            Some(Request::Record(recording, reply)) => {
                                let new = recording.findings.len() as u64;
                                let _ = reply.send(Ok(RecordReply { new, ..RecordReply::default() }));
                            }
                            Some(Request::Evidence(order, reply)) => {
                                let entries = u64::from(*order != crate::control::api::EvidenceOrder::Rotate);
                                let key = "gdprport/h+01020304+AQ".to_owned();
                                let _ = reply.send(Ok(crate::control::api::EvidenceReply { entries, checkpoint: None, key }));
                            }
                            Some(Request::Doctor(reply)) => {
                                let _ = reply.send(samples::doctor());
                            }
                        },
                        () = tokio::task::yield_now(), if !followers.is_empty() => {
                            let line = bytes::Bytes::from(format!("{{\"pad\":\"{}\"}}\n", "x".repeat(4_096)));
                            followers.retain_mut(|follower| follower.offer(&line));
                        }
                    }
                }
            };
            tokio::select! {
                served = serving => served.expect("the runtime takes the listener"),
                () = replying => {}
            }
        });
        Self { dir, stop: Some(stop), server }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    fn client(&self) -> ControlClient {
        ControlClient::new(&self.path())
    }

    async fn counters(&self) -> ControlStatus {
        self.client().status().await.expect("the daemon replies").value.status.control
    }

    /// Waits until the server's counters satisfy the condition.
    async fn until(&self, holds: impl Fn(&ControlStatus) -> bool) {
        let deadline = Instant::now() + EVENTUALLY;
        loop {
            let counters = self.counters().await;
            if holds(&counters) {
                return;
            }
            assert!(Instant::now() < deadline, "never so: {counters:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Sends bytes as they are and returns all that comes back until the server closes.
async fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.expect("a listening socket");
    // The server may hang up before all is written.
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    let read = tokio::time::timeout(EVENTUALLY, stream.read_to_end(&mut reply)).await;
    let _ = read.expect("the server closes");
    String::from_utf8_lossy(&reply).into_owned()
}

fn short_timeouts() -> Options {
    let short = Duration::from_secs(1);
    Options { head_within: short, stall: short, peer: ROOT, ..Options::default() }
}
