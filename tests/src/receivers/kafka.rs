//! A Kafka cluster of mock brokers (librdkafka's), whose leaders change and whose brokers go away and come back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::provided;
use crate::child::{Child, Place};
use crate::skip::Missing;
use crate::temp::TempDir;

/// The topic of the tests, with three partitions.
pub const TOPIC: &str = "gdprport";

/// A running cluster of three brokers, numbered from 1.
#[derive(Debug)]
pub struct KafkaMock {
    _child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    brokers: Vec<String>,
    dir: TempDir,
}

/// A record of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaRecord {
    /// The header `id`.
    pub id: String,
    /// The key.
    pub key: String,
    /// The partition.
    pub partition: i64,
}

impl KafkaMock {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when confluent-kafka was not set up.
    ///
    /// # Panics
    /// When it was and does not start.
    pub fn start() -> Result<Self, Missing> {
        let python = provided("venv/bin/python")?;
        // Shows that the package itself is there.
        provided("venv/lib").and_then(|lib| {
            let found = std::fs::read_dir(&lib).into_iter().flatten().flatten();
            let has =
                found.into_iter().any(|entry| entry.path().join("site-packages/confluent_kafka").exists());
            if has {
                Ok(())
            } else {
                Err(Missing::of("confluent-kafka (`cargo xtask setup --test-servers` brings it)"))
            }
        })?;
        let dir = TempDir::new();
        let script = dir.write("kafka.py", include_str!("kafka.py"));
        let mut command = Command::new(python);
        command.arg(script).args([TOPIC, "3", "3"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(dir.join("log")).expect("a fresh file"));
        let mut child = Child::start(command, Place::default());
        let pipes = child.pipes();
        let (stdin, stdout) = (pipes.stdin.take().expect("piped"), pipes.stdout.take().expect("piped"));
        let mut stdout = BufReader::new(stdout);
        let brokers = answer(&mut stdout, &dir);
        let brokers = brokers.as_str().expect("a text").split(',').map(str::to_owned).collect();
        Ok(Self { _child: child, pipes: Mutex::new((stdin, stdout)), brokers, dir })
    }

    /// Where the brokers listen, `HOST:PORT` each.
    #[must_use]
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// A broker breaks its connections off and takes no others; what it has stays.
    pub fn down(&self, broker: usize) {
        self.command(&format!("down {broker}"));
    }

    /// It is back.
    pub fn up(&self, broker: usize) {
        self.command(&format!("up {broker}"));
    }

    /// Another broker leads a partition.
    pub fn lead(&self, partition: usize, broker: usize) {
        self.command(&format!("leader {partition} {broker}"));
    }

    /// All records, partition by partition, in order.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn records(&self) -> Vec<KafkaRecord> {
        let all = self.command("ids");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let record = |row: &Value| KafkaRecord {
            id: text(&row[0]),
            key: text(&row[1]),
            partition: row[2].as_i64().expect("a number"),
        };
        all.as_array().expect("a list").iter().map(record).collect()
    }

    fn command(&self, line: &str) -> Value {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let (stdin, stdout) = &mut *pipes;
        writeln!(stdin, "{line}").expect("the script reads");
        answer(stdout, &self.dir)
    }
}

fn answer(stdout: &mut BufReader<ChildStdout>, dir: &TempDir) -> Value {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("the script writes");
    serde_json::from_str(&line).unwrap_or_else(|_| {
        panic!("the script ended:\n{}", std::fs::read_to_string(dir.join("log")).unwrap_or_default())
    })
}
