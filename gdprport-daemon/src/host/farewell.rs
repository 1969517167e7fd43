//! Hears of sockets that end: the kernel's broadcast of destroyed TCP sockets, for those that were there
//! before the daemon and of whose end no hook tells.
//!
//! Belongs here: when to listen, what to hand on, and when to give up. Does not belong here: reading a
//! notice (`subscription`), what the counts mean (`core::flow`).
//!
//! While anyone listens, every TCP socket that closes on the host costs the kernel a notice: 2.7 µs as
//! measured on Linux 6.18, in whichever network namespace it closes, though only those of one namespace are
//! delivered. Hence:
//! 1. A namespace is listened to only while a connection from before is left in it. Listeners from before
//!    live for months; they are heard of while that lasts, and do not make it last.
//! 2. Where notices of no interest come too fast, or do not fit the buffer, it is given up and said
//!    so. What closes there is then found missing by whoever asks from time to time.
//! 3. One thread reads for all namespaces, and naps after it was woken: notices that come together cost one
//!    wake-up.

mod subscription;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use thiserror::Error;

use gdprport_core::flow::LastCounts;

#[cfg(any(test, fuzzing))]
pub(super) use subscription::hostile;
pub use subscription::{Subscription, SubscriptionError};

/// How long the reader waits for more before it reads: the latency added to an end.
const NAP: Duration = Duration::from_millis(10);

/// Notices of no interest that a namespace may send a second: half a percent of one CPU.
const RATE: u64 = 2_000;

/// Over how long the rate is taken at least, so that a burst is no reason to give up.
const WINDOW: Duration = Duration::from_secs(3);

/// Notices read from one namespace before the others have their turn.
const BATCH: usize = 4_096;

/// The end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// Socket cookie.
    pub cookie: u64,
    /// When it was heard of, at most some ten milliseconds after it happened; boottime ns.
    pub time_ns: u64,
    /// What it had counted; of no meaning for a listener.
    pub last: LastCounts,
}

/// Of which sockets of a network namespace to hear.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Cookies of connections; once the last one is gone, the namespace is left.
    pub flows: HashSet<u64>,
    /// Cookies of listeners.
    pub listeners: HashSet<u64>,
}

/// Why a namespace is listened to no more although connections from before are left in it.
#[derive(Debug, Error)]
enum GivenUp {
    #[error("{0} TCP sockets closed in {1} s")]
    Flood(u64, u64),
    #[error("notices came faster than they were read")]
    Overrun,
    #[error(transparent)]
    Failed(SubscriptionError),
}

type Deliver = Arc<dyn Fn(Vec<Farewell>) -> bool + Send + Sync>;

/// The loop's handle on the reading thread, which is started when first needed.
pub struct Farewells {
    deliver: Deliver,
    ear: Option<Ear>,
}

impl Farewells {
    /// Will hand what is heard to `deliver`, on the reading thread, until that answers false. It may block:
    /// notices wait in the kernel meanwhile.
    pub fn new(deliver: impl Fn(Vec<Farewell>) -> bool + Send + Sync + 'static) -> Self {
        Self { deliver: Arc::new(deliver), ear: None }
    }

    /// From now on hears of these sockets; also of those that ended after `subscription` was opened.
    /// Does nothing if no connection is wanted.
    pub fn watch(&mut self, netns: u64, subscription: Subscription, wanted: Wanted) {
        if wanted.flows.is_empty() {
            return;
        }
        if self.ear.is_none() {
            match Ear::start(Arc::clone(&self.deliver)) {
                Ok(ear) => self.ear = Some(ear),
                Err(error) => {
                    tracing::warn!(%error, "ends of connections from before are only found by asking");
                    return;
                }
            }
        }
        let since = Instant::now();
        self.tell(Command::Watch(Box::new(Watched { netns, subscription, wanted, uninteresting: 0, since })));
    }

    /// Forgets connections that are not among these, and leaves namespaces in which none is left.
    pub fn keep(&self, flows: &Arc<HashSet<u64>>) {
        self.tell(Command::Keep(Arc::clone(flows)));
    }

    fn tell(&self, command: Command) {
        if let Some(ear) = &self.ear {
            ear.tell(command);
        }
    }
}

enum Command {
    Watch(Box<Watched>),
    Keep(Arc<HashSet<u64>>),
    End,
}

/// The loop's end of the thread; dropping it ends the thread.
struct Ear {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
}

impl Ear {
    fn start(deliver: Deliver) -> std::io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (commands, inbox) = channel();
        let reader =
            Reader { inbox, wake: Arc::clone(&wake), watched: Vec::new(), buffer: Vec::new(), given_up: 0 };
        std::thread::Builder::new().name("farewells".to_owned()).spawn(move || reader.run(&deliver))?;
        Ok(Self { commands, wake })
    }

    fn tell(&self, command: Command) {
        // A reader that is gone has given up everything; a counter that is full wakes as well.
        let _ = self.commands.send(command);
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.tell(Command::End);
    }
}

/// A namespace that is listened to.
struct Watched {
    netns: u64,
    subscription: Subscription,
    wanted: Wanted,
    /// Notices of no interest since `since`.
    uninteresting: u64,
    since: Instant,
}

impl Watched {
    /// Reads what is there.
    fn read(&mut self, buffer: &mut Vec<u8>, out: &mut Vec<Farewell>) -> Result<(), GivenUp> {
        let Wanted { flows, listeners } = &mut self.wanted;
        let mut uninteresting = 0;
        let taken = self.subscription.read(
            buffer,
            BATCH,
            |cookie| {
                let wanted = flows.remove(&cookie) || listeners.remove(&cookie);
                uninteresting += u64::from(!wanted);
                wanted
            },
            out,
        );
        self.uninteresting += uninteresting;
        taken.map_err(|error| if error.is_overrun() { GivenUp::Overrun } else { GivenUp::Failed(error) })?;
        self.weigh(Instant::now())
    }

    /// Gives up if it is not worth it.
    fn weigh(&mut self, now: Instant) -> Result<(), GivenUp> {
        let passed = now.saturating_duration_since(self.since);
        if passed < WINDOW {
            return Ok(());
        }
        let seconds = passed.as_secs();
        let count = std::mem::take(&mut self.uninteresting);
        self.since = now;
        if count > RATE.saturating_mul(seconds) { Err(GivenUp::Flood(count, seconds)) } else { Ok(()) }
    }
}

struct Reader {
    inbox: Receiver<Command>,
    wake: Arc<OwnedFd>,
    watched: Vec<Watched>,
    buffer: Vec<u8>,
    /// Namespaces given up so far.
    given_up: u64,
}

impl Reader {
    fn run(mut self, deliver: &Deliver) {
        loop {
            if let Err(error) = self.wait() {
                tracing::warn!(%error, "ends of connections from before are only found by asking");
                return;
            }
            let mut heard = Vec::new();
            if !self.obey(&mut heard) {
                return;
            }
            for at in (0..self.watched.len()).rev() {
                self.read(at, &mut heard);
            }
            if !heard.is_empty() && !deliver(heard) {
                return;
            }
        }
    }

    /// Returns when there is something to do, and more may have come.
    fn wait(&self) -> rustix::io::Result<()> {
        let mut fds: Vec<PollFd<'_>> = self
            .watched
            .iter()
            .map(|watched| watched.subscription.as_fd())
            .chain([self.wake.as_fd()])
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep(NAP);
        Ok(())
    }

    /// Does what was told; false if that is to end.
    fn obey(&mut self, heard: &mut Vec<Farewell>) -> bool {
        // Taken back before the commands are looked at, so that none is overlooked.
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Watch(mut new) => {
                    // Only the new one has all notices since its sockets were listed. What the old one has
                    // read may be missing there.
                    if let Some(at) = self.watched.iter().position(|old| old.netns == new.netns)
                        && self.read(at, heard)
                    {
                        let old = self.watched.swap_remove(at);
                        new.wanted.flows.extend(old.wanted.flows);
                        new.wanted.listeners.extend(old.wanted.listeners);
                    }
                    self.watched.push(*new);
                }
                Command::Keep(flows) => self.watched.retain_mut(|watched| {
                    watched.wanted.flows.retain(|cookie| flows.contains(cookie));
                    !watched.wanted.flows.is_empty()
                }),
                Command::End => return false,
            }
        }
        true
    }

    /// Reads from one namespace, and leaves it if there is nothing left to hear or it is given up; true if it
    /// is still listened to.
    fn read(&mut self, at: usize, heard: &mut Vec<Farewell>) -> bool {
        let watched = &mut self.watched[at];
        let read = watched.read(&mut self.buffer, heard);
        if !watched.wanted.flows.is_empty() {
            let Err(reason) = read else { return true };
            self.given_up += 1;
            tracing::warn!(
                netns = watched.netns,
                %reason,
                given_up = self.given_up,
                "ends of connections from before are only found by asking in this network namespace"
            );
        }
        self.watched.swap_remove(at);
        false
    }
}
