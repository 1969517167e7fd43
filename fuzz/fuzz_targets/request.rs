//! What clients send to the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::request(data));
