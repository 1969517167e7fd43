//! What the keys do.

use ratatui::text::{Line, Span};

use super::palette::Palette;

const KEYS: [(&str, &str); 13] = [
    ("↑ ↓ PgUp PgDn Home End", "move; also j k g G"),
    ("Enter →", "open: a port its groups, a group its rule"),
    ("Esc ←", "back; on the first screen the filter goes"),
    ("Tab", "from the groups to the ports and back"),
    ("/", "filter: Enter keeps it, Esc takes the one before"),
    ("o  O", "another order; the same reversed"),
    ("p  Space", "stop what is shown; again goes on"),
    ("s", "save what is shown as JSON in this directory"),
    ("c", "coverage: what was lost, and the daemon's health"),
    ("?  h", "this page"),
    ("Ctrl-L", "draw everything again"),
    ("Ctrl-Z", "to the background; fg brings it back"),
    ("q  Ctrl-C", "quit"),
];

const FILTER: [(&str, &str); 7] = [
    ("port:5432 port:customers", "number, range 5432-5439, or part of a name"),
    ("peer:10.0.0.0/8 peer:db.", "a network, the begin of an address, or a name"),
    ("verdict:violation,undecided", "also declared, accepted"),
    ("tls:no tls:weak tls:unknown", "also yes, 1.3, 1.2, plaintext and other states"),
    ("unit: process: container:", "part of it; also user: reason: dir:in dir:out"),
    ("psql -verdict:declared", "free words; a minus before what is not wanted"),
    ("unit:\"a b\"", "quotes around spaces"),
];

const READING: [&str; 7] = [
    "✗ violation  ! accepted by an exception  ? undecided  ✓ declared  ▲ rising now",
    "A group: flows of one port, direction, peer and process. OPEN are open now,",
    "ENDED strangers that are over, of the last 15 minutes at most.",
    "CONN/S is an average of 10 seconds, BYTES/S of a minute: bytes of an open",
    "connection are read once a minute, and when it ends.",
    "VIOLATIONS, DECLARED and TLS count since the daemon started.",
    "24 HOURS: connections by hour, by the ledger; ▁ none, · not known.",
];

/// The page.
pub(super) fn page(palette: Palette) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("KEYS", palette.strong())];
    let pair = |(key, what): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!("  {key:<28}"), palette.accent()), Span::raw(*what)])
    };
    lines.extend(KEYS.iter().map(pair));
    lines.push(Line::default());
    lines.push(Line::styled("FILTER", palette.strong()));
    lines.extend(FILTER.iter().map(pair));
    lines.push(Line::default());
    lines.push(Line::styled("READING IT", palette.strong()));
    lines.extend(READING.iter().map(|text| Line::raw(format!("  {text}"))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_80_columns() {
        for line in page(Palette::new(false)) {
            assert!(line.width() <= 80, "{line}");
        }
    }
}
