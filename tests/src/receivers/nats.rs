//! nats-server with JetStream, alone or as a cluster of three, and what is stored in its stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Process;
use crate::ports::{Port, is_listening};
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::wait;

/// The stream of the tests; it has every subject that begins with `gdprport.`.
pub const STREAM: &str = "GDPRPORT";

/// A cluster of one or three.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<Node>,
    _dir: TempDir,
}

#[derive(Debug)]
struct Node {
    process: Process,
    port: u16,
    _ports: [Port; 2],
}

impl NatsCluster {
    /// Starts so many servers on `127.0.0.1`; `more` is further configuration of each, such as `authorization`.
    ///
    /// # Errors
    /// [`Missing`] when nats-server is not installed.
    ///
    /// # Panics
    /// When it is and does not listen.
    pub fn start(count: usize, more: &str) -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/nats-server", "/usr/bin/nats-server"], "nats-server")?;
        let dir = TempDir::new();
        let ports: Vec<[Port; 2]> = (0..count).map(|_| [Port::free(), Port::free()]).collect();
        let routes: Vec<String> =
            ports.iter().map(|[_, route]| format!("nats://127.0.0.1:{route}")).collect();
        let routes = routes.join(", ");
        let mut nodes = Vec::new();
        for (index, ports) in ports.into_iter().enumerate() {
            let [client, route] = &ports;
            let place = dir.join(format!("n{index}"));
            std::fs::create_dir(&place).expect("a fresh directory");
            let at = place.display();
            let cluster = if count == 1 {
                String::new()
            } else {
                format!("cluster {{ name: tests, listen: \"127.0.0.1:{route}\", routes: [{routes}] }}\n")
            };
            let config = dir.write(
                &format!("n{index}.conf"),
                &format!(
                    "listen: \"127.0.0.1:{client}\"\nserver_name: n{index}\njetstream {{ store_dir: \"{at}\" }}\n{cluster}{more}\n"
                ),
            );
            let (program, port) = (program.clone(), client.number());
            let start = move || {
                let mut command = Command::new(&program);
                command.arg("--config").arg(&config);
                command
            };
            let process = Process::new(&place, start, move || is_listening(port));
            nodes.push(Node { process, port, _ports: ports });
        }
        Ok(Self { nodes, _dir: dir })
    }

    /// Makes the stream, with as many copies as there are servers; `more` are further keys of its configuration.
    ///
    /// # Panics
    /// When the cluster does not make it in time.
    pub fn make_stream(&self, more: &Value) {
        let mut config = json!({
            "name": STREAM, "subjects": ["gdprport.>"], "storage": "file", "retention": "limits", "discard": "old",
            "num_replicas": self.nodes.len(), "allow_direct": true, "duplicate_window": 120_000_000_000_u64,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        // A cluster has to elect its leader first.
        wait::until("the stream is made", || {
            let reply = self.ask(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &[config.to_string()]);
            reply.is_some_and(|reply| reply[0].contains("\"created\"") && !reply[0].contains("\"error\""))
        });
    }

    /// Where a server listens.
    #[must_use]
    pub fn port(&self, node: usize) -> u16 {
        self.nodes[node].port
    }

    /// Which server leads the stream.
    ///
    /// # Panics
    /// When nobody does in time.
    #[must_use]
    pub fn leader(&self) -> usize {
        wait::within(wait::TIMEOUT, "a leader", || {
            let reply = self.ask(&format!("$JS.API.STREAM.INFO.{STREAM}"), &[String::new()])?;
            let info: Value = serde_json::from_str(body(&reply[0])).ok()?;
            info["cluster"]["leader"].as_str()?.strip_prefix('n')?.parse().ok()
        })
    }

    /// Ends a server with SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].process.kill();
    }

    /// Starts it again, with what it had on its disk.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].process.restart();
    }

    /// Whether a server reads, or only its sockets are there.
    pub fn pause(&self, node: usize, paused: bool) {
        self.nodes[node].process.pause(paused);
    }

    /// How many messages the stream has.
    #[must_use]
    pub fn count(&self) -> usize {
        let reply = self.ask(&format!("$JS.API.STREAM.INFO.{STREAM}"), &[String::new()]);
        let info: Option<Value> = reply.and_then(|reply| serde_json::from_str(body(&reply[0])).ok());
        let messages = info.and_then(|info| info["state"]["messages"].as_u64());
        messages.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    /// The ids (`Nats-Msg-Id`) of all messages of the stream, in order.
    ///
    /// # Panics
    /// When they cannot be read in time.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let asked: Vec<String> = (1..=self.count()).map(|seq| json!({ "seq": seq }).to_string()).collect();
        let replies = wait::within(wait::TIMEOUT, "the stream can be read", || {
            if asked.is_empty() {
                Some(Vec::new())
            } else {
                self.ask(&format!("$JS.API.DIRECT.GET.{STREAM}"), &asked)
            }
        });
        let id = |reply: &String| {
            let line = reply.lines().find_map(|line| line.strip_prefix("Nats-Msg-Id:"));
            line.map(|id| id.trim().to_owned()).unwrap_or_else(|| panic!("no id in {reply}"))
        };
        replies.iter().map(id).collect()
    }

    /// Asks the first server that runs, each payload once, and returns as many answers (headers and body).
    fn ask(&self, subject: &str, payloads: &[String]) -> Option<Vec<String>> {
        self.nodes.iter().find_map(|node| request(node.port, subject, payloads).ok())
    }
}

/// What stands behind the headers of an answer.
fn body(reply: &str) -> &str {
    reply.rsplit("\r\n\r\n").next().unwrap_or(reply)
}

/// NATS's own protocol, as little of it as is needed.
fn request(port: u16, subject: &str, payloads: &[String]) -> std::io::Result<Vec<String>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut text = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"user\":\"reader\",\"pass\":\"reader\"}\r\n\
                    SUB _INBOX.tests 1\r\n"
        .to_owned();
    for payload in payloads {
        text.push_str(&format!("PUB {subject} _INBOX.tests {}\r\n{payload}\r\n", payload.len()));
    }
    let mut writer = stream;
    let sender = std::thread::spawn(move || writer.write_all(text.as_bytes()).map(|()| writer));
    let mut replies = Vec::with_capacity(payloads.len());
    while replies.len() < payloads.len() {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.starts_with("MSG ") || line.starts_with("HMSG ") {
            let size = line.split_whitespace().last().and_then(|size| size.parse().ok()).unwrap_or(0_usize);
            let mut bytes = vec![0; size + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(size);
            replies.push(String::from_utf8_lossy(&bytes).into_owned());
        } else if line.starts_with("-ERR") {
            return Err(std::io::Error::other(line));
        }
    }
    let _ = sender.join();
    Ok(replies)
}
