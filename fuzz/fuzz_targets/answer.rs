//! What the command line may hear from a control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::reply(data));
