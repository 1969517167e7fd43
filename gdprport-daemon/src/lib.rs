//! The library behind the one binary, `gdprport`. Layers and what each may use: `ARCHITECTURE.md`.

mod app;
mod control;
mod deliver;
mod host;
mod ledger;
mod report;
mod sink;
pub mod ui;

/// What the benches measure.
#[doc(hidden)]
pub mod measured {
    pub use crate::app::monitor::{Evidence, Input, Monitor, Publisher};
    pub use crate::deliver::Sent;
    pub use crate::host::cgroup::Mounts;
    pub use crate::host::clock::BootClock;
    pub use crate::host::process::{Resolver, Roots, TaskLookup};
    pub use crate::host::sockets::{Head, PortSet, Rows, read_replies};
    pub use crate::ledger::{Asked, Written};
    pub use crate::sink::evidence::{Found, Handed, Logged, verified};
    pub use crate::sink::{DEFAULT_CAPACITY, Fanout, Sink};
}

/// What must hold for any bytes: the fuzzer's targets. Those of the core are `gdprport_core::hostile`.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod hostile {
    pub use crate::control::client::hostile::reply;
    pub use crate::control::server::hostile::request;
    pub use crate::deliver::hostile::answer as receiver;
    pub use crate::host::hostile::{netlink, proc};
    pub use crate::ledger::hostile::ledger;
    pub use crate::sink::hostile::event;
    pub use crate::sink::spool::hostile::spool;
}
