//! What `GET /metrics` promises, on the control socket and on an address that any user of the host can reach.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use tokio::net::TcpStream;

use super::*;
use crate::control::limits::{MAX_SCRAPERS, SCRAPE_FRESH};

/// A server with an address for the metrics, and a loop that counts how often it is asked.
struct Scraped {
    path: PathBuf,
    address: SocketAddr,
    asked: Arc<AtomicU64>,
    inbox_counters: Arc<std::sync::Mutex<ControlStatus>>,
    _dir: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

impl Scraped {
    fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let server = Server::bind(&path, options).expect("a free path").with_metrics(Some(listener));
        let (handle, mut inbox) = channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let asked = Arc::<AtomicU64>::default();
        let inbox_counters = Arc::<std::sync::Mutex<ControlStatus>>::default();
        let (count, counters) = (Arc::clone(&asked), Arc::clone(&inbox_counters));
        tokio::spawn(async move {
            let serving = server.serve(handle, async {
                let _ = stopped.await;
            });
            let replying = async {
                while let Some(request) = inbox.recv().await {
                    if let Request::Status(reply) = request {
                        count.fetch_add(1, Ordering::Relaxed);
                        let control = inbox.counters();
                        counters.lock().expect("no panic").clone_from(&control);
                        let _ = reply.send(crate::control::api::Status { control, ..samples::status() });
                    }
                }
            };
            tokio::select! {
                _ = serving => {}
                () = replying => {}
            }
        });
        Self { path, address, asked, inbox_counters, _dir: dir, _stop: stop }
    }

    /// Sends bytes over TCP and returns all that comes back until the server closes.
    async fn over_tcp(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a listening address");
        let _ = stream.write_all(bytes).await;
        let mut reply = Vec::new();
        let _ = tokio::time::timeout(EVENTUALLY, stream.read_to_end(&mut reply)).await.expect("it closes");
        String::from_utf8_lossy(&reply).into_owned()
    }
}

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn the_same_metrics_are_on_the_socket_and_the_address() {
    let scraped = Scraped::start(Options::default());
    let there = scraped.over_tcp(SCRAPE).await;
    let here = raw(&scraped.path, SCRAPE).await;
    for reply in [&there, &here] {
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        let form = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
        assert!(reply.contains(form), "{reply}");
    }
    let body = |reply: &str| reply.split_once("\r\n\r\n").expect("a body").1.to_owned();
    assert_eq!(body(&there), body(&here));
    let asks =
        b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: text/plain;version=0.0.4\r\n\r\n";
    let older = scraped.over_tcp(asks).await;
    assert!(older.contains("content-type: text/plain; version=0.0.4") && !older.contains("# EOF"), "{older}");
}

#[tokio::test]
async fn the_address_serves_nothing_but_metrics() {
    let scraped = Scraped::start(Options::default());
    for path in ["/", "/v1/status", "/v1/flows", "/v1/events", "/metrics/", "/metrics/x", "//metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let reply = scraped.over_tcp(request.as_bytes()).await;
        assert!(reply.starts_with("HTTP/1.1 404 "), "{path}: {reply}");
        assert!(reply.contains("there is nothing here but GET /metrics"), "{reply}");
    }
    for request in ["POST /metrics", "DELETE /metrics", "POST /v1/reload", "CONNECT x:1"] {
        let request =
            format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let reply = scraped.over_tcp(request.as_bytes()).await;
        assert!(reply.starts_with("HTTP/1.1 40"), "{request}: {reply}");
    }
    assert_eq!(scraped.asked.load(Ordering::Relaxed), 0, "the loop was not asked for any of them");
}

#[tokio::test]
async fn however_many_scrape_the_loop_is_asked_once_a_second() {
    let scraped = Scraped::start(Options::default());
    let began = Instant::now();
    for _ in 0..50 {
        assert!(scraped.over_tcp(SCRAPE).await.starts_with("HTTP/1.1 200 "));
        assert!(raw(&scraped.path, SCRAPE).await.starts_with("HTTP/1.1 200 "));
    }
    let periods = began.elapsed().as_millis() / SCRAPE_FRESH.as_millis() + 1;
    assert!(u128::from(scraped.asked.load(Ordering::Relaxed)) <= periods);
    tokio::time::sleep(SCRAPE_FRESH).await;
    let before = scraped.asked.load(Ordering::Relaxed);
    scraped.over_tcp(SCRAPE).await;
    assert_eq!(scraped.asked.load(Ordering::Relaxed), before + 1);
}

/// Any user of the host can connect there, so they take no place of the control socket.
#[tokio::test]
async fn scrapers_take_no_place_of_the_control_socket() {
    let scraped = Scraped::start(Options { head_within: 2 * EVENTUALLY, ..Options::default() });
    let mut silent = Vec::new();
    for _ in 0..MAX_SCRAPERS {
        silent.push(TcpStream::connect(scraped.address).await.expect("a listening address"));
    }
    let refused = scraped.over_tcp(b"").await;
    assert_eq!(refused.as_bytes(), NO_PLACE);
    assert!(raw(&scraped.path, SCRAPE).await.starts_with("HTTP/1.1 200 "));
    let counters = scraped.inbox_counters.lock().expect("no panic").clone();
    assert_eq!((counters.metrics_connections, counters.refused), (MAX_SCRAPERS as u64, 1));
    drop(silent);
    let deadline = Instant::now() + EVENTUALLY;
    while !scraped.over_tcp(SCRAPE).await.starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "the places are not given back");
    }
}

#[tokio::test]
async fn the_address_has_the_limits_of_the_control_socket() {
    let scraped = Scraped::start(short_timeouts());
    let mut head = b"GET /metrics HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    head.resize(1 << 20, b'a');
    let reply = scraped.over_tcp(&head).await;
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431 "), "{reply}");
    let garbage = scraped.over_tcp(b"\x16\x03\x01\x00\xff\xff garbage\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    let mut slow = TcpStream::connect(scraped.address).await.expect("a listening address");
    let began = Instant::now();
    while began.elapsed() < EVENTUALLY && slow.write_all(b"G").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < EVENTUALLY, "a slow sender is disconnected");
    assert!(scraped.over_tcp(SCRAPE).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_loop_that_hangs_delays_scrapes_by_the_time_for_a_reply() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("control.sock");
    let options = Options { reply_within: Duration::from_millis(100), ..Options::default() };
    let server = Server::bind(&path, options).expect("a free path");
    let (handle, inbox) = channel();
    let serving = tokio::spawn(server.serve(handle, std::future::pending()));
    let began = Instant::now();
    let scrapes = (0..10).map(|_| raw(&path, SCRAPE));
    for reply in futures_util::future::join_all(scrapes).await {
        assert!(reply.starts_with("HTTP/1.1 503 ") && reply.contains("did not answer within"), "{reply}");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(inbox.counters().busy, 10);
    serving.abort();
}
