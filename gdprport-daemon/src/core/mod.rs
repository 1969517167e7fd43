//! The pure core: no I/O, no clock (time is an argument), no tokio, no aya.

pub mod catalog;
pub mod model;
pub mod policy;
pub mod verdict;
