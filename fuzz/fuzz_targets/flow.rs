//! Sequences of records about flows: the counters of the table.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::flow(data));
