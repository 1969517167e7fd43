//! What the server promises against clients that send garbage, take too much or are too slow.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::control::limits::{MAX_FOLLOWERS, MAX_LISTS};

/// Others are served meanwhile.
#[tokio::test]
async fn garbage_is_refused_and_counted() {
    let served = Served::start(Options::default());
    let reply = raw(&served.path(), b"\x00\xff\x16\x03\x01 garbage\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    served.until(|counters| counters.broken == 1).await;
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let served = Served::start(Options::default());
    let mut head = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    head.resize(1 << 20, b'a');
    let reply = raw(&served.path(), &head).await;
    // The connection may be reset with the reply unread, as a megabyte is still on its way.
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431 "), "{reply}");
    served.until(|counters| counters.broken == 1).await;
}

#[tokio::test]
async fn a_head_with_too_many_fields_is_refused() {
    let served = Served::start(Options::default());
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    let reply = raw(&served.path(), head.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let served = Served::start(Options { peer: ROOT, ..Options::default() });
    let body = "x".repeat(70_000);
    let request = format!(
        "POST /v1/reload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 70000\r\n\r\n{body}"
    );
    let reply = raw(&served.path(), request.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
}

#[tokio::test]
async fn a_slow_sender_is_disconnected_while_others_are_served() {
    let served = Served::start(short_timeouts());
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
async fn a_body_that_never_arrives_times_out() {
    let options = Options { reply_within: Duration::from_millis(200), peer: ROOT, ..Options::default() };
    let served = Served::start(options);
    let reply =
        raw(&served.path(), b"POST /v1/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
}

#[tokio::test]
async fn a_follower_that_does_not_read_is_disconnected_and_counted() {
    let served = Served::start(short_timeouts());
    let mut unread = UnixStream::connect(served.path()).await.expect("a listening socket");
    unread.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("room for a request");
    served
        .until(|counters| counters.follower_lost > 0 && counters.broken == 1 && counters.followers == 0)
        .await;
}

#[tokio::test]
async fn unread_lists_are_limited_and_root_has_places_of_its_own() {
    static UID: AtomicU32 = AtomicU32::new(1_001);
    let peer: fn(&UnixStream) -> std_io::Result<Credentials> =
        |_| Ok(Credentials { pid: None, uid: UID.load(Ordering::Relaxed) });
    let served = Served::start(Options { peer, ..Options::default() });
    let ask = format!("GET /v1/flows?limit={} HTTP/1.1\r\nhost: x\r\n\r\n", FlowQuery::MAX_LIMIT);
    let mut unread = Vec::new();
    for _ in 0..MAX_LISTS {
        let mut stream = UnixStream::connect(served.path()).await.expect("a listening socket");
        stream.write_all(ask.as_bytes()).await.expect("room for a request");
        unread.push(stream);
    }
    let list = || async { served.client().flows(&FlowQuery::default()).await };
    let deadline = Instant::now() + EVENTUALLY;
    let refused = loop {
        match list().await {
            Err(error) => break error,
            Ok(_) => assert!(Instant::now() < deadline, "never refused"),
        }
    };
    assert!(matches!(refused, ClientError::Refused(ref why) if why.contains("lists of flows")), "{refused}");
    UID.store(0, Ordering::Relaxed);
    list().await.expect("a place for root");
    UID.store(1_001, Ordering::Relaxed);
    drop(unread);
    while list().await.is_err() {
        assert!(Instant::now() < deadline, "the places are not given back");
    }
}

#[tokio::test]
async fn a_connection_has_a_lifetime_unless_it_follows_the_events() {
    let served = Served::start(Options { life: Duration::from_secs(1), ..Options::default() });
    let mut events = served.client().events().await.expect("the daemon replies");
    let mut kept = UnixStream::connect(served.path()).await.expect("a listening socket");
    let mut replies = 0;
    while kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
        match tokio::time::timeout(EVENTUALLY, kept.read(&mut [0; 4_096])).await.expect("a reply or the end")
        {
            Ok(0) | Err(_) => break,
            Ok(_) => replies += 1,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(replies > 0);
    events.next().await.expect("an unbroken stream").expect("a line");
}

#[tokio::test]
async fn more_followers_than_there_is_room_for_are_refused() {
    let served = Served::start(Options::default());
    let mut following = Vec::new();
    for _ in 0..MAX_FOLLOWERS {
        following.push(served.client().events().await.expect("room"));
    }
    let refused = served.client().events().await.expect_err("no room");
    assert!(matches!(refused, ClientError::Refused(ref why) if why.contains("follow the events already")));
}

/// Each of them receives a reply, and root still gets through.
#[tokio::test]
async fn the_surplus_of_a_thousand_connections_is_refused() {
    static UID: AtomicU32 = AtomicU32::new(1_001);
    let options = Options {
        head_within: 2 * EVENTUALLY,
        peer: |_| Ok(Credentials { pid: None, uid: UID.load(Ordering::Relaxed) }),
        ..Options::default()
    };
    let served = Served::start(options);
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(UnixStream::connect(served.path()).await.expect("a listening socket"));
    }
    // Accepted in the order in which they came: the first have a place, every other one is refused.
    let places = MAX_CONNECTIONS - usize::try_from(ROOT_RESERVE).expect("small");
    for stream in &mut streams[places..] {
        let mut reply = Vec::new();
        let read = tokio::time::timeout(EVENTUALLY, stream.read_to_end(&mut reply)).await;
        read.expect("the server closes").expect("after a reply");
        assert_eq!(reply, NO_PLACE);
    }
    for stream in &mut streams[..places] {
        assert_eq!(stream.try_read(&mut [0]).expect_err("open").kind(), std_io::ErrorKind::WouldBlock);
    }
    UID.store(0, Ordering::Relaxed);
    let counters = served.counters().await;
    assert_eq!((counters.connections, counters.refused), (places as u64 + 1, 1_000 - places as u64));
}

/// They get an error after the time for a reply; what needs no loop is served.
#[tokio::test]
async fn a_loop_that_hangs_delays_only_its_own_requests() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("control.sock");
    let options = Options { reply_within: Duration::from_millis(100), ..Options::default() };
    let server = Server::bind(&path, options).expect("a free path");
    let (handle, inbox) = channel();
    let (_stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(handle, async {
        let _ = stopped.await;
    }));
    let late = ControlClient::new(&path).status().await.expect_err("nobody replies");
    assert!(matches!(late, ClientError::Refused(ref why) if why.contains("did not answer within")), "{late}");
    let index = raw(&path, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(index.starts_with("HTTP/1.1 200 "), "{index}");
    assert_eq!(inbox.counters().busy, 1);
    serving.abort();
}

#[test]
fn a_hanging_group_lookup_delays_the_start_by_two_seconds() {
    assert_eq!(group("daemon", |name| (name == "daemon").then_some(1)), Some(1));
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let found = group("daemon", move |_| {
        let _ = hang.recv();
        Some(1)
    });
    assert_eq!(found, None);
    drop(release);
}
