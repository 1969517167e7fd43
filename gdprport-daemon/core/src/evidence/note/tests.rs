//! Notes that are signed, changed and malformed.

use proptest::prelude::*;

use super::*;

/// The example of the specification (C2SP signed-note).
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fn key(name: &str, secret: u8) -> SecretKey {
    SecretKey::new(KeyName::new(name).expect("a name"), &[secret; 32])
}

#[test]
fn the_example_of_the_specification_is_verified() {
    let note = Note::parse(EXAMPLE.as_bytes()).expect("a note");
    let key: PublicKey = EXAMPLE_KEY.parse().expect("a key");
    assert_eq!(note.verified(&[key]), Ok("This is an example message.\n"));
    assert_eq!(note.to_string(), EXAMPLE);
}

#[test]
fn a_changed_text_is_not_accepted() {
    let changed = EXAMPLE.replace("an example", "no example");
    let note = Note::parse(changed.as_bytes()).expect("a note");
    assert_eq!(note.verified(&[EXAMPLE_KEY.parse().expect("a key")]), Err(Unsigned::Wrong));
}

#[test]
fn a_signature_of_an_unknown_key_is_passed_over() {
    let (own, other) = (key("host", 1), key("witness", 2));
    let note = Note::sign("text\n".into(), &[&other, &own]);
    assert_eq!(note.verified(&[own.public().clone()]), Ok("text\n"));
    assert_eq!(note.verified(&[key("host", 3).public().clone()]), Err(Unsigned::Unknown));
    assert_eq!(note.verified(&[]), Err(Unsigned::Unknown));
}

#[test]
fn a_wrong_signature_of_a_known_key_spoils_a_right_one() {
    let own = key("host", 1);
    let good = Note::sign("text\n".into(), &[&own]);
    let mut spoiled = good.clone();
    spoiled.signatures.push(NoteSignature { signature: vec![0; 64], ..good.signatures[0].clone() });
    assert_eq!(spoiled.verified(&[own.public().clone()]), Err(Unsigned::Wrong));
    spoiled.signatures[1].signature.pop();
    assert_eq!(spoiled.verified(&[own.public().clone()]), Err(Unsigned::Wrong), "too short");
}

#[test]
fn a_second_signature_is_added_once() {
    let (own, other) = (key("host", 1), key("witness", 2));
    let mut note = Note::sign("text\n".into(), &[&own]);
    let cosigned = Note::sign("text\n".into(), &[&own, &other]);
    note.join(&cosigned);
    note.join(&cosigned);
    note.join(&Note::sign("another\n".into(), &[&key("third", 3)]));
    assert_eq!(note, cosigned);
    assert_eq!(note.verified(&[other.public().clone()]), Ok("text\n"));
}

#[test]
fn a_text_may_have_empty_lines() {
    let own = key("host", 1);
    let note = Note::sign("a\n\nb\n".into(), &[&own]);
    let read = Note::parse(note.to_string().as_bytes()).expect("a note");
    assert_eq!(read.verified(&[own.public().clone()]), Ok("a\n\nb\n"));
}

#[test]
fn what_is_no_note_says_why() {
    let long = format!("{}\n\n{}", "x".repeat(NOTE_BYTES_MAX), &EXAMPLE[29..]);
    let many = format!("a\n\n{}", "\u{2014} a AAAAAAA=\n".repeat(SIGNATURES_MAX + 1));
    for (bytes, error) in [
        (long.as_bytes(), NoteError::TooLong),
        (many.as_bytes(), NoteError::TooLong),
        (b"\xff\n\n", NoteError::NotText),
        (b"a\tb\n\n", NoteError::NotText),
        (b"", NoteError::Form),
        (b"text\n", NoteError::Form),
        (b"text\n\n", NoteError::Form),
        (EXAMPLE.trim_end().as_bytes(), NoteError::Form),
        (EXAMPLE.replace('\u{2014}', "-").as_bytes(), NoteError::Form),
        ("a\n\n\u{2014} a\n".as_bytes(), NoteError::Signature),
        ("a\n\n\u{2014} a AAAAAA==\n".as_bytes(), NoteError::Signature),
        ("a\n\n\u{2014} a+b AAAAAAA=\n".as_bytes(), NoteError::Signature),
    ] {
        assert_eq!(
            Note::parse(bytes),
            Err(error),
            "{}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        );
    }
}

#[test]
fn notes_behind_each_other_are_divided() {
    let own = key("host", 1);
    let notes =
        ["a\n", "b\nc\n", "d\n"].map(|text| Note::sign(text.into(), &[&own, &key("x", 2)]).to_string());
    let divided: Vec<String> = super::divided(notes.concat().as_bytes())
        .map(|note| String::from_utf8_lossy(note).into_owned())
        .collect();
    assert_eq!(divided, notes);
    assert_eq!(super::divided(b"").count(), 0);
    let torn = &notes.concat()[..notes[0].len() + 5];
    assert_eq!(super::divided(torn.as_bytes()).last(), Some(&b"b\nc\n\n"[..]));
}

proptest! {
    #[test]
    fn divided_notes_are_all_of_the_bytes(text in "(a|\n|\u{2014} ){0,40}") {
        let divided: Vec<u8> = super::divided(text.as_bytes()).flatten().copied().collect();
        prop_assert_eq!(divided, text.as_bytes());
    }

    #[test]
    fn any_bytes_are_a_note_or_none(text in "(\\PC|\n|\u{2014} a AAAAAAA=\n){0,12}") {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn a_signed_note_is_read_as_it_was_written(text in "([ -~]{0,12}\n){1,5}", secret: u8) {
        let own = key("example.org/log", secret);
        let note = Note::sign(text.clone(), &[&own]);
        let read = Note::parse(note.to_string().as_bytes()).expect("a note");
        prop_assert_eq!(read.verified(&[own.public().clone()]), Ok(text.as_str()));
    }
}
