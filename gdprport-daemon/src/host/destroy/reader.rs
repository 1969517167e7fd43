//! The thread that reads the notices of all watched network namespaces, and the event loop's handle on it.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::notice::DestroyNotice;
use super::subscription::Subscription;
use super::watched::{WantedSockets, WatchedNetns};
use crate::host::confine::{self, Role};

/// How long the reader waits for more before it reads: the latency added to an end.
const NAP: Duration = Duration::from_millis(10);

type Deliver = Arc<dyn Fn(Vec<DestroyNotice>) -> bool + Send + Sync>;

/// The event loop's handle on the reading thread, which is started when first needed.
pub(crate) struct DestroyNotices {
    deliver: Deliver,
    reader: Option<ReaderHandle>,
}

impl DestroyNotices {
    /// Will pass notices to `deliver`, on the reading thread, until that returns false. It may block: notices
    /// wait in the kernel meanwhile.
    pub(crate) fn new(deliver: impl Fn(Vec<DestroyNotice>) -> bool + Send + Sync + 'static) -> Self {
        Self { deliver: Arc::new(deliver), reader: None }
    }

    /// From now on delivers the ends of these sockets, also of those that ended after `subscription` was opened.
    /// Does nothing if no connection is wanted.
    pub(crate) fn watch(&mut self, netns: u64, subscription: Subscription, wanted: WantedSockets) {
        if wanted.flows.is_empty() {
            return;
        }
        if self.reader.is_none() {
            match ReaderHandle::start(Arc::clone(&self.deliver)) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => {
                    tracing::warn!(%error, "ends of existing connections are only found by polling");
                    return;
                }
            }
        }
        self.send(ReaderCommand::Watch(Box::new(WatchedNetns::new(netns, subscription, wanted))));
    }

    /// Forgets connections that are not among these, and leaves namespaces in which none remains.
    pub(crate) fn retain(&self, flows: &Arc<HashSet<u64>>) {
        self.send(ReaderCommand::Retain(Arc::clone(flows)));
    }

    fn send(&self, command: ReaderCommand) {
        if let Some(reader) = &self.reader {
            reader.send(command);
        }
    }
}

/// The loop's end of the thread; dropping it ends the thread.
struct ReaderHandle {
    commands: Sender<ReaderCommand>,
    wake: Arc<OwnedFd>,
}

impl ReaderHandle {
    fn start(deliver: Deliver) -> std::io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (commands, inbox) = channel();
        let reader = Reader::new(inbox, Arc::clone(&wake));
        std::thread::Builder::new().name("destroy-notices".to_owned()).spawn(move || {
            confine::enter(Role::Closed);
            reader.run(&deliver);
        })?;
        Ok(Self { commands, wake })
    }

    fn send(&self, command: ReaderCommand) {
        // A reader that is gone has given up everything; a counter that is full wakes as well.
        let _ = self.commands.send(command);
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for ReaderHandle {
    fn drop(&mut self) {
        self.send(ReaderCommand::End);
    }
}

/// What the event loop wants of the reader.
pub(super) enum ReaderCommand {
    Watch(Box<WatchedNetns>),
    Retain(Arc<HashSet<u64>>),
    End,
}

pub(super) struct Reader {
    inbox: Receiver<ReaderCommand>,
    wake: Arc<OwnedFd>,
    pub(super) watched: Vec<WatchedNetns>,
    buffer: Vec<u8>,
    /// Namespaces given up so far.
    pub(super) given_up: u64,
}

impl Reader {
    pub(super) const fn new(inbox: Receiver<ReaderCommand>, wake: Arc<OwnedFd>) -> Self {
        Self { inbox, wake, watched: Vec::new(), buffer: Vec::new(), given_up: 0 }
    }

    pub(super) fn run(mut self, deliver: &Deliver) {
        loop {
            if let Err(error) = self.wait() {
                tracing::warn!(%error, "ends of existing connections are only found by polling");
                return;
            }
            let mut notices = Vec::new();
            if !self.execute_commands(&mut notices) {
                return;
            }
            for at in (0..self.watched.len()).rev() {
                self.read(at, &mut notices);
            }
            if !notices.is_empty() && !deliver(notices) {
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

    /// Returns false after the command to end.
    pub(super) fn execute_commands(&mut self, notices: &mut Vec<DestroyNotice>) -> bool {
        // Reset before the commands are read, so that none is overlooked.
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                ReaderCommand::Watch(mut new) => {
                    // Only the new subscription has all notices since its sockets were listed. It may lack what
                    // the old one has read.
                    if let Some(at) = self.watched.iter().position(|old| old.netns == new.netns)
                        && self.read(at, notices)
                    {
                        let old = self.watched.swap_remove(at);
                        new.wanted.flows.extend(old.wanted.flows);
                        new.wanted.listeners.extend(old.wanted.listeners);
                    }
                    self.watched.push(*new);
                }
                ReaderCommand::Retain(flows) => self.watched.retain_mut(|watched| {
                    watched.wanted.flows.retain(|cookie| flows.contains(cookie));
                    !watched.wanted.flows.is_empty()
                }),
                ReaderCommand::End => return false,
            }
        }
        true
    }

    /// Reads from one namespace, and leaves it if no connection remains in it or it is given up; true if it is
    /// still watched.
    pub(super) fn read(&mut self, at: usize, notices: &mut Vec<DestroyNotice>) -> bool {
        let watched = &mut self.watched[at];
        let read = watched.read(&mut self.buffer, notices);
        if !watched.wanted.flows.is_empty() {
            let Err(reason) = read else { return true };
            self.given_up += 1;
            tracing::warn!(
                netns = watched.netns,
                %reason,
                given_up = self.given_up,
                "ends of existing connections are only found by polling in this network namespace"
            );
        }
        self.watched.swap_remove(at);
        false
    }
}
