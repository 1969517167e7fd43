//! Records of the ring buffer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::record(data));
