//! Where a long word may go on in the next line: behind what separates its parts, never within an address or a date. Who reads
//! `203.0.113.2` in one line and `6` in the next reads another address.

use std::fmt::{self, Display, Formatter};

use askama::filters::{Escaper as _, Html, HtmlSafe};
use gdprport_core::map::width_of;

/// A word that is no wider stands in one line wherever it is; thousandths of the size of the letters. As wide as the longest IPv4 network.
const WHOLE: i32 = 11_500;

/// A part of a word that is wider may be broken anywhere.
const PART: i32 = 9_500;

/// A text of HTML, escaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Breaks<'t>(pub(super) &'t str);

impl HtmlSafe for Breaks<'_> {}

impl Display for Breaks<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.split(' ').enumerate() {
            if at > 0 {
                out.write_str(" ")?;
            }
            word(one, out)?;
        }
        Ok(())
    }
}

fn word(word: &str, out: &mut Formatter<'_>) -> fmt::Result {
    if is_date(word) {
        return within("whole", word, out);
    }
    if let Some((date, time)) = word.split_once('T').filter(|(date, time)| is_date(date) && is_time(time)) {
        within("whole", &format!("{date}T"), out)?;
        out.write_str("<wbr>")?;
        return within("whole", time, out);
    }
    if width_of(word, 1_000) <= WHOLE {
        return Html.write_escaped_str(out, word);
    }
    let mut parts = word.split_inclusive(is_between).peekable();
    while let Some(part) = parts.next() {
        if width_of(part, 1_000) > PART {
            within("any", part, out)?;
        } else {
            Html.write_escaped_str(&mut *out, part)?;
        }
        // Of several signs one after the other the line ends behind the last, and none has a sign alone.
        let has_letters = !part.chars().all(is_between);
        if has_letters && parts.peek().is_some_and(|next| !next.starts_with(is_between)) {
            out.write_str("<wbr>")?;
        }
    }
    Ok(())
}

fn within(class: &str, text: &str, out: &mut Formatter<'_>) -> fmt::Result {
    write!(out, "<span class=\"{class}\">")?;
    Html.write_escaped_str(&mut *out, text)?;
    out.write_str("</span>")
}

/// What stands between the parts of paths, units, images and addresses of IPv6.
const fn is_between(c: char) -> bool {
    matches!(c, '/' | '@' | ':' | '.' | '_' | '-' | '=' | ',' | ';' | '+' | '|')
}

/// `2026-11-30`, whatever stands around it: browsers would break it behind a hyphen.
fn is_date(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
    let parts: Vec<&str> = bare.split('-').collect();
    let digits =
        |text: &str, many: usize| text.len() == many && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

/// `08:00:02Z`, as what follows a date; of at most nine digits behind the seconds.
fn is_time(word: &str) -> bool {
    word.len() <= 20
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || b":.Z,;)".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        Breaks(text).to_string()
    }

    #[test]
    fn addresses_and_dates_are_never_broken() {
        for whole in
            ["203.0.113.26", "198.51.100.128/25", "255.255.255.255/32", "fd00:2::/64", "ward-application"]
        {
            assert_eq!(of(whole), whole);
        }
        assert_eq!(
            of("(from 2026-10-19 00:00 UTC)"),
            "(from <span class=\"whole\">2026-10-19</span> 00:00 UTC)"
        );
        assert_eq!(of("2026-10-190"), "2026-10-190");
        assert_eq!(
            of("2026-10-19T08:00:02Z"),
            "<span class=\"whole\">2026-10-19T</span><wbr><span class=\"whole\">08:00:02Z</span>"
        );
        let long = format!("2026-10-19T08{}", ":00".repeat(99));
        assert!(!of(&long).contains("whole"), "it would widen a page");
    }

    #[test]
    fn a_long_name_goes_on_behind_what_separates_its_parts() {
        assert_eq!(
            of("/usr/lib/postgresql/15/bin/postgres"),
            "/usr/<wbr>lib/<wbr>postgresql/<wbr>15/<wbr>bin/<wbr>postgres"
        );
        assert_eq!(of("postgresql@15-main.service"), "postgresql@<wbr>15-<wbr>main.<wbr>service");
        assert_eq!(
            of("fd00:2::1234:5678:9abc:7/128"),
            "fd00:<wbr>2::1234:<wbr>5678:<wbr>9abc:<wbr>7/<wbr>128"
        );
    }

    #[test]
    fn nobody_has_a_name_that_widens_a_page() {
        let long = "x".repeat(300);
        assert_eq!(of(&long), format!("<span class=\"any\">{long}</span>"));
        assert_eq!(of(&format!("/a/{long}")), format!("/a/<wbr><span class=\"any\">{long}</span>"));
    }

    #[test]
    fn what_looks_like_markup_is_text() {
        let evil =
            "<img src=x onerror=\"alert(1)\"> </span><script>/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa*/</script> & '";
        let shown = of(evil);
        let bare = shown.replace("<wbr>", "").replace("<span class=\"any\">", "").replace("</span>", "");
        assert!(!bare.contains(['<', '>', '"', '\'']), "{shown}");
    }
}
