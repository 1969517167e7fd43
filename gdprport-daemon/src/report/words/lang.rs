//! Languages, and how each writes numbers.

use super::Words;
use gdprport_core::figures;

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
        let text = figures::duration(seconds);
        if self == Self::Fr { text.replace('d', "j") } else { text }
    }

    /// A name and its value: `Days: 3`.
    pub(crate) fn named(self, name: &str, value: &str) -> String {
        // French has a space that does not break before a colon.
        let colon = if self == Self::Fr { "\u{a0}: " } else { ": " };
        format!("{name}{colon}{value}")
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
    }

    #[test]
    fn each_language_writes_its_numbers() {
        let of = |lang: Lang| [lang.count(1_204_000), lang.bytes(1_503_238_553), lang.duration(277_503)];
        assert_eq!(of(Lang::En), ["1,204,000", "1.3 GiB", "3d 5h"]);
        assert_eq!(of(Lang::De), ["1.204.000", "1,3 GiB", "3d 5h"]);
        assert_eq!(of(Lang::Fr), ["1\u{202f}204\u{202f}000", "1,3 GiB", "3j 5h"]);
    }
}
