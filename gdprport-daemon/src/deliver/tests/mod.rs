//! Promises of the deliverer's engine, with a spool that is written here and receivers in memory.

mod losses;
mod scene;
mod sending;
mod whole;
