//! What people see: the command line and what it prints.

pub mod lines;
