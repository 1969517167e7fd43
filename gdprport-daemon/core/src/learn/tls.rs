//! What a port can demand of its encryption, by what was seen: only what every connection met.

use std::collections::BTreeMap;

use super::seen::SeenService;
use super::text::BLANK;
use crate::figures::{counted, thousands};
use crate::model::{PostureState, TlsVersion};

/// What is written of `tls`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// The assignment.
    pub assignment: &'static str,
    /// Whether it is in force; otherwise it is a comment.
    pub demanded: bool,
    /// Why, one sentence.
    pub why: String,
}

/// What the connections of a port allow to demand. `local`: all of them were within this host.
pub(super) fn advice(service: &SeenService, local: bool) -> Advice {
    let seen = &service.postures;
    let (mut newest, mut older, mut unknown, mut other) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut weaker: BTreeMap<&'static str, u64> = BTreeMap::new();
    for ((state, version), connections) in seen {
        match (state, version) {
            (PostureState::Tls13, _) | (PostureState::StarttlsUpgraded, Some(TlsVersion::Tls13)) => {
                newest += connections;
            }
            (PostureState::Tls12, _) | (PostureState::StarttlsUpgraded, Some(TlsVersion::Tls12)) => {
                older += connections;
            }
            (PostureState::Unknown | PostureState::StarttlsUpgraded, _) => unknown += connections,
            (PostureState::NoData, _) => {}
            (PostureState::EncryptedOther, _) => {
                other += connections;
                *weaker.entry("encrypted by something else than TLS").or_default() += connections;
            }
            (PostureState::Plaintext, _) => *weaker.entry("plaintext").or_default() += connections,
            (PostureState::WeakTls, _) => *weaker.entry("weak TLS").or_default() += connections,
            (PostureState::StarttlsRefused, _) => {
                *weaker.entry("refused the upgrade to TLS").or_default() += connections;
            }
            (PostureState::Unrecognised, _) => *weaker.entry("not TLS").or_default() += connections,
        }
    }
    let (tls, weak) = (newest + older, weaker.values().sum::<u64>());
    let min = if older > 0 { r#"tls = { min = "1.2" }"# } else { r#"tls = { min = "1.3" }"# };
    let blank = |assignment, why| Advice { assignment, demanded: false, why };
    if let Some(least) = service.demanded {
        let newer = least == TlsVersion::Tls13 || older == 0;
        return Advice {
            assignment: if newer { r#"tls = { min = "1.3" }"# } else { r#"tls = { min = "1.2" }"# },
            demanded: true,
            why: format!(
                "the policy of then demanded TLS, and not all of the {} seen met that: those stay violations",
                counted(tls + weak + unknown, "connection")
            ),
        };
    }
    if weak > 0 {
        let kinds: Vec<_> = weaker.iter().map(|(what, n)| format!("{} {what}", thousands(*n))).collect();
        let of = counted(tls + weak + unknown, "connection");
        let kinds = kinds.join(", ");
        let seen = format!("{BLANK} not demanded, because not all of the {of} seen were TLS ({kinds})");
        return match (other == weak && tls == 0, local && tls == 0) {
            (true, _) => blank(
                r#"tls = { required = false, why = "GSSAPI or SSH encrypts it" }"#,
                format!("{seen}. If that is intended, say so:"),
            ),
            (_, true) => blank(
                r#"tls = { required = false, why = "within this host only" }"#,
                format!("{seen}. They were within this host; if that is how it stays, say so:"),
            ),
            _ => blank(r#"tls = { min = "1.2" }"#, format!("{seen}. Mend that, and then demand it:")),
        };
    }
    match (tls, unknown) {
        (0, 0) => blank(
            r#"tls = { min = "1.2" }"#,
            format!(
                "{BLANK} nothing is known of the encryption yet: `init --watch 60s` sees it, or once a daemon has run `--from-ledger`:"
            ),
        ),
        (0, _) => blank(
            r#"tls = { min = "1.2" }"#,
            format!(
                "{BLANK} the encryption of {} began before it could be seen:",
                counted(unknown, "connection")
            ),
        ),
        (_, 0) => Advice {
            assignment: min,
            demanded: true,
            why: format!("met by all {} seen", counted(tls, "connection")),
        },
        _ => blank(
            min,
            format!(
                "{BLANK} met by all {} whose encryption was seen. {} more began before, and would be undecided:",
                counted(tls, "connection"),
                thousands(unknown)
            ),
        ),
    }
}
