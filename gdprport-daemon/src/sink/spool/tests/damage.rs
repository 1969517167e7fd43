//! Promises about bytes that are not what was written.

use proptest::prelude::*;

use crate::sink::spool::hostile::spool;
use gdprport_core::hostile::seeds::seeds;

/// Three segments have some 1,100 bytes.
const BYTES: u32 = 1_400;

#[test]
fn every_seed_of_a_spool_holds_the_assertions() {
    seeds("spool", spool);
}

#[test]
fn a_spool_that_is_cut_at_any_byte_is_read_up_to_there() {
    for file in 0..3_u8 {
        for at in 0..550_u16 {
            let [high, low] = at.to_be_bytes();
            spool(&[2, file, high, low]);
        }
    }
}

#[test]
fn any_byte_that_changes_costs_no_record_before_it() {
    for at in 0..BYTES {
        let [_, high, middle, low] = at.to_be_bytes();
        spool(&[1, high, middle, low, [0x00, 0x5a, 0xff][at as usize % 3]]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_as_a_segment_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        spool(&[&[0], &bytes[..]].concat());
    }

    #[test]
    fn many_bytes_that_change_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 4..64)) {
        spool(&[&[1], &bytes[..]].concat());
    }
}
