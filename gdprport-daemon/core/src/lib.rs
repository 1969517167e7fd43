//! The pure core: no I/O, no clock (time is an argument), no tokio, no aya.

pub mod audit;
pub mod catalog;
pub mod cgroup_path;
pub mod community_id;
pub mod conntrack;
pub mod container;
pub mod counters;
pub mod countries;
pub mod decode;
pub mod delivery;
mod departed;
pub mod encode;
pub mod event;
pub mod executed;
pub mod figures;
pub mod flow;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod hostile;
pub mod identity;
pub mod inventory;
pub mod learn;
pub mod ledger;
pub mod listener;
pub mod model;
pub mod overload;
pub mod policy;
pub mod posture;
pub mod privacy;
pub mod records;
pub mod replay;
pub mod sensor;
pub mod shared;
pub mod suppress;
pub mod text;
pub mod verdict;
pub mod volume;
pub mod written;
