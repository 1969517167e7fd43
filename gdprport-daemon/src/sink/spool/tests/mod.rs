//! Promises of the spool.

mod bad_days;
mod damage;
mod measure;
mod reading;
