//! Promises of the ledger on disk.

mod roundtrip;
mod samples;
