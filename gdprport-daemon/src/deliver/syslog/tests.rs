//! Against real receivers, and against bad ones.

mod ended;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use gdprport_core::delivery::{Delivery, SyslogSettings, Target};
use gdprport_core::written::Source;
use gdprport_tests::authority::{Authority, Valid};
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::{Rsyslog, RsyslogTls, SyslogNg};
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};

use super::Syslog;
use crate::deliver::trial::{deliver, ids, messages};
use crate::deliver::{Outcome, Transport as _};

const SHORT: Duration = Duration::from_secs(1);

/// The settings of a sink with these keys.
fn settings(keys: &str) -> SyslogSettings {
    let text = format!("[[sink]]\nname = \"siem\"\ntype = \"syslog\"\n{keys}\n");
    let delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
    assert_eq!(delivery.faulty, Vec::new());
    match delivery.sinks.into_iter().next().map(|sink| sink.target) {
        Some(Target::Syslog(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn sink(keys: &str) -> Syslog {
    Syslog::new(settings(keys)).within(Duration::from_secs(2), Duration::from_secs(5))
}

fn why(outcome: &Outcome) -> &str {
    outcome.failure.as_ref().map_or("", |failure| &failure.why)
}

fn distinct(found: Vec<String>) -> BTreeSet<String> {
    found.into_iter().collect()
}

/// Restarts a receiver when it has so many events; ends with it.
fn killer<R: Send + 'static>(
    mut receiver: R,
    at: [usize; 2],
    count: impl Fn(&R) -> usize + Send + 'static,
    again: impl Fn(&mut R) + Send + 'static,
) -> mpsc::Receiver<R> {
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        for limit in at {
            wait::until("the receiver has some", || count(&receiver) >= limit);
            again(&mut receiver);
        }
        let _ = to.send(receiver);
        // The receiver's process dies with the thread that started it.
        std::thread::park_timeout(Duration::from_secs(60));
    });
    from
}

#[test]
fn an_event_is_a_message_of_rfc_5424() {
    let message = &messages(1)[0];
    let mut writer =
        super::message::Writer::new(&settings("address = \"tcp://h:1\"\nfacility = \"authpriv\""));
    let plain = String::from_utf8(writer.plain(message).expect("small").to_vec()).expect("UTF-8");
    let event = &message.event;
    let header = format!(
        "<86>1 {:.6} {} gdprport {} flow.open [gdprport@32473 id=\"{}\" seq=\"1\"] {{\"",
        event.time, event.host.name, event.agent.run, event.id
    );
    assert!(plain.starts_with(&header), "{plain}\n{header}");
    assert!(!plain.bytes().any(|byte| byte < b' '), "one line, without a byte order mark: {plain}");
    let mut framed = Vec::new();
    writer.append(message, gdprport_core::delivery::Framing::OctetCounting, &mut framed).expect("small");
    assert_eq!(framed, format!("{} {plain}", plain.len()).into_bytes());
    framed.clear();
    writer.append(message, gdprport_core::delivery::Framing::Lf, &mut framed).expect("small");
    assert_eq!(framed, format!("{plain}\n").into_bytes());
}

/// The header has fields of its own alphabet: what a host is called must not shift them.
#[test]
fn a_strange_host_name_does_not_shift_the_header() {
    for (name, shown) in
        [("a b\u{7f}c\u{e9}", "abc"), (" ", "-"), ("", "-"), (&*"x".repeat(300), &*"x".repeat(255))]
    {
        let mut message = messages(1).remove(0);
        let mut host = (*message.event.host).clone();
        host.name = name.into();
        message.event.host = host.into();
        let mut writer = super::message::Writer::new(&settings("address = \"tcp://h:1\""));
        let plain = String::from_utf8(writer.plain(&message).expect("small").to_vec()).expect("UTF-8");
        assert_eq!(plain.split(' ').nth(2), Some(shown), "{plain}");
    }
}

#[tokio::test]
async fn an_event_too_large_is_refused_and_the_others_arrive() {
    let receiver = need!(Rsyslog::start(&RsyslogTls::Without));
    let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{}\"\nmax_size = \"8KiB\"", receiver.port()));
    let mut all = messages(3);
    all[1].record = vec![b'x'; 9000].into();
    let outcome = sink.send(&all).await;
    assert_eq!((outcome.done, outcome.failure), (3, None));
    assert_eq!(outcome.refused.len(), 1);
    assert_eq!(outcome.refused[0].index, 1);
    assert!(
        outcome.refused[0].why.contains("more than `max_size` (8192): raise it"),
        "{:?}",
        outcome.refused
    );
    wait::until("two have arrived", || receiver.ids().len() == 2);
}

/// Ended while it reads, twice: what it had not read comes again. What it has read is in its file by then; of a killed one that is
/// its own to lose.
#[tokio::test]
async fn rsyslog_restarted_while_it_reads_misses_nothing() {
    let receiver = need!(Rsyslog::start(&RsyslogTls::Without));
    let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{}\"\nconfirm = \"close\"", receiver.port()));
    let all = messages(3000);
    let ended = killer(
        receiver,
        [700, 1900],
        |r| r.ids().len(),
        |r| {
            r.end();
            r.restart();
        },
    );
    let failures = deliver(&mut sink, &all, 250, |_| ()).await;
    let receiver = ended.recv().expect("ended twice");
    assert!(!failures.is_empty(), "it was ended between batches only");
    assert_eq!(distinct(receiver.ids()), ids(&all), "{failures:?}");
}

/// With the connection kept, a receiver that has read all before it is killed misses nothing either.
#[tokio::test]
async fn rsyslog_restarted_between_batches_misses_nothing() {
    let mut receiver = need!(Rsyslog::start(&RsyslogTls::Without));
    let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{}\"", receiver.port()));
    let all = messages(2000);
    let failures = deliver(&mut sink, &all, 200, |done| {
        if done == 600 || done == 1400 {
            wait::until("it has read all", || receiver.ids().len() == done);
            receiver.kill();
            receiver.restart();
        }
    })
    .await;
    assert_eq!(failures, Vec::<String>::new(), "the connection is known to be gone before it is used");
    wait::until("all have arrived", || receiver.ids().len() == 2000);
    assert_eq!(distinct(receiver.ids()), ids(&all));
}

#[tokio::test]
async fn rsyslog_over_tls_1_3_with_our_certificate_gets_all() {
    let authority = need!(Authority::new("logs"));
    let own = authority.issue("server", &["DNS:siem.example", "IP:127.0.0.1"], Valid::Now);
    let ours = authority.issue("client", &["DNS:host.example"], Valid::Now);
    let tls = RsyslogTls::Shows { own, authority: authority.file(), clients: true };
    let receiver = need!(Rsyslog::start(&tls));
    let keys = format!(
        "address = \"tls://127.0.0.1:{}\"\nca = \"{}\"\nserver_name = \"siem.example\"\n",
        receiver.port(),
        authority.file().display()
    );
    // Without a certificate it is not let in, and is told so; as TLS 1.3 has it, only after the first bytes.
    let mut stranger = sink(&keys);
    let outcome = stranger.send(&messages(1)).await;
    assert!(outcome.done == 0 || receiver.ids().is_empty(), "{outcome:?}");

    let pair = format!(
        "client_cert = \"{}\"\nclient_key = \"file:{}\"",
        ours.certificate.display(),
        ours.key.display()
    );
    let all = messages(3000);
    for confirm in ["close", "tcp"] {
        let mut sink = sink(&format!("{keys}{pair}\nconfirm = \"{confirm}\""));
        let half = if confirm == "close" { &all[..1500] } else { &all[1500..] };
        assert_eq!(deliver(&mut sink, half, 300, |_| ()).await, Vec::<String>::new(), "{confirm}");
    }
    wait::until("all have arrived", || receiver.ids().len() == 3000);
    assert_eq!(distinct(receiver.ids()), ids(&all));
    assert!(receiver.text().contains("local0.info flow.open"), "facility, severity and kind are understood");
}

#[tokio::test]
async fn syslog_ng_restarted_while_it_reads_misses_nothing() {
    let receiver = need!(SyslogNg::start());
    let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{}\"\nconfirm = \"close\"", receiver.port()));
    let all = messages(3000);
    let ended = killer(
        receiver,
        [700, 1900],
        |r| r.ids().len(),
        |r| {
            r.end();
            r.restart();
        },
    );
    let failures = deliver(&mut sink, &all, 250, |_| ()).await;
    let receiver = ended.recv().expect("ended twice");
    wait::until("all have arrived", || distinct(receiver.ids()) == ids(&all));
    println!("{failures:?}");
}

#[tokio::test]
async fn a_receiver_that_closes_in_the_middle_gets_it_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let got = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read_exact(&mut [0; 5000]).await;
        }
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
        // It goes on listening.
        (listener, all)
    });
    let mut sink =
        sink(&format!("address = \"tcp://127.0.0.1:{port}\"\nframing = \"lf\"\nconfirm = \"close\""));
    let all = messages(500);
    let failures = deliver(&mut sink, &all, 500, |_| ()).await;
    assert_eq!(failures.len(), 3, "{failures:?}");
    let closed = ["it closed the connection", "it broke the connection off"];
    assert!(failures.iter().all(|why| closed.iter().any(|end| why.ends_with(end))), "{failures:?}");
    let (_, got) = got.await.expect("read");
    let got = String::from_utf8(got).expect("UTF-8");
    assert_eq!(got.lines().count(), 500);
}

#[tokio::test]
async fn a_slow_receiver_is_given_up_and_its_progress_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 1]).await;
            held.push(stream);
        }
    });
    // Larger than what the two kernels take without anybody reading.
    let mut big = messages(1500);
    for message in &mut big {
        message.record = vec![b'x'; 20_000].into();
    }
    let keys = format!("address = \"tcp://127.0.0.1:{port}\"\nmax_size = \"64KiB\"");
    let mut sink = Syslog::new(settings(&keys)).within(SHORT, SHORT);
    let start = std::time::Instant::now();
    let outcome = sink.send(&big).await;
    assert!(start.elapsed() < SHORT * 4, "{:?}", start.elapsed());
    assert!(outcome.done > 0 && outcome.done < 1500, "{outcome:?}");
    let expected = format!("tcp://127.0.0.1:{port}: it took {} of 1500 events within 1 s", outcome.done);
    assert_eq!(why(&outcome), expected);
    // With proof asked for, nothing counts: it did not read it.
    let mut sink = Syslog::new(settings(&format!("{keys}\nconfirm = \"close\""))).within(SHORT, SHORT);
    assert_eq!(sink.send(&big[..3]).await.done, 0);
}

#[tokio::test]
async fn a_receiver_that_talks_without_end_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            tokio::spawn(async move { while stream.write_all(&[b'#'; 4096]).await.is_ok() {} });
        }
    });
    let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{port}\"\nconfirm = \"close\""));
    let outcome = sink.send(&messages(3)).await;
    assert_eq!(
        why(&outcome),
        format!("tcp://127.0.0.1:{port}: it says more than a syslog receiver has to say")
    );
}

#[tokio::test]
async fn each_bad_place_has_its_sentence() {
    let free = Port::free();
    let one = messages(1);
    let authority = need!(Authority::new("logs"));
    for (keys, end) in [
        (
            format!("address = \"tcp://127.0.0.1:{free}\""),
            format!("127.0.0.1:{free} refuses connections: nothing listens there"),
        ),
        (
            "address = \"unix:///no/such/socket\"".to_owned(),
            "cannot connect: No such file or directory (os error 2)".to_owned(),
        ),
        (
            format!("address = \"tls://127.0.0.1:{free}\"\nca = \"/no/ca.pem\""),
            "ca /no/ca.pem: No such file or directory (os error 2)".to_owned(),
        ),
        (
            format!(
                "address = \"tls://127.0.0.1:{free}\"\nclient_cert = \"{}\"\nclient_key = \"file:/no/key\"",
                authority.file().display()
            ),
            "cannot read the secret file:/no/key: No such file or directory (os error 2)".to_owned(),
        ),
    ] {
        let mut sink = sink(&keys);
        let outcome = sink.send(&one).await;
        assert_eq!((outcome.done, sink.answer()), (0, None));
        assert!(why(&outcome).ends_with(&end), "{}", why(&outcome));
    }
    let gone = sink("address = \"tls://no-such-host.invalid\"").send(&one).await;
    assert!(why(&gone).starts_with("tls://no-such-host.invalid:6514: "), "{}", why(&gone));
}

#[tokio::test]
async fn udp_sends_whole_messages_and_hears_that_nobody_listens() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = receiver.local_addr().expect("bound").port();
    let mut sink = sink(&format!("address = \"udp://127.0.0.1:{port}\""));
    let all = messages(20);
    assert_eq!(sink.send(&all).await, Outcome::all(20));
    let mut found = BTreeSet::new();
    let mut buffer = vec![0; 65_536];
    for _ in 0..20 {
        let count = receiver.recv(&mut buffer).await.expect("sent");
        found.extend(id_of(&buffer[..count]));
    }
    assert_eq!(found, ids(&all));
    drop(receiver);
    let outcome = sink.send(&all).await;
    assert_eq!((outcome.done, why(&outcome)), (0, &*format!("udp://127.0.0.1:{port}: nobody listens there")));
}

fn id_of(message: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    Some(text.split_once(" id=\"")?.1.split_once('"')?.0.to_owned())
}

#[tokio::test]
async fn a_socket_of_this_host_gets_all_over_a_restart() {
    let dir = TempDir::new();
    let path = dir.join("log");
    let mut sink = sink(&format!("address = \"unix://{}\"", path.display()));
    let all = messages(300);
    let (mut found, mut failures) = (BTreeSet::new(), 0);
    for part in all.chunks(100) {
        // Another socket of the same name, as after a restart.
        let _ = std::fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let read = async {
            let mut buffer = vec![0; 65_536];
            let mut own = BTreeSet::new();
            while own.len() < 100 {
                let count = receiver.recv(&mut buffer).await.expect("sent");
                own.extend(id_of(&buffer[..count]));
            }
            own
        };
        let send = async {
            loop {
                match sink.send(part).await.done {
                    100 => break,
                    _ => failures += 1,
                }
            }
        };
        found.extend(tokio::join!(read, send).0);
    }
    assert_eq!(found, ids(&all));
    assert_eq!(failures, 2, "one for each restart");
    // And one that is a stream.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut sink =
        Syslog::new(settings(&format!("address = \"unix://{}\"\nconfirm = \"close\"", path.display())));
    let read = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("text");
        text
    };
    let (text, outcome) = tokio::join!(read, sink.send(&all));
    assert_eq!((outcome.done, text.lines().count()), (300, 300));
}
