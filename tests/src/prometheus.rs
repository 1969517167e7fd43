//! A real Prometheus that scrapes a daemon under test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::child::{Child, Place};
use crate::ports::Port;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::wait;

/// A Prometheus with the packaged configuration and rules; killed with the value.
#[derive(Debug)]
pub struct Prometheus {
    port: Port,
    _child: Child,
    _dir: TempDir,
}

impl Prometheus {
    /// The program, if it is installed.
    ///
    /// # Errors
    /// What is missing.
    pub fn installed() -> Result<PathBuf, Missing> {
        installed(&["/usr/bin/prometheus"], "prometheus")
    }

    /// Starts it, with the daemon whose metrics are on this port, and waits until it replies to queries.
    ///
    /// # Panics
    /// When it is not ready in time.
    #[must_use]
    #[track_caller]
    pub fn scraping(program: &Path, target: &Port) -> Self {
        let (dir, port) = (TempDir::new(), Port::free());
        let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/prometheus");
        let example = std::fs::read_to_string(packaged.join("prometheus.example.yml")).expect("packaged");
        let rules = std::fs::read_to_string(packaged.join("gdprport.rules.yml")).expect("packaged");
        dir.write("gdprport.rules.yml", &rules);
        let config = format!("global: {{ evaluation_interval: 1s }}\n{example}")
            .replace("127.0.0.1:9469", &format!("127.0.0.1:{target}"))
            .replace("scrape_interval: 15s", "scrape_interval: 1s");
        assert!(config.contains(&format!("127.0.0.1:{target}")), "the example names the address");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", dir.write("prometheus.yml", &config).display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let log = std::fs::File::create(dir.join("log")).expect("a fresh file");
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let child = Child::start(command, Place::default());
        let prometheus = Self { port, _child: child, _dir: dir };
        wait::until("Prometheus is ready", || prometheus.query("1").is_some());
        prometheus
    }

    /// What its API replies to a query; `None` until it does.
    ///
    /// # Panics
    /// When it takes the expression for a mistake.
    #[must_use]
    pub fn query(&self, expression: &str) -> Option<Value> {
        let escaped: String = expression
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        let address = SocketAddr::from(([127, 0, 0, 1], self.port.number()));
        let mut stream = TcpStream::connect(address).ok()?;
        let request = format!("GET /api/v1/query?query={escaped} HTTP/1.0\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let json: Value = serde_json::from_str(reply.split_once("\r\n\r\n")?.1).ok()?;
        assert!(json["status"] == "success" || json["errorType"] != "bad_data", "{expression}: {json}");
        Some(json["data"]["result"].clone())
    }

    /// The value of the only series of a query.
    #[must_use]
    pub fn one(&self, expression: &str) -> Option<f64> {
        match self.query(expression)?.as_array()?.as_slice() {
            [only] => only["value"][1].as_str()?.parse().ok(),
            _ => None,
        }
    }
}
