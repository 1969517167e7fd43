//! The first bytes of flows, whatever their protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::posture(data));
