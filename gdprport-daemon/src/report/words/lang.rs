//! Languages, and how each writes numbers.

use super::Words;
use gdprport_core::figures;
use gdprport_core::policy::Window;

/// A language of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
}

impl Lang {
    /// Its words.
    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::En => &super::en::WORDS,
            Self::De => &super::de::WORDS,
            Self::Fr => &super::fr::WORDS,
        }
    }

    /// Its tag (BCP 47).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// `1,204`, `1.204` or `1 204`.
    pub(crate) fn count(self, n: u64) -> String {
        self.written(&figures::thousands(n))
    }

    /// Bytes in binary units, rounded down: `1.4 GiB`.
    pub(crate) fn bytes(self, n: u64) -> String {
        self.written(&figures::bytes(n))
    }

    /// Seconds in the two largest units: `3d 5h`.
    pub(crate) fn duration(self, seconds: u64) -> String {
        self.span(&figures::duration(seconds))
    }

    /// Days and hours by their letters, such as the `7d` of a policy.
    pub(crate) fn span(self, letters: &str) -> String {
        if self == Self::Fr { letters.replace('d', "j") } else { letters.to_owned() }
    }

    /// The window of a limit, as it stands behind `per`: `day`, or several hours by their letters.
    pub(crate) fn window(self, window: Window) -> String {
        match window {
            Window::Hour => self.words().hour.to_owned(),
            Window::Day => self.words().day.to_owned(),
            window => self.span(window.as_str()),
        }
    }

    /// A name and its value: `Days: 3`.
    pub(crate) fn named(self, name: &str, value: &str) -> String {
        // French has a space that does not break before a colon.
        let colon = if self == Self::Fr { "\u{a0}: " } else { ": " };
        format!("{name}{colon}{value}")
    }

    /// Articles of the law, such as `30(1)(a), 26`, as lawyers of this language write them.
    pub(crate) fn law(self, articles: &str) -> String {
        let article = |text: &str| {
            let mut parts = text.split(['(', ')']).filter(|part| !part.is_empty());
            let number = parts.next().unwrap_or_default().to_owned();
            parts.fold(number, |said, part| match (self, part.parse::<u8>().is_ok()) {
                (Self::En, _) => format!("{said}({part})"),
                (Self::De, true) => format!("{said} Abs.\u{a0}{part}"),
                (Self::De, false) => format!("{said} lit.\u{a0}{part}"),
                (Self::Fr, true) => format!("{said}, §\u{a0}{part}"),
                (Self::Fr, false) => format!("{said}, {part})"),
            })
        };
        let between = if self == Self::Fr { "\u{a0}; " } else { ", " };
        articles.split(", ").map(article).collect::<Vec<_>>().join(between)
    }

    /// What stands before the digits of less than one.
    pub(crate) const fn point(self) -> char {
        match self {
            Self::En => '.',
            Self::De | Self::Fr => ',',
        }
    }

    /// English numbers as this language writes them.
    fn written(self, number: &str) -> String {
        let (thousands, decimal) = match self {
            Self::En => return number.to_owned(),
            Self::De => ('.', ','),
            // A narrow space that does not break.
            Self::Fr => ('\u{202f}', ','),
        };
        let turned = |c| match c {
            ',' => thousands,
            '.' => decimal,
            c => c,
        };
        number.chars().map(turned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_names_its_values() {
        assert_eq!(Lang::De.named("Tage", "3"), "Tage: 3");
        assert_eq!(Lang::Fr.named("Jours", "3"), "Jours\u{a0}: 3");
        assert_eq!(
            [Window::Hour, Window::Day, Window::Week].map(|of| Lang::Fr.window(of)),
            ["heure", "jour", "7j"]
        );
    }

    #[test]
    fn each_language_quotes_the_law_its_own_way() {
        let of = |lang: Lang| [lang.law("30(1)(a), 26"), lang.law("6(1)"), lang.law("35"), lang.law("")];
        assert_eq!(of(Lang::En), ["30(1)(a), 26", "6(1)", "35", ""]);
        assert_eq!(of(Lang::De), ["30 Abs.\u{a0}1 lit.\u{a0}a, 26", "6 Abs.\u{a0}1", "35", ""]);
        assert_eq!(of(Lang::Fr), ["30, §\u{a0}1, a)\u{a0}; 26", "6, §\u{a0}1", "35", ""]);
    }

    #[test]
    fn each_language_writes_its_numbers() {
        let of = |lang: Lang| [lang.count(1_204_000), lang.bytes(1_503_238_553), lang.duration(277_503)];
        assert_eq!(of(Lang::En), ["1,204,000", "1.3 GiB", "3d 5h"]);
        assert_eq!(of(Lang::De), ["1.204.000", "1,3 GiB", "3d 5h"]);
        assert_eq!(of(Lang::Fr), ["1\u{202f}204\u{202f}000", "1,3 GiB", "3j 5h"]);
    }
}
