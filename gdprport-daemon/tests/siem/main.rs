//! What `packaging/siem` promises to receivers, held against records of every kind.
//!
//! Belongs here: what needs the programs of receivers, or their own rules. What holds for an encoding alone is in the core.

mod configs;
mod elastic;
mod records;
mod sigma;
mod splunk;
