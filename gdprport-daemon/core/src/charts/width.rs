//! How wide a text is at most, whatever font of a browser without serifs shows it.

/// What stands at the end of a text that was cut.
const CUT: char = '…';

/// How wide a text is at most, in its font size. By the widest of the usual fonts (DejaVu Sans), and a whole one for what they
/// have not.
#[must_use]
pub fn width(text: &str) -> f64 {
    text.chars().map(of).sum()
}

fn of(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.34,
        ' ' | '.' | ',' | ':' | ';' | '!' | 'I' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-'
        | '\u{a0}' | '\u{202f}' | '·' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | CUT => 1.01,
        'A'..='Z' => 0.8,
        '<' | '>' | '↑' | '↓' | '–' | '+' | '=' | '~' | '#' => 0.86,
        '!'..='~' | '\u{c0}'..='\u{24f}' => 0.66,
        _ => 1.1,
    }
}

/// A text that is no wider than `most`, in its font size: what is longer is cut, and shows that it is.
#[must_use]
pub fn shortened(text: &str, most: f64) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most - of(CUT);
    let fits = |c: &char| {
        left -= of(*c);
        left >= 0.0
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.truncate(cut.trim_end().len());
    cut.push(CUT);
    cut
}
