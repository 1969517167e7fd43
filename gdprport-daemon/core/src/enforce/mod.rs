//! What the kernel decides connections by: the policy as plain tables, and the algorithm that reads them.
//!
//! Belongs here: lowering the policy of the ports with a mode (`lower`: `parts` gives values of an identity their classes,
//! `alike` finds peers that the same rules name, `rules` puts rules into buckets, `peers` says which buckets an address reaches), the tables (`tables`) within their
//! bounds, `grown`, which adds what becomes known while they are in use, and `decide`, which reads them as a kernel program
//! can: by look-ups, in bounded steps. Layouts are `gdprport_common`'s. Writing the tables, and looking at the host, is the
//! daemon's.
//!
//! What the tables say is what the evaluator (`crate::policy`) says at that moment of the same facts, but for one thing: the
//! kernel may know less, and then says *unknown*, never anything else.

mod alike;
mod decide;
mod fingerprint;
mod grown;
mod guarded;
mod known;
mod lower;
mod parts;
mod peers;
mod rules;
mod tables;

pub use decide::{Caller, Decided, Decision, Executable, Interpreter};
pub use fingerprint::Fingerprint;
pub use grown::{Added, Grown};
pub use known::{Cgroup, Clock, Known};
pub use lower::{expected, lower};
pub use tables::{Tables, TooLarge};
