//! An event file that is read while the daemon writes it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::event::Event;
use crate::{schema, wait};

/// All events that were read so far, in order.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: Option<File>,
    partial: Vec<u8>,
    events: Vec<Event>,
}

impl EventLog {
    /// Follows the file at `path`, which need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, partial: Vec::new(), events: Vec::new() }
    }

    /// Reads what came since the last time; an unfinished line waits for its end.
    ///
    /// # Panics
    /// When the file cannot be read or holds anything but events.
    pub fn refresh(&mut self) -> &[Event] {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.partial).expect("an open event file can be read");
        }
        let complete = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = String::from_utf8(self.partial.drain(..complete).collect()).expect("events are UTF-8");
        self.events.extend(lines.lines().map(Event::parse));
        &self.events
    }

    /// What was read so far.
    #[must_use]
    pub fn seen(&self) -> &[Event] {
        &self.events
    }

    /// Waits for an event that matches and returns it; also one that was read earlier.
    #[track_caller]
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        self.wait_within(wait::TIMEOUT, what, wanted)
    }

    /// Like [`EventLog::wait`], with a limit of its own.
    #[track_caller]
    fn wait_within(&mut self, limit: Duration, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut checked = 0;
        wait::within(limit, &format!("the event: {what}"), || {
            let from = checked;
            checked = self.refresh().len();
            self.events[from..].iter().find(|event| wanted(event)).cloned()
        })
    }

    /// Waits until `count` events match, and returns how many do (maybe more).
    #[track_caller]
    pub fn wait_count(&mut self, what: &str, count: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        let (mut checked, mut found) = (0, 0);
        let start = std::time::Instant::now();
        loop {
            let from = checked;
            checked = self.refresh().len();
            found += self.events[from..].iter().filter(|event| wanted(event)).count();
            if found >= count {
                return found;
            }
            if start.elapsed() >= wait::TIMEOUT {
                panic!(
                    "timed out waiting for {count} of {what}; {found} came; of all events: {}",
                    self.kinds()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many events of each kind were read so far, of those about flows for each direction: what a wait that failed shows.
    fn kinds(&self) -> String {
        let mut counts = BTreeMap::new();
        for event in &self.events {
            let direction = event.at("flow.direction").as_str().unwrap_or_default();
            *counts.entry([event.kind(), direction]).or_insert(0_u64) += 1;
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|([kind, direction], count)| format!("{count} {kind} {direction}").trim_end().to_owned())
            .collect();
        counts.join(", ")
    }

    /// Waits for the event of this kind about the end with these ports.
    #[track_caller]
    pub fn flow(&mut self, kind: &str, direction: &str, local: u16, peer: u16) -> Event {
        self.wait(&format!("{kind} {direction} {local} {peer}"), |event| {
            event.kind() == kind && event.ends(direction) == Some((local, peer))
        })
    }

    /// How many of the events read so far match.
    pub fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    /// Checks what is true of every complete stream: each event fits the schema, no id comes twice, the sequence of each run
    /// (the daemon's, and the stream's own of what it lost) has no gap, and no flow opens after the event that reports it.
    ///
    /// # Panics
    /// When one of these does not hold; with the event.
    #[track_caller]
    pub fn check(&self) {
        let mut ids = HashSet::new();
        for event in &self.events {
            assert!(ids.insert(event.id()), "an id came twice: {}", event.line());
            // Times sort as text.
            let early = event.at("flow.opened").as_str().is_some_and(|opened| event.text("time") < opened);
            assert!(!early, "reported before it opened: {}", event.line());
        }
        let mut last = HashMap::new();
        for event in &self.events {
            if let Some(before) = last.insert(event.text("agent.run"), event.seq()) {
                assert_eq!(event.seq(), before + 1, "a gap in the sequence before {}", event.line());
            }
        }
        schema::check(&self.events);
    }
}
