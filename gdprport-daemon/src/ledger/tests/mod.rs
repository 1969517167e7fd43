//! Promises of the ledger on disk.

mod bad_days;
mod corruption;
mod damaged;
mod findings;
mod kill;
mod measure;
mod migrated;
mod peers;
mod permissions;
mod readers;
mod retention;
mod roundtrip;
mod runs;
mod samples;
mod scene;
mod volumes;
