//! TLS handshakes and certificates, alone and inside an upgrade.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::tls(data));
