//! Entries of the kernel side's maps of groups.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gdprport_core::hostile::group(data));
