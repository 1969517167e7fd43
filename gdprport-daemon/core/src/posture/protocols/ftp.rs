//! FTP's control connection (RFC 959, RFC 4217). Its data connections are flows of their own.

use super::line::{self, Dialect, LineCommand, one_of, word};
use super::mail::{numbered_greeting, numbered_reply};
use super::sasl::Exchange;
use crate::posture::reading::{Dialogue, Reading};

pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "FTP",
        upgrade: "AUTH TLS",
        greeting: |server| numbered_greeting(server, &["220", "421"]),
        command,
        reply: numbered_reply,
        exchange: |_, _| Exchange::default(),
    };
    line::read(dialogue, &DIALECT)
}

fn command(line: &[u8]) -> LineCommand {
    // ADAT carries the tokens of another security (RFC 2228 §3).
    const HARMLESS: [&str; 11] =
        ["FEAT", "SYST", "OPTS", "CLNT", "HOST", "NOOP", "HELP", "QUIT", "PBSZ", "PROT", "ADAT"];
    const SUBSTANCE: [&str; 4] = ["USER", "PASS", "ACCT", "MIC"];
    // Commands inside an encryption (RFC 2228 §3).
    const ENCRYPTED: [&str; 2] = ["ENC", "CONF"];
    let (first, rest) = word(line);
    if first.eq_ignore_ascii_case(b"AUTH") {
        return match one_of(word(rest).0, &["TLS", "TLS-C", "TLS-P", "SSL", "GSSAPI", "KERBEROS_V4"]) {
            // The server may refuse it: what follows decides.
            Some("GSSAPI" | "KERBEROS_V4") => LineCommand::Harmless,
            Some(_) => LineCommand::Upgrade,
            None => LineCommand::Foreign,
        };
    }
    if one_of(first, &ENCRYPTED).is_some() {
        return LineCommand::OtherSecurity;
    }
    match (one_of(first, &HARMLESS), one_of(first, &SUBSTANCE)) {
        (Some(_), _) => LineCommand::Harmless,
        (_, Some(word)) => LineCommand::Substance(word),
        _ => LineCommand::Foreign,
    }
}
