//! The answers of a time-stamping authority, or of whoever stands in its place.

use crate::evidence::{Authorities, StampError, stamped};

const NOTE: &[u8] = include_bytes!("../evidence/stamp/fixtures/note.txt");
const TRUSTED: &[u8] = include_bytes!("../evidence/stamp/fixtures/trusted.pem");

/// An answer is a timestamp by a trusted authority, or what is wrong is said within bounds. Bytes in PEM name authorities or none.
///
/// # Panics
/// If not.
pub fn stamp(bytes: &[u8]) {
    let trusted = Authorities::from_pem(TRUSTED).expect("a certificate");
    match stamped(NOTE, bytes, &trusted) {
        Ok(stamp) => assert!(stamp.authority.starts_with("Test "), "{}", stamp.authority),
        Err(error) => {
            let said = error.to_string();
            assert!(said.chars().count() < 700 && !said.contains(|c: char| c.is_control()), "{said}");
            if let StampError::Refused(why) = error {
                assert!(!why.is_empty());
            }
        }
    }
    if let Err(error) = Authorities::from_pem(bytes) {
        assert!(!error.to_string().contains(|c: char| c.is_control()));
    }
}
