//! Promises about unusual hours.

mod any;
mod figures;
mod ports;
mod random;
mod score;
mod simple;
