//! The thread that makes tables and writes them, and removes those that nobody reads any more.
//!
//! Belongs here: what it is ordered to do, and what it reports. It never changes what is in force, so that the order of its work is the
//! loop's. It begins with the first order: where no policy has a mode there is none.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;

use gdprport_core::enforce::{Clock, Fingerprint, Grown, Known, lower};
use gdprport_core::policy::ActivePolicy;
use tokio::sync::mpsc;

use crate::host::confine::{self, Role};
use crate::host::probes::{EnforceError, EnforceTables, LoadError, Stop};

/// Why no tables are in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotInForce {
    #[error(transparent)]
    TooLarge(#[from] gdprport_core::enforce::TooLarge),
    #[error(transparent)]
    Kernel(#[from] EnforceError),
    #[error("{0}")]
    Braked(String),
    #[error("the thread that writes the kernel's tables cannot work: {0}")]
    Thread(String),
}

impl From<LoadError> for NotInForce {
    fn from(error: LoadError) -> Self {
        Self::Kernel(error.into())
    }
}

/// What tables are made of.
pub(super) struct Make {
    pub policy: ActivePolicy,
    pub known: Known,
    pub clock: Clock,
    pub fingerprint: Fingerprint,
    pub generation: u32,
}

/// What is to be done: removing first, as it makes room.
pub(super) struct Order {
    /// Generations that may be in force. The rows of all others go.
    pub keep: [u32; 2],
    pub make: Option<Box<Make>>,
}

/// What became of an order.
pub(in crate::app) struct Done {
    pub(super) removed: Result<(), LoadError>,
    /// Tables that were written, and may be put in force.
    pub(super) made: Option<Result<Box<Grown>, NotInForce>>,
}

/// The thread. It has one order at a time.
pub(super) struct TableThread {
    tables: Option<EnforceTables>,
    stop: Arc<Stop>,
    done: mpsc::Sender<Done>,
    orders: Option<std_mpsc::Sender<Order>>,
}

impl TableThread {
    /// None is there yet. What it does is sent to `done`, which has room for one.
    pub(super) fn new(tables: EnforceTables, done: mpsc::Sender<Done>) -> Self {
        Self { stop: tables.stop(), tables: Some(tables), done, orders: None }
    }

    /// Whether it was ever ordered to do something.
    pub(super) const fn has_begun(&self) -> bool {
        self.orders.is_some()
    }

    /// Has it do this.
    pub(super) fn order(&mut self, order: Order) -> Result<(), NotInForce> {
        let gone = |why: &dyn ToString| NotInForce::Thread(why.to_string());
        if self.orders.is_none() {
            let tables = self.tables.take().ok_or_else(|| gone(&"it could not be started before"))?;
            let (to, orders) = std_mpsc::channel();
            start(tables, orders, self.done.clone()).map_err(|error| gone(&error))?;
            self.orders = Some(to);
        }
        let sent = self.orders.as_ref().map(|to| to.send(order));
        sent.and_then(Result::ok).ok_or_else(|| gone(&"it has ended"))
    }
}

/// It writes nothing any more: the next daemon must not find it at work on pinned maps.
impl Drop for TableThread {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn start(
    mut tables: EnforceTables,
    orders: std_mpsc::Receiver<Order>,
    done: mpsc::Sender<Done>,
) -> io::Result<()> {
    let work = move || {
        confine::enter(Role::Tables);
        for order in orders {
            let makes = order.make.is_some();
            let followed = catch_unwind(AssertUnwindSafe(|| follow(order, &mut tables)));
            // The loop waits for a reply, whatever happens.
            let followed = followed.unwrap_or_else(|_| Done {
                removed: Ok(()),
                made: makes.then(|| Err(NotInForce::Thread("it has panicked".to_owned()))),
            });
            // A loop that has ended takes no more.
            if done.blocking_send(followed).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("tables".to_owned()).spawn(work).map(drop)
}

fn follow(order: Order, tables: &mut EnforceTables) -> Done {
    let Order { keep, make } = order;
    let removed = tables.remove_others(&keep);
    let made = make.map(|make| {
        let Make { policy, known, clock, fingerprint, generation } = *make;
        let (rows, grown) = lower(&policy, &known, clock, fingerprint, generation)?;
        tables.write(generation, &rows)?;
        Ok(Box::new(grown))
    });
    Done { removed, made }
}
