//! What the server promises, kept against garbage, greed and sloth over real sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::control::api::samples;
use crate::control::api::{ControlStatus, FlowQuery, FlowsReply, ReloadReply};
use crate::control::client::{Client, ClientError};
use crate::control::handle::{Request, channel};

/// Long enough to never be the cause of a failure, short enough to not hang for ever.
const EVENTUALLY: Duration = Duration::from_secs(20);

const ROOT: fn(&UnixStream) -> std_io::Result<Peer> = |_| Ok(Peer { pid: None, uid: 0 });
const SOMEONE: fn(&UnixStream) -> std_io::Result<Peer> = |_| Ok(Peer { pid: None, uid: 1_001 });

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
            let answering = async {
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
                                let flows = samples::flows();
                                let matching = query.limit as u64;
                                let _ = reply.send(FlowsReply { matching, flows });
                            }
                            Some(Request::Follow(follower, reply)) => {
                                followers.push(follower);
                                let _ = reply.send(());
                            }
                            Some(Request::Reload(reply)) => {
                                let _ = reply.send(samples::reload_refused());
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
                () = answering => {}
            }
        });
        Self { dir, stop: Some(stop), server }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    fn client(&self) -> Client {
        Client::new(&self.path())
    }

    async fn counters(&self) -> ControlStatus {
        self.client().status().await.expect("the daemon answers").value.status.control
    }

    /// Waits until the server's account says so.
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
    let mut answer = Vec::new();
    let read = tokio::time::timeout(EVENTUALLY, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

fn impatient() -> Options {
    let short = Duration::from_millis(200);
    Options { head_within: short, stall: short, peer: ROOT, ..Options::default() }
}

#[tokio::test]
async fn garbage_is_refused_and_counted_and_others_are_answered() {
    let served = Served::start(Options::default());
    let answer = raw(&served.path(), b"\x00\xff\x16\x03\x01 garbage\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    served.until(|counters| counters.broken == 1).await;
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let served = Served::start(Options::default());
    let mut head = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    head.resize(1 << 20, b'a');
    let answer = raw(&served.path(), &head).await;
    // The connection may be reset with the answer unread, as a megabyte is still on its way.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    served.until(|counters| counters.broken == 1).await;
}

#[tokio::test]
async fn a_head_with_too_many_fields_is_refused() {
    let served = Served::start(Options::default());
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    let answer = raw(&served.path(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let served = Served::start(Options { peer: ROOT, ..Options::default() });
    let body = "x".repeat(70_000);
    let request = format!(
        "POST /v1/reload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 70000\r\n\r\n{body}"
    );
    let answer = raw(&served.path(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn one_who_sends_a_letter_at_a_time_is_let_go_while_others_are_answered() {
    let served = Served::start(impatient());
    let mut slow = UnixStream::connect(served.path()).await.expect("a listening socket");
    let drip = tokio::spawn(async move {
        let began = Instant::now();
        while began.elapsed() < EVENTUALLY && slow.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    });
    served.until(|counters| counters.broken == 1).await;
    assert!(drip.await.expect("no panic") < EVENTUALLY);
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let options = Options { answer_within: Duration::from_millis(200), peer: ROOT, ..Options::default() };
    let served = Served::start(options);
    let answer =
        raw(&served.path(), b"POST /v1/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn one_who_follows_and_does_not_read_is_let_go_and_his_losses_are_counted() {
    let served = Served::start(impatient());
    let mut deaf = UnixStream::connect(served.path()).await.expect("a listening socket");
    deaf.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("room for a request");
    served
        .until(|counters| counters.follower_lost > 0 && counters.broken == 1 && counters.followers == 0)
        .await;
}

#[tokio::test]
async fn one_who_follows_and_reads_gets_whole_lines() {
    let served = Served::start(Options::default());
    let mut events = served.client().events().await.expect("the daemon answers");
    for _ in 0..100 {
        let line = events.next().await.expect("a whole stream").expect("a line");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
    }
    drop(events);
    served.until(|counters| counters.followers == 0).await;
}

#[tokio::test]
async fn more_followers_than_there_is_room_for_are_refused_in_words() {
    let served = Served::start(Options::default());
    let mut following = Vec::new();
    for _ in 0..MAX_FOLLOWERS {
        following.push(served.client().events().await.expect("room"));
    }
    let refused = served.client().events().await.expect_err("no room");
    assert!(matches!(refused, ClientError::Refused(ref why) if why.contains("follow the events already")));
}

#[tokio::test]
async fn of_a_thousand_connections_at_once_the_surplus_is_told_and_root_still_gets_through() {
    static UID: AtomicU32 = AtomicU32::new(1_001);
    let options = Options {
        head_within: 2 * EVENTUALLY,
        peer: |_| Ok(Peer { pid: None, uid: UID.load(Ordering::Relaxed) }),
        ..Options::default()
    };
    let served = Served::start(options);
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(UnixStream::connect(served.path()).await.expect("a listening socket"));
    }
    // Accepted in the order in which they came: the first have a place, every other one is told.
    let places = MAX_CONNECTIONS - usize::try_from(ROOT_RESERVE).expect("small");
    for stream in &mut streams[places..] {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(EVENTUALLY, stream.read_to_end(&mut answer)).await;
        read.expect("the server closes").expect("not without a word");
        assert_eq!(answer, NO_PLACE);
    }
    for stream in &mut streams[..places] {
        assert_eq!(stream.try_read(&mut [0]).expect_err("open").kind(), std_io::ErrorKind::WouldBlock);
    }
    UID.store(0, Ordering::Relaxed);
    let counters = served.counters().await;
    assert_eq!((counters.connections, counters.refused), (places as u64 + 1, 1_000 - places as u64));
}

#[tokio::test]
async fn whoever_is_not_root_may_read_and_not_reload() {
    let served = Served::start(Options { peer: SOMEONE, ..Options::default() });
    let refused = served.client().reload().await.expect_err("not root").to_string();
    assert_eq!(
        refused,
        "only root may reload the policy and this is uid 1001: use `sudo gdprport daemon reload`"
    );
    assert_eq!(served.counters().await.forbidden, 1);
}

#[tokio::test]
async fn a_policy_with_problems_is_an_answer_with_all_of_them() {
    let served = Served::start(Options { peer: ROOT, ..Options::default() });
    let answer = served.client().reload().await.expect("an answer").value;
    assert_eq!(answer, samples::reload_refused());
    assert!(!ReloadReply::clone(&answer).applied);
}

#[tokio::test]
async fn every_answer_survives_the_way() {
    let served = Served::start(Options::default());
    let client = served.client();
    assert_eq!(client.doctor().await.expect("an answer").value, samples::doctor());
    let query = FlowQuery { port: Some("a port & more/é".to_owned()), violations: true, limit: 7 };
    let flows = client.flows(&query).await.expect("an answer").value;
    assert_eq!(flows, FlowsReply { matching: 7, flows: samples::flows() });
    let status = client.status().await.expect("an answer").value.status;
    assert_eq!(status, crate::control::api::Status { control: status.control.clone(), ..samples::status() });
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused_in_words() {
    let served = Served::start(Options::default());
    for (path, code, word) in [
        ("/v1/flows?limit=0", 400, "from 1 to"),
        ("/v1/flows?limit=999999999", 400, "from 1 to"),
        ("/v1/flows?colour=red", 400, "unknown field"),
        ("/nothing", 404, "GET / lists"),
        ("/v1/reload", 405, "another method"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = raw(&served.path(), request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{path}: {answer}");
        assert!(answer.contains("{\"error\":") && answer.contains(word), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_loop_that_hangs_costs_its_askers_a_sentence_and_nobody_else_anything() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("control.sock");
    let options = Options { answer_within: Duration::from_millis(100), ..Options::default() };
    let server = Server::bind(&path, options).expect("a free path");
    let (handle, inbox) = channel();
    let (_stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(handle, async {
        let _ = stopped.await;
    }));
    let late = Client::new(&path).status().await.expect_err("nobody answers");
    assert!(matches!(late, ClientError::Refused(ref why) if why.contains("did not answer within")), "{late}");
    let index = raw(&path, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(index.starts_with("HTTP/1.1 200 "), "{index}");
    assert_eq!(inbox.counters().busy, 1);
    serving.abort();
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_lives_on() {
    let served = Served::start(Options::default());
    let second = Server::bind(&served.path(), Options::default()).expect_err("taken").to_string();
    assert!(second.contains(&format!("(pid {}) already answers on", std::process::id())), "{second}");
    served.client().status().await.expect("the first answers");
}

#[tokio::test]
async fn after_the_end_the_path_is_free_and_the_client_says_how_to_start() {
    let mut served = Served::start(Options::default());
    served.stop.take().expect("running").send(()).expect("running");
    (&mut served.server).await.expect("no panic");
    assert_eq!(std::fs::read_dir(served.dir.path()).expect("directory").count(), 0);
    let error = served.client().status().await.expect_err("nobody").to_string();
    assert_eq!(
        error,
        format!(
            "no daemon answers on {}: start it with `systemctl start gdprport` or `sudo gdprport daemon run`, \
             or name its socket with --socket",
            served.path().display()
        )
    );
}

#[tokio::test]
async fn something_else_that_listens_is_not_taken_for_a_daemon() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("control.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a free path");
    let other = std::thread::spawn(move || {
        let (mut stream, _): (Blocking, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n");
    });
    let error = Client::new(&path).status().await.expect_err("not a daemon");
    assert!(matches!(error, ClientError::Garbled { .. }), "{error}");
    other.join().expect("no panic");
}
