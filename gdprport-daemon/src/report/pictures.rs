//! The pictures of `docs/pictures/`: each is what this version draws.

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");

/// Compares a drawing with the picture of this name, or makes it the picture.
#[track_caller]
pub(crate) fn pictured(name: &str, drawing: &str) {
    let file = format!("{FOLDER}/{name}");
    if std::env::var_os("GDPRPORT_BLESS").is_some() {
        std::fs::write(&file, drawing).expect("docs/pictures is writable");
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == drawing, "{file} is not current: `cargo xtask pictures` draws it again");
}
