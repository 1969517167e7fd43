//! What a cipher suite is worth, by its name.
//!
//! Belongs here: the judgements (RFC 7465, RFC 8996, RFC 9325 §4, RFC 9150). The names are in `registry`; suites that
//! are not there are reported by number, and whether they encrypt is not known.

use std::borrow::Cow;

use super::registry::SUITES;

/// What a suite is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// Encrypts by today's standards.
    Fair,
    /// Broken or short ciphers (RC4, DES, 3DES, RC2, IDEA, Skipjack, export), or nobody is authenticated (anonymous).
    Weak,
    /// Does not encrypt at all.
    Null,
    /// Not in the table: there are suites that do not encrypt among those that nobody registered.
    Unlisted,
}

/// The name, or `0x` and four digits.
pub(super) fn name(suite: u16) -> Cow<'static, str> {
    match find(suite) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("0x{suite:04X}")),
    }
}

/// What the suite is worth, read off its name: IANA names the cipher in it.
pub(super) fn worth(suite: u16) -> Worth {
    let Some(name) = find(suite) else { return Worth::Unlisted };
    // Those of RFC 9150 name only what they authenticate with.
    if matches!(name, "TLS_SHA256_SHA256" | "TLS_SHA384_SHA384") {
        return Worth::Null;
    }
    let mut worth = Worth::Fair;
    for word in name.split('_') {
        match word {
            "NULL" => return Worth::Null,
            "RC4" | "DES" | "DES40" | "3DES" | "RC2" | "IDEA" | "FORTEZZA" | "anon" => worth = Worth::Weak,
            _ => {}
        }
    }
    worth
}

/// Whether only TLS 1.3 has this suite, if the table knows it. It distinguishes 1.3 from 1.2 before the extensions of a
/// ServerHello: a large key share can push `supported_versions` out of what was captured.
pub(super) fn is_tls13(suite: u16) -> Option<bool> {
    find(suite).map(|name| !name.contains("_WITH_"))
}

fn find(suite: u16) -> Option<&'static str> {
    SUITES.binary_search_by_key(&suite, |(number, _)| *number).ok().map(|index| SUITES[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_name_is_unique() {
        assert!(SUITES.is_sorted_by(|a, b| a.0 < b.0), "binary search needs ascending numbers");
        let names: std::collections::BTreeSet<_> = SUITES.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), SUITES.len());
    }

    #[test]
    fn the_name_of_a_suite_shows_its_strength() {
        for (suite, expected) in [
            (0x1301, Worth::Fair),
            (0xC02F, Worth::Fair),
            (0x003B, Worth::Null),
            (0xC0B4, Worth::Null),
            (0x0005, Worth::Weak),
            (0x000A, Worth::Weak),
            (0x0009, Worth::Weak),
            (0x0026, Worth::Weak),
            (0x00A7, Worth::Weak),
            (0x0000, Worth::Null),
            (0x001C, Worth::Null),
            (0x001D, Worth::Weak),
            (0x0060, Worth::Weak),
            (0x0061, Worth::Weak),
            (0x0062, Worth::Weak),
            (0x0063, Worth::Weak),
            (0x0064, Worth::Weak),
            (0x0065, Worth::Weak),
            (0x0066, Worth::Weak),
            (0x0082, Worth::Null),
            (0x0083, Worth::Null),
            (0xFF87, Worth::Null),
            (0xFEFE, Worth::Weak),
            (0xFEFF, Worth::Weak),
            // An unregistered number may mean no encryption at all, as 0x0082 did until it was listed.
            (0xFFFE, Worth::Unlisted),
            (0xFF82, Worth::Unlisted),
        ] {
            assert_eq!(worth(suite), expected, "{}", name(suite));
        }
        assert_eq!(name(0xFFFE), "0xFFFE");
    }

    #[test]
    fn only_suites_of_tls_1_3_name_no_key_exchange() {
        let tls13: Vec<u16> =
            SUITES.iter().map(|(suite, _)| *suite).filter(|suite| is_tls13(*suite) == Some(true)).collect();
        let expected = [0x00C6, 0x00C7, 0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0xC0B4, 0xC0B5];
        assert_eq!(tls13, expected);
    }
}
