//! The picture of a terminal in README.md: events that a daemon has recorded, as this program prints them, drawn as SVG.
//!
//! `recorded.ndjson` beside this file is what `docs/pictures/README.md` says. `cargo xtask pictures` draws it again.

use super::tests::{render, width};
use super::*;
use anstyle_svg::{Palette, Term};

/// Columns of the terminal.
const COLUMNS: u16 = 128;

/// Colours that are read well on its ground: the first eight of the sixteen, and those again for bright ones.
const PALETTE: [(u8, u8, u8); 8] = [
    (0x16, 0x1b, 0x22),
    (0xff, 0x7b, 0x72),
    (0x56, 0xd3, 0x64),
    (0xe3, 0xb3, 0x41),
    (0x79, 0xc0, 0xff),
    (0xd2, 0xa8, 0xff),
    (0x56, 0xd4, 0xdd),
    (0xd0, 0xd7, 0xde),
];

/// The prompt and the command whose output it is.
const TYPED: &str = "$ sudo gdprport daemon run --policy policy.toml\n";

fn recorded() -> Vec<Event> {
    let lines = include_str!("recorded.ndjson").lines();
    lines.map(|line| serde_json::from_str(line).expect("an event of this version")).collect()
}

/// A screen as SVG, which scales with the page that it stands in.
fn drawn(text: &str) -> String {
    let rgb = |at: usize| anstyle::RgbColor(PALETTE[at % 8].0, PALETTE[at % 8].1, PALETTE[at % 8].2);
    let term = Term::new()
        .palette(Palette(std::array::from_fn(rgb)))
        .fg_color(anstyle::AnsiColor::White.into())
        .bg_color(anstyle::AnsiColor::Black.into());
    // Its dimmed text is hardly read on a dark ground.
    let svg = term.render_svg(text).replace("opacity: 0.4", "opacity: 0.7");
    let (open, rest) = svg.split_once('>').expect("an element");
    let size = |begin: &str| {
        let (_, rest) = open.split_once(begin).expect("an attribute");
        rest.split_once("px\"").expect("a size in pixels").0.to_owned()
    };
    let (width, height) = (size(" width=\""), size(" height=\""));
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">{rest}"
    )
}

#[test]
fn the_picture_of_a_terminal_is_what_is_printed() {
    let lines = LineRenderer::new(true, width(COLUMNS), TimeZone::UTC);
    let svg = drawn(&format!("{TYPED}{}", render(&lines, &recorded()).trim_end()));
    for part in ["violation", "undeclared-process", "declared", "psql"] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains('\u{1b}') && !svg.contains("<script"));
    crate::report::pictured("terminal.svg", &svg);
}
