//! Against real servers, and against bad ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gdprport_core::delivery::{Delivery, NatsSettings, Target};
use gdprport_core::written::Source;
use gdprport_tests::authority::{Authority, Valid};
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::NatsCluster;
use gdprport_tests::temp::{TempDir, set_mode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Nats;
use crate::deliver::trial::{deliver, ids, messages};
use crate::deliver::{Outcome, Transport as _};

fn settings(keys: &str) -> NatsSettings {
    let text = format!("[[sink]]\nname = \"bus\"\ntype = \"nats\"\n{keys}\n");
    let delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
    assert_eq!(delivery.faulty, Vec::new());
    match delivery.sinks.into_iter().next().map(|sink| sink.target) {
        Some(Target::Nats(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn sink(keys: &str) -> Nats {
    Nats::new(settings(keys)).within(Duration::from_secs(4))
}

fn one(port: u16) -> String {
    format!("servers = \"nats://127.0.0.1:{port}\"")
}

fn why(outcome: &Outcome) -> &str {
    outcome.failure.as_ref().map_or("", |failure| &failure.why)
}

#[tokio::test]
async fn a_stream_of_a_server_killed_twice_misses_nothing() {
    let mut server = need!(NatsCluster::start(1, ""));
    server.make_stream(&json!({}));
    let mut sink = sink(&one(server.port(0)));
    let all = messages(3000);
    let mut killed = 0;
    let failures = deliver(&mut sink, &all, 250, |done| {
        if (done >= 750 && killed == 0) || (done >= 2000 && killed == 1) {
            killed += 1;
            server.kill(0);
            server.restart(0);
        }
    })
    .await;
    assert!(failures.len() <= 2, "{failures:?}");
    assert!(sink.answer().is_some_and(|answer| answer == "stored in GDPRPORT as number 3000"));
    let found = server.ids();
    assert_eq!(found.len(), 3000, "each once: what came again was recognised by its id");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), ids(&all));
    // All of it again, as after a deliverer that was killed before it noted how far it was.
    assert_eq!(deliver(&mut sink, &all[2000..], 250, |_| ()).await, Vec::<String>::new());
    assert_eq!(server.count(), 3000);
    assert!(sink.answer().is_some_and(|answer| answer.ends_with(", which it had already")));
}

#[tokio::test]
async fn a_cluster_whose_leader_is_killed_misses_nothing() {
    let mut cluster = need!(NatsCluster::start(3, ""));
    cluster.make_stream(&json!({}));
    let servers: Vec<String> =
        (0..3).map(|node| format!("\"nats://127.0.0.1:{}\"", cluster.port(node))).collect();
    let mut sink = sink(&format!("servers = [{}]\nstream = \"GDPRPORT\"", servers.join(", ")));
    let all = messages(3000);
    let mut killed = Vec::new();
    let failures = deliver(&mut sink, &all, 250, |done| {
        if killed.len() < 2 && done >= 1000 * (killed.len() + 1) {
            // The one before is back, so that two of three are always there.
            if let Some(before) = killed.last() {
                cluster.restart(*before);
            }
            let leader = cluster.leader();
            cluster.kill(leader);
            killed.push(leader);
        }
    })
    .await;
    assert_eq!(killed.len(), 2);
    let found = cluster.ids();
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), ids(&all), "{failures:?}");
    assert_eq!(found.len(), 3000, "{failures:?}");
}

#[tokio::test]
async fn what_the_stream_never_takes_is_refused_alone() {
    let server = need!(NatsCluster::start(1, "max_payload: 64KB"));
    server.make_stream(&json!({ "max_msg_size": 20_000 }));
    let mut sink = sink(&one(server.port(0)));
    let mut all = messages(5);
    all[1].record = vec![b'x'; 30_000].into();
    all[3].record = vec![b'x'; 100_000].into();
    let outcome = sink.send(&all).await;
    assert_eq!((outcome.done, &outcome.failure), (5, &None));
    let refused: Vec<(usize, &str)> = outcome.refused.iter().map(|r| (r.index, &*r.why)).collect();
    assert_eq!(refused[0], (1, "larger than the stream takes (`max_msg_size`)"));
    assert!(refused[1].0 == 3 && refused[1].1.starts_with("larger than the server takes: "), "{refused:?}");
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_full_stream_and_a_missing_one_are_said_and_lose_nothing() {
    let server = need!(NatsCluster::start(1, ""));
    let keys = one(server.port(0));
    let all = messages(5);
    let missing = sink(&keys).send(&all).await;
    assert_eq!(missing.done, 0);
    assert!(
        why(&missing).contains("no stream has this subject, or the server has no JetStream: create one"),
        "{missing:?}"
    );
    server.make_stream(&json!({ "max_msgs": 3, "discard": "new" }));
    let full = sink(&keys).send(&all).await;
    assert_eq!(full.done, 3);
    assert!(why(&full).contains("the stream does not take it: "), "{full:?}");
    let other = sink(&format!("{keys}\nstream = \"OTHER\"")).send(&all).await;
    assert!(why(&other).ends_with("the stream of this subject is not `OTHER`"), "{other:?}");
}

#[tokio::test]
async fn tls_and_logins_are_checked_and_their_errors_are_said() {
    let authority = need!(Authority::new("bus"));
    let own = authority.issue("server", &["DNS:nats.example", "IP:127.0.0.1"], Valid::Now);
    let more = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}\nauthorization {{ users: [{{ user: \"gdprport\", password: \"s3cr3t\" }}] }}",
        own.certificate.display(),
        own.key.display()
    );
    let server = need!(NatsCluster::start(1, &more));
    let dir = TempDir::new();
    let secret = |name: &str, text: &str| {
        let path = dir.write(name, text);
        set_mode(&path, 0o600);
        path.display().to_string()
    };
    let (right, wrong) = (secret("right", "s3cr3t\n"), secret("wrong", "hunter2"));
    let place = format!("tls://127.0.0.1:{}", server.port(0));
    let keys = |password: &str, name: &str| {
        format!(
            "servers = \"{place}\"\nca = \"{}\"\nserver_name = \"{name}\"\nuser = \"gdprport\"\npassword = \"file:{password}\"",
            authority.file().display()
        )
    };
    let all = messages(1);
    // It lets us in; that there is no stream is all that is wrong.
    let outcome = sink(&keys(&right, "nats.example")).send(&all).await;
    assert!(why(&outcome).contains("no stream has this subject"), "{outcome:?}");
    let outcome = sink(&keys(&wrong, "nats.example")).send(&all).await;
    assert!(
        why(&outcome).ends_with("it does not accept this login (`credentials`, `nkey`, `token` or `user`)"),
        "{outcome:?}"
    );
    assert!(!why(&outcome).contains("hunter2"));
    let outcome = sink(&keys(&right, "other.example")).send(&all).await;
    let names = "its certificate is for nats.example, 127.0.0.1, not for other.example";
    assert!(why(&outcome).contains(names), "{outcome:?}");
    let seed = secret("seed", "SUnonsense");
    for key in ["nkey", "credentials"] {
        let keys = format!(
            "servers = \"{place}\"\nca = \"{}\"\n{key} = \"file:{seed}\"",
            authority.file().display()
        );
        let outcome = sink(&keys).send(&all).await;
        assert!(outcome.done == 0 && !why(&outcome).contains("SUnonsense"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let server = need!(NatsCluster::start(1, ""));
    server.make_stream(&json!({}));
    let mut sink = Nats::new(settings(&one(server.port(0)))).within(Duration::from_secs(1));
    let all = messages(20);
    assert_eq!(sink.send(&all[..10]).await.done, 10);
    server.pause(0, true);
    let start = Instant::now();
    let outcome = sink.send(&all[10..]).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(outcome.done, 0);
    assert!(why(&outcome).ends_with("no acknowledgement within 1 s"), "{outcome:?}");
    server.pause(0, false);
    assert_eq!(deliver(&mut sink, &all[10..], 10, |_| ()).await, Vec::<String>::new());
    assert_eq!(server.ids().len(), 20, "what had arrived after all was recognised");
}

#[tokio::test]
async fn what_is_no_nats_server_has_its_sentence() {
    let all = messages(1);
    let free = Port::free();
    let outcome = sink(&one(free.number())).send(&all).await;
    assert_eq!(why(&outcome), format!("127.0.0.1:{free}: refuses connections: nothing listens there"));
    let outcome =
        sink("servers = [\"nats://no-such-host.invalid\", \"nats://127.0.0.1:1\"]").send(&all).await;
    assert!(why(&outcome).starts_with("no-such-host.invalid:4222: cannot connect: "), "{outcome:?}");
    assert!(why(&outcome).contains("; 127.0.0.1:1: refuses connections"), "{outcome:?}");
    for answer in
        [&b"220 mail.example ESMTP\r\n"[..], b"INFO {\"broken\"\r\n", b"INFO {}\r\n", b"", b"\xff\x00\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let _ = stream.write_all(answer).await;
                held.push(stream);
            }
        });
        let start = Instant::now();
        let outcome = Nats::new(settings(&one(port))).within(Duration::from_millis(500)).send(&all).await;
        assert_eq!(outcome.done, 0, "{answer:?}");
        assert!(!why(&outcome).contains('\n') && start.elapsed() < Duration::from_secs(3), "{outcome:?}");
        server.abort();
    }
}

#[tokio::test]
async fn a_server_that_floods_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let info = format!(
            "INFO {{\"server_id\":\"x\",\"version\":\"2.9.0\",\"host\":\"127.0.0.1\",\"port\":{port},\"max_payload\":1048576,\"proto\":1,\"headers\":true}}\r\n"
        );
        stream.write_all(info.as_bytes()).await.expect("it reads");
        let mut buffer = vec![0; 65_536];
        let mut seen = Vec::new();
        while !seen.windows(4).any(|word| word == b"PING") {
            let count = stream.read(&mut buffer).await.expect("it writes");
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"PONG\r\nMSG a 1 2000000000\r\n").await.expect("it reads");
        let (mut sent, piece) = (0_u64, vec![b'#'; 65_536]);
        while stream.write_all(&piece).await.is_ok() {
            sent += piece.len() as u64;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sent
    });
    let mut sink = sink(&one(port));
    let outcome = sink.send(&messages(3)).await;
    assert_eq!(outcome.done, 0);
    assert!(why(&outcome).ends_with("says more than it was asked"), "{outcome:?}");
    drop(sink);
    let sent = server.await.expect("the connection ends");
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}
