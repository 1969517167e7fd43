//! Text from outside in events and in journal records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::event(data));
