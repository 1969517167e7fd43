//! Promises of a pack that is signed, and of its checkpoints.

use gdprport_core::evidence::{self as log, Checkpoint, Note, SecretKey};
use gdprport_core::frameworks::Framework;
use jiff::Timestamp;

use super::super::Signature;
use super::super::manifest::{CHECKPOINTS, MANIFEST, ROTATIONS, SIGNATURE};
use super::{Made, checked, checkpoint, key, text, there};

/// Files with another text in one of them.
pub(super) fn replaced(
    files: &[(String, String)],
    name: &str,
    from: &str,
    to: &str,
) -> Vec<(String, String)> {
    let mut files = files.to_vec();
    let (_, text) = files.iter_mut().find(|(known, _)| known == name).expect("it is there");
    assert!(text.contains(from), "{name} has {from}");
    *text = text.replacen(from, to, 1);
    files
}

#[test]
fn a_signed_pack_is_verified_by_its_key_and_those_before() {
    let made = Made::signed(None);
    let files = made.files(&Framework::ALL);
    let all = there(&files);
    let is = |key: Option<SecretKey>| {
        let found = checked(&files, &all, key.as_ref().map(SecretKey::public)).expect("it is one");
        assert!(found.is_same(), "{found:?}");
        assert_eq!(found.same, files.len() - 1 - usize::from(found.signature.is_wrong()), "all but the list");
        (found.is_fine(), found.signature)
    };
    let by = key(2).public().to_string();
    assert_eq!(is(None), (true, Signature::Named { by: by.clone() }));
    assert_eq!(is(Some(key(2))), (true, Signature::Verified { by: by.clone(), rotations: 0 }));
    assert_eq!(is(Some(key(1))), (true, Signature::Verified { by, rotations: 1 }), "a rotation leads on");
    let (fine, wrong) = is(Some(key(3)));
    assert!(!fine && format!("{wrong:?}").contains("not by the given key"), "{wrong:?}");
}

#[test]
fn a_key_that_was_replaced_does_not_sign_for_its_successor() {
    let made = Made { signer: Some(key(1)), ..Made::signed(None) };
    let files = made.files(&[Framework::Gdpr]);
    let found = checked(&files, &there(&files), Some(key(2).public())).expect("it is one");
    assert!(!found.is_fine(), "somebody may have read the old key: {found:?}");
    let found = checked(&files, &there(&files), Some(key(1).public())).expect("it is one");
    assert!(found.is_fine(), "whoever trusts it may: {found:?}");
}

#[test]
fn whoever_changes_a_signed_pack_is_found() {
    let files = Made::signed(None).files(&[Framework::Gdpr]);
    let unsigned = Made::of(None).files(&[Framework::Gdpr]);
    let other = Made { signer: Some(key(3)), ..Made::signed(None) }.files(&[Framework::Gdpr]);
    let mine = text(&files, SIGNATURE).to_owned();
    let with = |note: &str| replaced(&files, SIGNATURE, &mine, note);
    let without: Vec<_> = files.iter().filter(|(name, _)| name != SIGNATURE).cloned().collect();
    let added: Vec<_> = unsigned.iter().cloned().chain([(SIGNATURE.to_owned(), mine.clone())]).collect();
    let by = key(2).public().to_string();
    let checkpoint = checkpoint(&key(2), 7, Timestamp::UNIX_EPOCH);
    for (files, key_given, said) in [
        (replaced(&files, MANIFEST, "db-1.example", "db-2.example"), None, "was changed since it was signed"),
        (replaced(&files, MANIFEST, &by, &key(3).public().to_string()), None, "was changed since"),
        (replaced(&files, MANIFEST, &by, "nobody"), None, "names no key"),
        (with(text(&other, SIGNATURE)), None, "was changed since it was signed"),
        (with(&checkpoint), None, "is no signature of a pack"),
        (with(""), None, "is no signature of a pack"),
        (without, None, "MANIFEST.sig is missing"),
        (other, Some(key(2)), "not by the given key"),
        (unsigned, Some(key(2)), "the pack is not signed"),
        (added, None, "MANIFEST.sig"),
    ] {
        let key_given = key_given.as_ref().map(SecretKey::public);
        let found = checked(&files, &there(&files), key_given).expect("it is one");
        assert!(!found.is_fine(), "{said}: {found:?}");
        let why = match &found.signature {
            Signature::Wrong { why } => why.clone(),
            _ => found.added.join(" "),
        };
        assert!(why.contains(said) && !why.contains('\n'), "{said}: {found:?}");
    }
}

#[test]
fn a_signed_pack_has_its_checkpoints_and_says_so() {
    let made = Made::signed(None);
    let files = made.files(&[Framework::Gdpr, Framework::Pci]);
    let notes: Vec<&[u8]> = log::divided(text(&files, CHECKPOINTS).as_bytes()).collect();
    let manifest: serde_json::Value = serde_json::from_str(text(&files, MANIFEST)).expect("JSON");
    assert_eq!(notes.len(), manifest["checkpoints"].as_array().map_or(0, Vec::len));
    for (note, listed) in notes.iter().zip(manifest["checkpoints"].as_array().expect("a list")) {
        let read: Checkpoint = Note::parse(note)
            .expect("a note")
            .verified(&[key(2).public().clone()])
            .expect("signed")
            .parse()
            .expect("one");
        assert_eq!(listed["size"], read.head.size);
        assert_eq!(listed["root"], read.head.root.base64());
        assert_eq!(listed["origin"], "gdprport/db-1.example.org");
        assert_eq!(listed["sequence"], read.facts.expect("ours").sequence);
    }
    let mut shown: String = text(&files, "README.md").to_owned();
    for name in [MANIFEST, CHECKPOINTS, ROTATIONS, SIGNATURE] {
        let text = text(&files, name);
        let end = text.find("\n  \"files\"").unwrap_or(text.len());
        shown += &format!("\n=== {name}\n{}", &text[..end]);
    }
    insta::assert_snapshot!(shown);
}
