//! ManageSieve (RFC 5804): users' filters of mail, with STARTTLS (§2.2).

use super::line::{self, Dialect, LineCommand, Reply, authentication, one_of, split, word};
use super::mail::upgrade_or;
use super::sasl::Exchange;
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};

pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect =
        Dialect { name: "ManageSieve", upgrade: "STARTTLS", greeting, command, reply, exchange };
    line::read(dialogue, &DIALECT)
}

/// A server begins with its capabilities, each in quotes (§1.7).
fn greeting(server: &[u8]) -> Option<bool> {
    const NAMES: [&str; 8] = [
        "\"IMPLEMENTATION\"",
        "\"SIEVE\"",
        "\"SASL\"",
        "\"STARTTLS\"",
        "\"VERSION\"",
        "\"NOTIFY\"",
        "\"MAXREDIRECTS\"",
        "\"LANGUAGE\"",
    ];
    let mut begins = NAMES.iter().map(|name| starts(server, name.as_bytes()));
    if begins.clone().any(|begins| begins == Some(true)) {
        return Some(true);
    }
    if begins.any(|begins| begins.is_none()) { None } else { Some(false) }
}

fn command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 4] = ["CAPABILITY", "NOOP", "LOGOUT", "UNAUTHENTICATE"];
    const SUBSTANCE: [&str; 8] = [
        "HAVESPACE",
        "PUTSCRIPT",
        "LISTSCRIPTS",
        "SETACTIVE",
        "GETSCRIPT",
        "DELETESCRIPT",
        "RENAMESCRIPT",
        "CHECKSCRIPT",
    ];
    let (first, rest) = word(line);
    if first.eq_ignore_ascii_case(b"AUTHENTICATE") {
        let mechanism = word(rest).0;
        let mechanism = mechanism.strip_prefix(b"\"").unwrap_or(mechanism);
        return authentication("AUTHENTICATE", mechanism.strip_suffix(b"\"").unwrap_or(mechanism));
    }
    upgrade_or(first, &HARMLESS, &SUBSTANCE)
}

/// Whether a line ends a response, and whether it agrees (§1.2).
fn ends(line: &[u8]) -> Option<bool> {
    let first = line.split(|byte| matches!(byte, b' ' | b'(')).next().unwrap_or_default();
    one_of(first, &["OK", "NO", "BYE"]).map(|end| end == "OK")
}

/// The response to the last line; the greeting is one too.
fn reply<'a>(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>> {
    let mut rest = server;
    let mut agrees = false;
    for _greeting_or_line in 0..=lines.len() {
        loop {
            let (line, behind) = split(rest)?;
            rest = behind;
            if let Some(end) = ends(line) {
                agrees = end;
                break;
            }
        }
    }
    Some((agrees, rest))
}

/// Strings of either side may be literals of several lines, so that their number says nothing.
fn exchange<'a>(server: &'a [u8], lines: &[&[u8]]) -> Exchange<'a> {
    Exchange { prompts: usize::MAX, outcome: reply(server, lines) }
}
