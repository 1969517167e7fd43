//! A spool, sinks that read it, and receivers that do what a test says.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gdprport_core::delivery::{Delivery, Sink as SinkConfig, Start};
use gdprport_core::encode::native;
use gdprport_core::event::{Event, FlowKind, Host, Kind, samples};
use gdprport_core::written::Source;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::control::api::{ConfigStanding, LagStanding, SinkStanding};
use crate::deliver::beginning::Beginning;
use crate::deliver::board::{Board, Known, Row};
use crate::deliver::cursor::CursorFile;
use crate::deliver::files::directory;
use crate::deliver::standing::Standing;
use crate::deliver::worker::Worker;
use crate::deliver::{Failure, Limits, Message, Outcome, Refused, Sending, Transport};
use crate::sink::spool::SpoolSettings;
use crate::sink::{Fanout, Sink};
use gdprport_core::sensor::SpoolSync;

/// What a receiver does with a batch.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Takes so many of it and then fails.
    Take(usize),
    Fail,
    /// Refuses this one of it and takes the others.
    Refuse(usize),
    /// Takes no more than so many at once.
    AtMost(usize),
    /// Asks for a pause.
    Later(Duration),
    /// Never answers.
    Hang,
}

/// A receiver: what it got, and what it does next; then it takes all.
#[derive(Debug, Clone, Default)]
pub(super) struct Receiver {
    pub(super) got: Arc<Mutex<Vec<(Uuid, Kind)>>>,
    pub(super) records: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(super) next: Arc<Mutex<VecDeque<Step>>>,
    pub(super) always: Arc<Mutex<Option<Step>>>,
}

impl Receiver {
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.got.lock().expect("whole").iter().map(|(id, _)| *id).collect()
    }

    pub(super) fn next(&self, steps: impl IntoIterator<Item = Step>) {
        self.next.lock().expect("whole").extend(steps);
    }

    fn take(&self, batch: &[Message]) {
        self.got.lock().expect("whole").extend(batch.iter().map(|m| (m.event.id, m.event.body.kind())));
        self.records.lock().expect("whole").extend(batch.iter().map(|m| m.record.to_vec()));
    }
}

fn failure(why: &str) -> Failure {
    Failure { why: why.to_owned(), after: None, too_large: false }
}

impl Transport for Receiver {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        let step = self.next.lock().expect("whole").pop_front();
        let step = step.or_else(|| self.always.lock().expect("whole").clone());
        Box::pin(async move {
            assert!(!batch.is_empty() && batch.len() <= self.limits().events);
            match step {
                Some(Step::Hang) => std::future::pending().await,
                Some(Step::Fail) => Outcome::failed("it is away"),
                Some(Step::Later(after)) => {
                    let failure = Failure { after: Some(after), ..failure("later") };
                    Outcome { failure: Some(failure), ..Outcome::all(0) }
                }
                Some(Step::Take(some)) if some < batch.len() => {
                    self.take(&batch[..some]);
                    Outcome { done: some, refused: Vec::new(), failure: Some(failure("it closed")) }
                }
                Some(Step::AtMost(most)) if batch.len() > most => {
                    let failure = Failure { too_large: true, ..failure("too large") };
                    Outcome { failure: Some(failure), ..Outcome::all(0) }
                }
                Some(Step::Refuse(index)) if index < batch.len() => {
                    self.take(&batch[..index]);
                    self.take(&batch[index + 1..]);
                    let refused = vec![Refused { index, why: "no such field".to_owned() }];
                    Outcome { refused, ..Outcome::all(batch.len()) }
                }
                _ => {
                    self.take(batch);
                    Outcome::all(batch.len())
                }
            }
        })
    }

    fn limits(&self) -> Limits {
        Limits { events: 100, bytes: 1 << 20 }
    }
}

/// A directory with a spool and cursors.
pub(super) struct Scene {
    pub(super) dir: TempDir,
    stamper: gdprport_core::event::Stamper,
}

/// A sink at work.
pub(super) struct Running {
    pub(super) standing: Standing,
    config: SinkConfig,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it as the deliverer does.
    pub(super) async fn stop(self) -> SinkStanding {
        let _ = self.stop.send(true);
        self.task.await.expect("no panic");
        self.standing.shown(&self.config, LagStanding::default(), None)
    }

    /// Ends it without a chance to note anything.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, stamper: samples::stamper() }
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// Writes events of a kind to the spool, and returns their ids.
    pub(super) fn write(&mut self, count: usize, kind: Kind) -> Vec<Uuid> {
        let events: Vec<Event> =
            (0..count).map(|_| self.stamper.stamp(samples::now(), samples::body(kind))).collect();
        let ids = events.iter().map(|event| event.id).collect();
        self.write_lines(events.into_iter().map(|event| {
            let mut line = Vec::new();
            native(&event, &mut line);
            line
        }));
        ids
    }

    /// What the control socket knows of a sink.
    pub(super) fn board(&self, running: &Running) -> Board {
        let row = Row { sink: running.config.clone(), standing: running.standing.clone(), problems: None };
        let config = ConfigStanding { path: "x".to_owned(), read: jiff::Timestamp::now(), refused: None };
        let known = Known { config, spool: self.spool(), rows: vec![row], faulty: Vec::new(), stamps: None };
        let host = Host { name: "db-1".into(), boot_id: "boot".into() };
        Board::new(jiff::Timestamp::now(), host, known)
    }

    /// Writes lines, each ended by a line feed.
    pub(super) fn write_lines(&self, lines: impl IntoIterator<Item = Vec<u8>>) {
        let settings = SpoolSettings {
            max_bytes: *gdprport_core::sensor::SPOOL_BYTES.start(),
            sync: SpoolSync::Never,
            ..SpoolSettings::new(self.spool())
        };
        let sink = Sink::spool(settings, NonZeroUsize::new(100_000).expect("not zero")).expect("a spool");
        let mut fanout = Fanout::new(vec![sink]);
        for line in lines {
            fanout.publish_line(FlowKind::Open, |out| out.extend_from_slice(&line));
        }
        fanout.deliver();
        let stats = fanout.shutdown(Duration::from_secs(20)).remove(0);
        assert!(stats.counts.dropped.is_empty(), "{stats:?}");
    }

    /// Begins with a sink, as the deliverer does at its start.
    pub(super) fn begin(&self, config: &SinkConfig, receiver: &Receiver) -> Running {
        self.begin_with(config, Box::new(receiver.clone()))
    }

    /// The same with any transport.
    pub(super) fn begin_with(&self, config: &SinkConfig, transport: Box<dyn Transport>) -> Running {
        self.start(config, |worker, seek_end, stop| tokio::spawn(worker.run(Ok(transport), seek_end, stop)))
    }

    /// The same with transports that are made whenever one is needed.
    pub(super) fn begin_always(
        &self,
        config: &SinkConfig,
        make: impl Fn() -> Box<dyn Transport> + Send + Sync + 'static,
    ) -> Running {
        self.start(config, |worker, seek_end, stop| {
            tokio::spawn(worker.run_always(move |_| Ok(make()), seek_end, stop))
        })
    }

    fn start(
        &self,
        config: &SinkConfig,
        spawn: impl FnOnce(Worker, bool, watch::Receiver<bool>) -> JoinHandle<()>,
    ) -> Running {
        let directory = directory(self.dir.path(), "cursors").expect("a directory");
        let file = CursorFile::new(&directory, config);
        let Beginning { kept, seek_end, said } = Beginning::of(file.find(), config.start);
        let standing = Standing::new(&config.name, said, kept);
        let worker = Worker {
            sink: config.clone(),
            standing: standing.clone(),
            cursor: Arc::new(Mutex::new(file)),
            spool: self.spool(),
            host: Host { name: "db-1".into(), boot_id: "boot".into() },
        };
        let (stop, stopping) = watch::channel(false);
        let task = spawn(worker, seek_end, stopping);
        Running { standing, config: config.clone(), stop, task }
    }
}

/// A sink with these keys besides.
pub(super) fn sink(name: &str, keys: &str) -> SinkConfig {
    let text =
        format!("[[sink]]\nname = \"{name}\"\ntype = \"http\"\nurl = \"http://{name}.example\"\n{keys}\n");
    let mut read = Delivery::parse(Source { name: "x".to_owned(), text }).expect("valid");
    assert!(read.faulty.is_empty(), "{:?}", read.faulty);
    read.sinks.remove(0)
}

/// The same, that begins now.
pub(super) fn now(name: &str) -> SinkConfig {
    SinkConfig { start: Start::Now, ..sink(name, "") }
}

/// Waits for what a task will do; gives up loudly.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
