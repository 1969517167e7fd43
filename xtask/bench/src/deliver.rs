//! Events to one receiver on this host, by the deliverer's own transport, as fast as they are taken. Prints one JSON object.
//!
//! Receivers that answer over HTTP, and those of syslog, are as fast as they can be: they read and confirm, and understand nothing.
//! NATS is the real server, Kafka the brokers of librdkafka's mock, where they are installed.

use std::any::Any;
use std::error::Error;
use std::io::{self, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Instant;

use gdprport_daemon::measured::Sent;
use gdprport_tests::receivers::{Fake, KafkaMock, NatsCluster, Protocol, Reply, Request, TOPIC, Taken};
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use serde_json::{Value, json};

use crate::clock::thread_ns;

/// The event that is sent: a `flow.close` with a process and a verdict, as a daemon writes it.
const EVENT: &str = include_str!("event.json");

/// What a receiver is reached by, and what has to live meanwhile.
type Started = Result<(String, Box<dyn Any>), Missing>;

/// Sends so many events to a receiver of this name and prints how long that took.
pub(crate) fn run(name: &str, events: &str) -> Result<(), Box<dyn Error>> {
    let dir = TempDir::new();
    let (keys, _held) = match start(name, &dir).ok_or_else(|| format!("no receiver is called {name}"))? {
        Ok(started) => started,
        Err(missing) => {
            println!("{}", json!({ "skipped": missing.to_string() }));
            return Ok(());
        }
    };
    let config = format!("[[sink]]\nname = \"measured\"\n{keys}\n");
    let mut sent = Sent::new(&config, EVENT.trim(), events.parse()?)?;
    // The first batch connects.
    sent.send()?;
    let (begun, busy, mut count) = (Instant::now(), thread_ns(), 0);
    loop {
        match sent.send()? {
            0 => break,
            some => count += some,
        }
    }
    let (took, busy) = (begun.elapsed(), thread_ns() - busy);
    println!(
        "{}",
        json!({
            "encoding": sent.encoding(), "record_bytes": sent.record_bytes(),
            "events_per_s": count as f64 / took.as_secs_f64(), "cpu_ns": busy as f64 / count as f64,
        })
    );
    Ok(())
}

fn start(name: &str, dir: &TempDir) -> Option<Started> {
    let http = |name: &str, fast: Fast, more: &str| -> Started {
        let fake = Fake::start(fast);
        Ok((format!("type = \"{name}\"\nurl = \"{}\"\n{more}", fake.url()), Box::new(fake)))
    };
    let hec = |more: &str| {
        let token = dir.write("token", "token\n");
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        format!("token = \"file:{}\"\n{more}", token.display())
    };
    Some(match name {
        "http" => http("http", Fast::Plain, ""),
        "splunk" => http("splunk", Fast::Hec(None), &hec("")),
        "splunk-ack" => http("splunk", Fast::Hec(Some(0)), &hec("ack = true")),
        "elastic" => http("elastic", Fast::Bulk, ""),
        "loki" => http("loki", Fast::Loki, ""),
        "otlp" => http("otlp", Fast::Otlp, ""),
        "syslog-tcp" => Ok(tcp()),
        "syslog-udp" => Ok(udp()),
        "syslog-unix" => Ok(unix(dir)),
        "nats" => NatsCluster::start(1, "").map(|server| {
            server.make_stream(&json!({}));
            let keys = format!("type = \"nats\"\nservers = [\"nats://127.0.0.1:{}\"]", server.port(0));
            (keys, Box::new(server) as Box<dyn Any>)
        }),
        "kafka" => KafkaMock::start().map(|mock| {
            let keys = format!("type = \"kafka\"\ntopic = \"{TOPIC}\"\nbrokers = {:?}", mock.brokers());
            (keys, Box::new(mock) as Box<dyn Any>)
        }),
        _ => return None,
    })
}

/// Reads and drops what comes over each connection.
fn drain<S: Read + Send + 'static>(connections: impl Iterator<Item = io::Result<S>>) {
    for mut connection in connections.flatten() {
        thread::spawn(move || io::copy(&mut connection, &mut io::sink()));
    }
}

fn tcp() -> (String, Box<dyn Any>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || drain(listener.incoming()));
    (format!("type = \"syslog\"\naddress = \"tcp://{address}\""), Box::new(()))
}

fn unix(dir: &TempDir) -> (String, Box<dyn Any>) {
    let path = dir.join("log");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || drain(listener.incoming()));
    (format!("type = \"syslog\"\naddress = \"unix://{}\"", path.display()), Box::new(()))
}

fn udp() -> (String, Box<dyn Any>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while socket.recv(&mut buffer).is_ok() {}
    });
    (format!("type = \"syslog\"\naddress = \"udp://{address}\""), Box::new(()))
}

/// A receiver over HTTP that answers as the real one does, and looks at nothing.
enum Fast {
    Plain,
    /// With the next acknowledgement.
    Hec(Option<u64>),
    Bulk,
    Loki,
    Otlp,
}

impl Protocol for Fast {
    fn take(&mut self, request: &Request) -> Taken {
        Taken::nothing(match self {
            Self::Plain => Reply::text(200, ""),
            Self::Hec(_) if request.path.ends_with("/ack") => {
                let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let asked = asked["acks"].as_array().map(Vec::as_slice).unwrap_or_default();
                let acks: serde_json::Map<String, Value> =
                    asked.iter().map(|ack| (ack.to_string(), true.into())).collect();
                Reply::json(200, &json!({ "acks": acks }))
            }
            Self::Hec(None) => Reply::json(200, &json!({ "text": "Success", "code": 0 })),
            Self::Hec(Some(next)) => {
                *next += 1;
                Reply::json(200, &json!({ "text": "Success", "code": 0, "ackId": *next }))
            }
            Self::Bulk => {
                let lines = request.body.iter().filter(|byte| **byte == b'\n').count();
                let mut body = b"{\"errors\":false,\"took\":1,\"items\":[".to_vec();
                for item in 0..lines / 2 {
                    body.extend_from_slice(if item == 0 { b"" } else { b"," });
                    body.extend_from_slice(
                        b"{\"create\":{\"_index\":\"logs\",\"_id\":\"019ab3c2-0000-7a31-9d53-0c2f6a4e8b11\",\"status\":201}}",
                    );
                }
                body.extend_from_slice(b"]}");
                Reply { body, ..Reply::json(200, &Value::Null) }
            }
            Self::Loki => Reply::text(204, ""),
            Self::Otlp => Reply { headers: Vec::new(), ..Reply::text(200, "") }
                .with("Content-Type", "application/x-protobuf"),
        })
    }
}
