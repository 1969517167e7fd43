//! What the server promises against garbage, greed and sloth.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::control::limits::{MAX_FOLLOWERS, MAX_LISTS};

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
async fn lists_that_nobody_takes_are_few_and_root_has_places_of_his_own() {
    static UID: AtomicU32 = AtomicU32::new(1_001);
    let peer: fn(&UnixStream) -> std_io::Result<Credentials> =
        |_| Ok(Credentials { pid: None, uid: UID.load(Ordering::Relaxed) });
    let served = Served::start(Options { peer, ..Options::default() });
    let ask = format!("GET /v1/flows?limit={} HTTP/1.1\r\nhost: x\r\n\r\n", FlowQuery::MAX_LIMIT);
    let mut deaf = Vec::new();
    for _ in 0..MAX_LISTS {
        let mut stream = UnixStream::connect(served.path()).await.expect("a listening socket");
        stream.write_all(ask.as_bytes()).await.expect("room for a request");
        deaf.push(stream);
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
    drop(deaf);
    while list().await.is_err() {
        assert!(Instant::now() < deadline, "the places are not given back");
    }
}

#[tokio::test]
async fn a_connection_lives_its_time_unless_it_follows_the_events() {
    let served = Served::start(Options { life: Duration::from_secs(1), ..Options::default() });
    let mut events = served.client().events().await.expect("the daemon answers");
    let mut kept = UnixStream::connect(served.path()).await.expect("a listening socket");
    let mut answered = 0;
    while kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
        match tokio::time::timeout(EVENTUALLY, kept.read(&mut [0; 4_096]))
            .await
            .expect("an answer or the end")
        {
            Ok(0) | Err(_) => break,
            Ok(_) => answered += 1,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(answered > 0);
    events.next().await.expect("a whole stream").expect("a line");
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
        peer: |_| Ok(Credentials { pid: None, uid: UID.load(Ordering::Relaxed) }),
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

#[test]
fn a_group_that_the_host_does_not_tell_costs_the_start_two_seconds_and_no_more() {
    assert_eq!(group("daemon", |name| (name == "daemon").then_some(1)), Some(1));
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let asked = group("daemon", move |_| {
        let _ = hang.recv();
        Some(1)
    });
    assert_eq!(asked, None);
    drop(release);
}
