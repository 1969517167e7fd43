//! The pure core: no I/O, no clock (time is an argument), no tokio, no aya.

pub mod identity;
pub mod model;
pub mod placement;
pub mod verdict;
