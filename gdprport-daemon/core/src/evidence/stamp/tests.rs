//! Answers of `openssl ts`, and of signers that should have signed none, as files beside this one: for the note `note.txt` and the
//! nonce 0x4102030405060708. `trusted.pem` is the root of all of them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

const NOTE: &[u8] = include_bytes!("fixtures/note.txt");
const TRUSTED: &[u8] = include_bytes!("fixtures/trusted.pem");
const P256: &[u8] = include_bytes!("fixtures/p256.tsr");

/// With the signer's certificate once, where `openssl ts` has it twice.
const ONE: &[u8] = include_bytes!("fixtures/keyid.tsr");

fn trusted() -> Authorities {
    Authorities::from_pem(TRUSTED).expect("a certificate")
}

fn request() -> StampRequest {
    StampRequest::new(NOTE, 0x4102_0304_0506_0708)
}

#[rstest]
#[case::rsa_2048_by_an_issuer(include_bytes!("fixtures/rsa.tsr"), "Test rsa", 1_500_100)]
#[case::ecdsa_p256(P256, "Test p256", 0)]
#[case::ecdsa_p384_named_by_sha1(include_bytes!("fixtures/p384.tsr"), "Test p384", 0)]
#[case::a_signer_named_by_its_key(ONE, "Test p256", 0)]
fn an_answer_of_a_trusted_authority_is_one(
    #[case] answer: &[u8],
    #[case] authority: &str,
    #[case] micros: i64,
) {
    let stamp = stamped(NOTE, answer, &trusted()).expect("a timestamp");
    assert_eq!((&*stamp.authority, stamp.accuracy), (authority, SignedDuration::from_micros(micros)));
    assert_eq!(stamp.time.to_string().get(..10), Some("2026-11-30"));
    assert_eq!(answered(&request(), answer, &trusted(), stamp.time), Ok(stamp));
}

#[rstest]
#[case::refused(include_bytes!("fixtures/refused.tsr"), "the authority refused: the digest is not supported there; it said: Message digest algorithm is not supported.")]
#[case::not_for_timestamps(include_bytes!("fixtures/plain.tsr"), "is not for timestamps alone")]
#[case::for_timestamps_not_bindingly(include_bytes!("fixtures/loose.tsr"), "is not for timestamps alone")]
#[case::for_something_else_too(include_bytes!("fixtures/both.tsr"), "is not for timestamps alone")]
#[case::expired_by_then(include_bytes!("fixtures/expired.tsr"), "had expired then")]
#[case::not_valid_yet(include_bytes!("fixtures/future.tsr"), "was not valid yet then")]
#[case::of_another_certificate(include_bytes!("fixtures/renamed.tsr"), "the certificate that its signature names is not in it")]
#[case::of_no_certificate(include_bytes!("fixtures/unnamed.tsr"), "its signed attributes cannot be read")]
#[case::nothing(b"", "its frame cannot be read")]
#[case::a_page(b"<html>502</html>", "its frame cannot be read")]
fn whatever_is_none_says_why(#[case] answer: &[u8], #[case] why: &str) {
    let error = stamped(NOTE, answer, &trusted()).expect_err("none").to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn only_who_is_trusted_may_stamp() {
    let other = Authorities::from_pem(include_bytes!("fixtures/other.pem")).expect("a certificate");
    let error = stamped(NOTE, P256, &other).expect_err("another root").to_string();
    assert!(error.contains("does not lead to one that is trusted"), "{error}");
    let both = [TRUSTED, include_bytes!("fixtures/other.pem")].concat();
    assert!(stamped(NOTE, P256, &Authorities::from_pem(&both).expect("two")).is_ok());
    for (pem, why) in [
        (&b""[..], AuthoritiesError::Empty),
        (NOTE, AuthoritiesError::Empty),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", AuthoritiesError::NoPem),
    ] {
        assert_eq!(Authorities::from_pem(pem).map(|_| ()), Err(why));
    }
}

#[test]
fn an_answer_is_of_one_note_and_one_request() {
    assert_eq!(stamped(b"another", P256, &trusted()), Err(StampError::Imprint));
    let now = stamped(NOTE, P256, &trusted()).expect("a timestamp").time;
    let other = StampRequest::new(NOTE, 1);
    assert_eq!(answered(&other, P256, &trusted(), now), Err(StampError::Nonce));
    let of_another_note = StampRequest::new(b"another", 0x4102_0304_0506_0708);
    assert_eq!(answered(&of_another_note, P256, &trusted(), now), Err(StampError::Imprint));
}

#[test]
fn the_clocks_of_host_and_authority_agree() {
    let time = stamped(NOTE, P256, &trusted()).expect("a timestamp").time;
    let at = |now: Timestamp| answered(&request(), P256, &trusted(), now).is_ok();
    for off in [CLOCK_TOLERANCE, -CLOCK_TOLERANCE] {
        assert!(at(time + off));
        assert!(!at(time + off * 2));
    }
}

#[test]
fn no_part_of_an_answer_is_one() {
    let trusted = trusted();
    for end in 0..P256.len() {
        assert!(stamped(NOTE, &P256[..end], &trusted).is_err(), "{end} bytes");
    }
    let longer = [P256, b"\0"].concat();
    assert!(stamped(NOTE, &longer, &trusted).is_err());
    assert_eq!(stamped(NOTE, &vec![0x30; ANSWER_BYTES_MAX + 1], &trusted), Err(StampError::TooLong));
}

#[test]
fn a_changed_bit_is_found_or_means_nothing() {
    let trusted = trusted();
    let good = stamped(NOTE, ONE, &trusted).expect("a timestamp");
    let mut unnoticed = 0;
    for at in 0..ONE.len() {
        let mut answer = ONE.to_vec();
        answer[at] ^= 1 << (at % 8);
        if let Ok(stamp) = stamped(NOTE, &answer, &trusted) {
            assert_eq!(stamp, good, "byte {at}");
            unnoticed += 1;
        }
    }
    // Versions, and the list of digests that nobody signs.
    assert!(unnoticed < 32, "{unnoticed}");
}

#[test]
fn a_request_is_what_openssl_asks() {
    let request = request().der();
    assert_eq!(request.len(), 69);
    assert_eq!(request[..2], [0x30, 67]);
    let nonces = [0, u64::MAX].map(|random| StampRequest::new(NOTE, random).nonce[0]);
    assert_eq!(nonces, [0x40, 0x7f], "positive, and always as long");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        at in 0_usize..1_688, more in prop::collection::vec(any::<u8>(), 0..40), length in 0_usize..60,
    ) {
        let mut answer = P256.to_vec();
        let end = (at + length).min(answer.len());
        answer.splice(at..end, more);
        let trusted = trusted();
        let changed = answer != P256;
        if let Ok(stamp) = stamped(NOTE, &answer, &trusted) {
            prop_assert_eq!(stamp.authority, "Test p256");
        } else {
            prop_assert!(changed);
        }
    }
}
