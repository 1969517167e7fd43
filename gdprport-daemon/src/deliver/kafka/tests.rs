//! Against mock brokers whose leaders change and which go away, and against bad ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gdprport_core::delivery::{Delivery, KafkaSettings, Target};
use gdprport_core::written::Source;
use gdprport_tests::authority::{Authority, Valid};
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::{KafkaMock, SServer};
use gdprport_tests::temp::{TempDir, set_mode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Kafka;
use crate::deliver::trial::{deliver, ids, messages};
use crate::deliver::{Outcome, Transport as _};

fn settings(keys: &str) -> KafkaSettings {
    let text = format!("[[sink]]\nname = \"bus\"\ntype = \"kafka\"\n{keys}\n");
    let delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
    assert_eq!(delivery.faulty, Vec::new());
    match delivery.sinks.into_iter().next().map(|sink| sink.target) {
        Some(Target::Kafka(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn sink(keys: &str) -> Kafka {
    Kafka::new(settings(keys)).within(Duration::from_secs(4), Duration::from_secs(4))
}

fn keys(cluster: &KafkaMock) -> String {
    format!("brokers = {:?}\ntopic = \"gdprport\"\n", cluster.brokers())
}

fn why(outcome: &Outcome) -> &str {
    outcome.failure.as_ref().map_or("", |failure| &failure.why)
}

#[tokio::test]
async fn a_topic_whose_brokers_go_away_twice_misses_nothing() {
    let cluster = need!(KafkaMock::start());
    let mut sink = sink(&keys(&cluster));
    let all = messages(3000);
    let mut step = 0;
    let failures = deliver(&mut sink, &all, 250, |done| {
        // Only the leader's own way is closed: each partition moves, then its new leader goes away as well.
        match (step, done) {
            (0, 750..) => (1..=3).for_each(|broker| cluster.down(broker)),
            (1, _) => {
                (1..=3).for_each(|broker| cluster.up(broker));
                (0..3).for_each(|partition| cluster.lead(partition, 2));
            }
            (2, 1500..) => (0..3).for_each(|partition| cluster.lead(partition, 3)),
            (3, 2000..) => {
                cluster.down(3);
                (0..3).for_each(|partition| cluster.lead(partition, 1));
            }
            (4, 2500..) => cluster.up(3),
            _ => return,
        }
        step += 1;
    })
    .await;
    assert_eq!(step, 5);
    assert!(!failures.is_empty(), "it was not without brokers for long enough");
    let records = cluster.records();
    assert_eq!(
        records.iter().map(|record| record.id.clone()).collect::<BTreeSet<_>>(),
        ids(&all),
        "{failures:?}"
    );
    let host = &all[0].event.host.name;
    assert!(records.iter().all(|record| *record.key == **host && record.partition == records[0].partition));
    // In order, but for what came again.
    let mut seen = BTreeSet::new();
    let first: Vec<&str> = records.iter().filter(|r| seen.insert(&r.id)).map(|r| &*r.id).collect();
    let sent: Vec<String> = all.iter().map(|message| message.event.id.to_string()).collect();
    assert_eq!(first, sent);
    assert!(sink.answer().is_some_and(|answer| answer.starts_with("stored in gdprport/")));
}

#[tokio::test]
async fn round_robin_uses_every_partition() {
    let cluster = need!(KafkaMock::start());
    let mut sink = sink(&format!("{}partition = \"round-robin\"", keys(&cluster)));
    let all = messages(300);
    assert_eq!(deliver(&mut sink, &all, 50, |_| ()).await, Vec::<String>::new());
    let records = cluster.records();
    assert_eq!(records.iter().map(|record| record.id.clone()).collect::<BTreeSet<_>>(), ids(&all));
    assert_eq!(
        records.iter().map(|record| record.partition).collect::<BTreeSet<_>>(),
        BTreeSet::from([0, 1, 2])
    );
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_said() {
    let cluster = need!(KafkaMock::start());
    let keys = keys(&cluster).replace("\"gdprport\"", "\"other\"");
    let outcome = sink(&keys).send(&messages(1)).await;
    assert_eq!(outcome.done, 0);
    let end = "the topic `other` does not exist, or this user does not see it: create it";
    assert!(why(&outcome).ends_with(end), "{outcome:?}");
}

#[tokio::test]
async fn each_bad_broker_has_its_sentence() {
    let one = messages(1);
    let free = Port::free();
    let topic = "topic = \"gdprport\"";
    let short =
        |keys: &str| Kafka::new(settings(keys)).within(Duration::from_secs(1), Duration::from_secs(1));
    let outcome = short(&format!("brokers = \"127.0.0.1:{free}\"\n{topic}")).send(&one).await;
    let refuses = format!("127.0.0.1:{free} refuses connections: nothing listens there");
    assert!(why(&outcome).ends_with(&refuses), "{outcome:?}");
    let outcome = short(&format!("brokers = \"no-such-host.invalid:9092\"\n{topic}")).send(&one).await;
    assert!(why(&outcome).contains("cannot resolve the name no-such-host.invalid"), "{outcome:?}");

    let authority = need!(Authority::new("bus"));
    let own = authority.issue("server", &["DNS:kafka.example"], Valid::Past);
    let server = need!(SServer::start(&own, &[]));
    let tls = format!("tls = true\nca = \"{}\"\nserver_name = \"kafka.example\"", authority.file().display());
    let outcome =
        short(&format!("brokers = \"127.0.0.1:{}\"\n{topic}\n{tls}", server.port())).send(&one).await;
    assert!(why(&outcome).contains("its certificate expired at 2024-02-01T00:00:00Z"), "{outcome:?}");

    let dir = TempDir::new();
    let secret = dir.write("password", "hunter2");
    set_mode(&secret, 0o644);
    let login = format!("sasl = \"plain\"\nuser = \"gdprport\"\npassword = \"file:{}\"", secret.display());
    let outcome = short(&format!("brokers = \"127.0.0.1:{free}\"\n{topic}\n{login}")).send(&one).await;
    assert!(
        why(&outcome).contains("so that others can read it") && !why(&outcome).contains("hunter2"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_is_no_broker_is_given_up_in_time() {
    let one = messages(1);
    // Nothing; another protocol; a frame of two gigabytes that never comes; an endless one.
    for answer in
        [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x7f\xff\xff\xff\x00", b"\xff\xff\xff\xff"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let _ = stream.read(&mut [0; 256]).await;
                let _ = stream.write_all(answer).await;
                held.push(stream);
            }
        });
        let keys = format!("brokers = \"127.0.0.1:{port}\"\ntopic = \"gdprport\"");
        let start = Instant::now();
        let outcome = Kafka::new(settings(&keys))
            .within(Duration::from_secs(1), Duration::from_secs(1))
            .send(&one)
            .await;
        assert_eq!(outcome.done, 0);
        assert!(
            !why(&outcome).is_empty() && start.elapsed() < Duration::from_secs(5),
            "{:?} {outcome:?}",
            start.elapsed()
        );
        server.abort();
    }
}
