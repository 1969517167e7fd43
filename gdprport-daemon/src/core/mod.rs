//! The pure core: no I/O, no clock (time is an argument), no tokio, no aya.

pub mod decode;
pub mod model;
pub mod verdict;
