//! What a time-stamping authority answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::stamp(data));
