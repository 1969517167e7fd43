//! The pure core: no I/O, no clock (time is an argument), no tokio, no aya.

pub mod catalog;
pub mod community_id;
pub mod decode;
pub mod emit;
pub mod event;
pub mod flow;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod hostile;
pub mod identity;
pub mod model;
pub mod placement;
pub mod policy;
pub mod posture;
pub mod verdict;
