//! Promises that need the loop's parts together: the monitor, the keeper, and a ledger on disk.

mod given_back;
mod overload;
mod picture;
mod resets;
mod truth;
mod world;
