//! How wide texts are, as far as that can be known without a font, and how they are shortened.
//!
//! Widths are those of `DejaVu Sans`, which is wider than what most systems have: a text that fits by them fits everywhere.

/// Thousandths of the font's size.
fn advance(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' | 'I' | '.' | ',' | ':' | ';' | ' ' | '\u{a0}' | '\u{202f}' => 340,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | '\\' | '!' => 420,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1_010,
        's' | 'c' | 'z' => 600,
        'a'..='z' | '0'..='9' | '_' | '*' => 640,
        'A'..='Z' | '+' | '=' | '<' | '>' | '~' | '#' => 840,
        '\u{20}'..='\u{24f}' => 840,
        _ => 1_100,
    }
}

/// Pixels that a text takes at most, of a font of so many pixels.
#[must_use]
pub fn width_of(text: &str, size: i32) -> i32 {
    let sum = text.chars().fold(0_i32, |sum, c| sum.saturating_add(advance(c)));
    sum.saturating_mul(size) / 1_000 + 1
}

/// The text, or its begin and its end with `…` between them, in at most so many pixels.
#[must_use]
pub fn fit(text: &str, size: i32, room: i32) -> String {
    // What is not looked at takes no time either.
    let all: Vec<char> = text.chars().take(4_096).collect();
    let whole: String = all.iter().collect();
    if width_of(&whole, size) <= room {
        return whole;
    }
    for kept in (1..all.len().min(256)).rev() {
        let head = kept.div_ceil(2);
        let shown: String =
            all[..head].iter().chain(['…'].iter()).chain(&all[all.len() - (kept - head)..]).collect();
        if width_of(&shown, size) <= room {
            return shown;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_keeps_both_its_ends() {
        assert_eq!(fit("postgresql@15-main.service", 12, 400), "postgresql@15-main.service");
        let short = fit("postgresql@15-main.service", 12, 110);
        assert!(short.starts_with("postg") && short.ends_with("vice") && short.contains('…'), "{short}");
        assert_eq!(fit("漢字漢字", 12, 3), "…");
        for room in 10..300 {
            assert!(width_of(&fit("2001:db8:85a3:8d3:1319:8a2e:370:7348", 12, room), 12) <= room.max(14));
        }
    }
}
