//! Answers and notices of sock_diag.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_daemon::hostile::netlink(data));
