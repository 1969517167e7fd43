//! What a node says while it is pointed at or reached by keyboard, and what that does to the lines of others: by style alone.

use std::fmt::Write as _;

use gdprport_core::map::{Rect, fit, width_of};

use super::super::svg::Element;
use super::view::View;

/// The font, and the height of a line.
const FONT: (i32, i32) = (12, 17);

/// The widest text, and the space around it.
const ROOM: (i32, i32) = (520, 10);

/// Lines after the first; the rest is counted.
const MOST: usize = 8;

/// A node: the letter of its lane and its number there, which is its class too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name(pub(super) char, pub(super) usize);

impl Name {
    pub(super) fn class(self) -> String {
        format!("{}{}", self.0, self.1)
    }

    pub(super) fn id(self) -> String {
        format!("map-{}", self.class())
    }
}

/// Everything a node says in one text.
pub(super) fn said(lines: &[String]) -> String {
    lines.join(". ")
}

/// The box with what it says, beside the node and within the whole.
pub(super) fn shown(view: &View, name: Name, at: &Rect, lines: &[String]) -> Element {
    let (size, high) = FONT;
    let (room, pad) = ROOM;
    let mut texts: Vec<String> = lines.iter().take(MOST + 1).map(|line| fit(line, size, room)).collect();
    let rest = lines.len().saturating_sub(MOST + 1);
    if rest > 0 {
        texts.push(format!("+ {}", view.lang.count(rest as u64)));
    }
    let widest = texts.iter().map(|text| width_of(text, size)).max().unwrap_or(0);
    let count = i32::try_from(texts.len()).unwrap_or(0);
    let (width, height) = (widest + 2 * pad, count * high + 2 * pad - 3);
    let (most_x, most_y) = (view.layout.size.0 - width - 1, view.layout.size.1 - height - 1);
    let x = at.x.min(most_x).max(1);
    let below = at.bottom() + 4;
    let y = if below <= most_y { below } else { (at.y - height - 4).max(1) };
    let mut group = Element::group()
        .class(&format!("m-say say-{}", name.class()))
        .silent()
        .with(Element::rect(x.into(), y.into(), width.into(), height.into()).rounded(6.0).class("m-sheet"));
    for (line, text) in (0..).zip(&texts) {
        let base = y + pad + 10 + line * high;
        let text = Element::text((x + pad).into(), base.into(), text);
        group = group.with(if line == 0 { text.class("strong") } else { text });
    }
    group
}

/// The rules of all nodes: the lines of others stand back, and what it says is shown.
pub(super) fn rules(names: &[Name]) -> String {
    let mut rules = String::new();
    for name in names {
        let (id, class) = (name.id(), name.class());
        writeln!(
            rules,
            ".map:has(#{id}:is(:hover,:focus)) .m-line:not(.{class}){{opacity:.1}}\
             .map:has(#{id}:is(:hover,:focus)) .say-{class}{{display:block}}"
        )
        .expect("writing to a String cannot fail");
    }
    rules
}
