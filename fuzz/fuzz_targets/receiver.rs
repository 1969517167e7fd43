//! What a receiver of events may answer to the deliverer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::receiver(data));
