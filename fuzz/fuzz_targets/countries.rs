//! The file of countries that a controller names.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::countries(data));
