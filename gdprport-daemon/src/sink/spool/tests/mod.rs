//! Promises of the spool.

mod damage;
mod reading;
