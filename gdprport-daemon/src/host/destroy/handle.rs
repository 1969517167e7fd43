//! The event loop's handle on the reading thread.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use rustix::event::{EventfdFlags, eventfd};

use super::notice::DestroyNotice;
use super::reader::{Deliver, Reader, ReaderCommand};
use super::subscription::Subscription;
use super::watched::{WantedSockets, WatchedNetns};

/// The event loop's handle on the reading thread, which is started when first needed.
pub struct DestroyNotices {
    deliver: Deliver,
    reader: Option<ReaderHandle>,
}

impl DestroyNotices {
    /// Will pass notices to `deliver`, on the reading thread, until that returns false. It may block: notices
    /// wait in the kernel meanwhile.
    pub fn new(deliver: impl Fn(Vec<DestroyNotice>) -> bool + Send + Sync + 'static) -> Self {
        Self { deliver: Arc::new(deliver), reader: None }
    }

    /// From now on delivers the ends of these sockets, also of those that ended after `subscription` was opened.
    /// Does nothing if no connection is wanted.
    pub fn watch(&mut self, netns: u64, subscription: Subscription, wanted: WantedSockets) {
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
    pub fn retain(&self, flows: &Arc<HashSet<u64>>) {
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
        std::thread::Builder::new().name("destroy-notices".to_owned()).spawn(move || reader.run(&deliver))?;
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
