//! Numbers, sizes and durations as people read them: in tables, findings and starter policies.

/// `1482113` → `1,482,113`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 port`, `7 rules`, `2 addresses`.
#[must_use]
pub fn counted(n: u64, what: &str) -> String {
    let (stem, plural) = match (n, what.strip_suffix('y')) {
        (1, _) => (what, ""),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o']) => (stem, "ies"),
        _ if what.ends_with('s') => (what, "es"),
        _ => (what, "s"),
    };
    format!("{} {stem}{plural}", thousands(n))
}

/// Bytes in binary units with one decimal: `412 B`, `1.4 GiB`. Rounded down, so that a bound never seems passed.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1_024 {
        return format!("{n} B");
    }
    let power = n.ilog2() / 10;
    let unit = 1_u128 << (10 * power);
    let tenths = u128::from(n) * 10 / unit;
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// Seconds in the two largest units: `4s`, `2m 5s`, `3d 5h`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let (d, h, m, s) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let two =
        |a: u64, x: &str, b: u64, y: &str| if b == 0 { format!("{a}{x}") } else { format!("{a}{x} {b}{y}") };
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => two(m, "m", s, "s"),
        (0, _, _) => two(h, "h", m, "m"),
        _ => two(d, "d", h, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567, u64::MAX].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn bytes_have_a_unit_and_are_never_rounded_up() {
        let shown = [0, 1_023, 1_024, 1_048_575, 1_840_412, 1_503_238_553, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1023.9 KiB", "1.7 MiB", "1.3 GiB", "15.9 EiB"]);
    }

    #[test]
    fn durations_show_the_two_largest_units() {
        let shown = [0, 59, 60, 125, 3_600, 7_260, 86_400, 277_503].map(duration);
        assert_eq!(shown, ["0s", "59s", "1m", "2m 5s", "1h", "2h 1m", "1d", "3d 5h"]);
    }

    #[test]
    fn nouns_follow_their_number() {
        let shown =
            [(0, "rule"), (1, "address"), (1_482, "address"), (2, "flow")].map(|(n, what)| counted(n, what));
        assert_eq!(shown, ["0 rules", "1 address", "1,482 addresses", "2 flows"]);
        let shown = [(1, "policy"), (3, "policy"), (3, "day")].map(|(n, what)| counted(n, what));
        assert_eq!(shown, ["1 policy", "3 policies", "3 days"]);
    }
}
