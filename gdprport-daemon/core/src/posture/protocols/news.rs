//! NNTP (RFC 3977) with STARTTLS (RFC 4642), and IRC (RFC 2812) with the command of that name (IRCv3 `tls`).

use super::line::{self, Dialect, LineCommand, Reply, authentication, one_of, split, word};
use super::mail::{numbered_exchange, numbered_greeting, numbered_reply, upgrade_or};
use super::sasl::Exchange;
use crate::posture::reading::{Dialogue, Reading};

pub(in crate::posture) fn nntp(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "NNTP",
        upgrade: "STARTTLS",
        greeting: |server| numbered_greeting(server, &["200 ", "201 "]),
        command: nntp_command,
        reply: nntp_reply,
        exchange: numbered_exchange,
    };
    line::read(dialogue, &DIALECT)
}

fn nntp_command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 5] = ["CAPABILITIES", "MODE", "HELP", "DATE", "QUIT"];
    #[rustfmt::skip]
    const SUBSTANCE: [&str; 18] = [
        "GROUP", "LISTGROUP", "ARTICLE", "HEAD", "BODY", "STAT", "LIST", "NEWGROUPS", "NEWNEWS", "POST", "IHAVE", "OVER",
        "XOVER", "HDR", "XHDR", "XPAT", "CHECK", "TAKETHIS",
    ];
    let (first, rest) = word(line);
    if first.eq_ignore_ascii_case(b"AUTHINFO") {
        let (how, rest) = word(rest);
        return if how.eq_ignore_ascii_case(b"SASL") {
            authentication("AUTHINFO", word(rest).0)
        } else {
            LineCommand::Substance("AUTHINFO")
        };
    }
    upgrade_or(first, &HARMLESS, &SUBSTANCE)
}

/// The reply to the last line: 382 agrees (RFC 4642 §2.2.1). The lines of a list have no code.
fn nntp_reply<'a>(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>> {
    let (_, behind) = numbered_reply(server, lines)?;
    let seen = &server[..server.len() - behind.len()];
    let last = seen.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    Some((last.starts_with(b"382"), behind))
}

pub(in crate::posture) fn irc(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "IRC",
        upgrade: "STARTTLS",
        greeting: |server| numbered_greeting(server, &[":", "NOTICE ", "PING ", "ERROR "]),
        command: irc_command,
        reply: irc_reply,
        exchange: |_, _| Exchange::default(),
    };
    line::read(dialogue, &DIALECT)
}

fn irc_command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 4] = ["CAP", "PING", "PONG", "QUIT"];
    const SUBSTANCE: [&str; 10] =
        ["PASS", "NICK", "USER", "AUTHENTICATE", "SERVER", "SERVICE", "JOIN", "PRIVMSG", "OPER", "WEBIRC"];
    let (first, rest) = word(line);
    // Redis has commands of these names too, with other words behind.
    match (one_of(first, &HARMLESS), one_of(first, &SUBSTANCE)) {
        _ if first.eq_ignore_ascii_case(b"STARTTLS") && rest.is_empty() => LineCommand::Upgrade,
        (Some(_), _) => LineCommand::Harmless,
        (_, Some(word)) => LineCommand::Substance(word),
        _ => LineCommand::Foreign,
    }
}

/// 670 agrees; 691, an unknown command (421) and one that comes too early (451) do not.
fn irc_reply<'a>(server: &'a [u8], _lines: &[&[u8]]) -> Option<Reply<'a>> {
    let mut rest = server;
    loop {
        let (line, behind) = split(rest)?;
        rest = behind;
        let numeric = if line.starts_with(b":") { word(word(line).1).0 } else { word(line).0 };
        match numeric {
            b"670" => return Some((true, rest)),
            b"691" | b"421" | b"451" => return Some((false, rest)),
            _ => {}
        }
    }
}
