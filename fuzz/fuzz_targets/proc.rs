//! What `/proc` and its like say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::proc(data));
