//! SMTP (RFC 5321, RFC 3207), IMAP (RFC 9051 §6.2.1) and POP3 (RFC 1939, RFC 2595 §4).

use super::line::{self, Dialect, LineCommand, Reply, authentication, one_of, split, word};
use super::sasl::Exchange;
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};

/// SMTP and LMTP.
pub(in crate::posture) fn smtp(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "SMTP",
        upgrade: "STARTTLS",
        greeting: |server| numbered_greeting(server, &["220", "421", "554"]),
        command: smtp_command,
        reply: numbered_reply,
        exchange: numbered_exchange,
    };
    // AUTH needs an EHLO before it; as the first word it is FTP's command for TLS.
    match split(dialogue.client) {
        Some((first, _)) if word(first).0.eq_ignore_ascii_case(b"AUTH") => Reading::Foreign,
        _ => line::read(dialogue, &DIALECT),
    }
}

pub(in crate::posture) fn imap(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "IMAP",
        upgrade: "STARTTLS",
        greeting: imap_greeting,
        command: imap_command,
        reply: imap_reply,
        exchange: imap_exchange,
    };
    line::read(dialogue, &DIALECT)
}

pub(in crate::posture) fn pop3(dialogue: &Dialogue<'_>) -> Reading {
    const DIALECT: Dialect = Dialect {
        name: "POP3",
        upgrade: "STLS",
        greeting: |server| match (starts(server, b"+OK"), starts(server, b"-ERR")) {
            (Some(false), err) => err,
            (ok, _) => ok,
        },
        command: pop3_command,
        reply: pop3_reply,
        exchange: pop3_exchange,
    };
    line::read(dialogue, &DIALECT)
}

/// STARTTLS, or which of the commands of a dialect it is.
pub(super) fn upgrade_or(first: &[u8], harmless: &[&'static str], substance: &[&'static str]) -> LineCommand {
    if first.eq_ignore_ascii_case(b"STARTTLS") {
        LineCommand::Upgrade
    } else if one_of(first, harmless).is_some() {
        LineCommand::Harmless
    } else {
        one_of(first, substance).map_or(LineCommand::Foreign, LineCommand::Substance)
    }
}

fn smtp_command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 7] = ["EHLO", "HELO", "LHLO", "NOOP", "RSET", "HELP", "QUIT"];
    const SUBSTANCE: [&str; 10] =
        ["MAIL", "RCPT", "DATA", "BDAT", "VRFY", "EXPN", "ETRN", "BURL", "XCLIENT", "XFORWARD"];
    let (first, rest) = word(line);
    if first.eq_ignore_ascii_case(b"AUTH") {
        return authentication("AUTH", word(rest).0);
    }
    upgrade_or(first, &HARMLESS, &SUBSTANCE)
}

/// Whether a server begins with one of these codes.
pub(super) fn numbered_greeting(server: &[u8], codes: &[&str]) -> Option<bool> {
    let mut matches = codes.iter().map(|code| starts(server, code.as_bytes()));
    if matches.clone().any(|matched| matched == Some(true)) {
        return Some(true);
    }
    if matches.any(|matched| matched.is_none()) { None } else { Some(false) }
}

/// The reply to the last line, where every reply ends with a line of three digits and a blank (RFC 5321 §4.2,
/// RFC 959 §4.2), and the greeting is one too.
pub(super) fn numbered_reply<'a>(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>> {
    let mut rest = server;
    let mut agrees = false;
    for _greeting_or_line in 0..=lines.len() {
        loop {
            let (line, behind) = split(rest)?;
            rest = behind;
            let code = line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit);
            if code && line.get(3).is_none_or(|byte| *byte == b' ') {
                agrees = line[0] == b'2';
                break;
            }
        }
    }
    Some((agrees, rest))
}

/// The replies to the last line: those that begin with 3 ask for a response (RFC 4954 §4, RFC 4643 §2.4).
pub(super) fn numbered_exchange<'a>(server: &'a [u8], lines: &[&[u8]]) -> Exchange<'a> {
    let mut exchange = Exchange::default();
    let before = &lines[..lines.len().saturating_sub(1)];
    let Some((_, mut rest)) = numbered_reply(server, before) else { return exchange };
    while let Some((line, behind)) = split(rest) {
        rest = behind;
        // A line of a list, or one that another follows.
        let code = line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit);
        if !code || line.get(3).is_some_and(|byte| *byte == b'-') {
            continue;
        }
        match line.first() {
            Some(b'3') => exchange.prompts += 1,
            first => {
                exchange.outcome = Some((first == Some(&b'2'), rest));
                break;
            }
        }
    }
    exchange
}

fn imap_greeting(server: &[u8]) -> Option<bool> {
    numbered_greeting(server, &["* OK", "* PREAUTH", "* BYE"])
}

fn imap_command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 4] = ["CAPABILITY", "NOOP", "LOGOUT", "ID"];
    const SUBSTANCE: [&str; 11] = [
        "LOGIN",
        "SELECT",
        "EXAMINE",
        "LIST",
        "LSUB",
        "STATUS",
        "APPEND",
        "ENABLE",
        "NAMESPACE",
        "CREATE",
        "UID",
    ];
    let (tag, rest) = word(line);
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"*+(){%\"\\".contains(byte);
    if tag.is_empty() || !tag.iter().all(plain) {
        return LineCommand::Foreign;
    }
    let (first, rest) = word(rest);
    if first.eq_ignore_ascii_case(b"AUTHENTICATE") {
        return authentication("AUTHENTICATE", word(rest).0);
    }
    upgrade_or(first, &HARMLESS, &SUBSTANCE)
}

/// The line that begins with the tag of the last command. Some clients use one tag for all of them.
fn imap_reply<'a>(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>> {
    let (tag, _) = word(lines.last()?);
    let mut before = lines.iter().filter(|line| word(line).0 == tag).count();
    let mut rest = server;
    loop {
        let (line, behind) = split(rest)?;
        rest = behind;
        let (first, status) = word(line);
        before -= usize::from(first == tag);
        if before == 0 {
            return Some((word(status).0.eq_ignore_ascii_case(b"OK"), rest));
        }
    }
}

/// The lines that begin with `+` ask for a response; the last command's tag ends them (RFC 9051 §6.2.2).
fn imap_exchange<'a>(server: &'a [u8], lines: &[&[u8]]) -> Exchange<'a> {
    let outcome = imap_reply(server, lines);
    let end = outcome.map_or(server.len(), |(_, rest)| server.len() - rest.len());
    let mut rest = &server[..end];
    let mut prompts = 0;
    while let Some((line, behind)) = split(rest) {
        prompts += usize::from(line.starts_with(b"+"));
        rest = behind;
    }
    Exchange { prompts, outcome }
}

fn pop3_command(line: &[u8]) -> LineCommand {
    const HARMLESS: [&str; 3] = ["CAPA", "NOOP", "QUIT"];
    const SUBSTANCE: [&str; 7] = ["USER", "PASS", "APOP", "STAT", "LIST", "RETR", "UIDL"];
    let (first, rest) = word(line);
    // AUTH alone only asks for the list of mechanisms.
    let lists = first.eq_ignore_ascii_case(b"AUTH") && rest.is_empty();
    if first.eq_ignore_ascii_case(b"STLS") {
        LineCommand::Upgrade
    } else if first.eq_ignore_ascii_case(b"AUTH") && !lists {
        authentication("AUTH", word(rest).0)
    } else if lists || one_of(first, &HARMLESS).is_some() {
        LineCommand::Harmless
    } else {
        one_of(first, &SUBSTANCE).map_or(LineCommand::Foreign, LineCommand::Substance)
    }
}

/// The reply to the last line. Those to CAPA and AUTH go on up to a line with a dot, if they agree.
fn pop3_reply<'a>(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>> {
    let (_greeting, mut rest) = split(server)?;
    let mut agrees = false;
    for line in lines {
        let (status, behind) = split(rest)?;
        rest = behind;
        agrees = status.starts_with(b"+OK");
        let mut more = agrees && one_of(word(line).0, &["CAPA", "AUTH"]).is_some();
        while more {
            let (item, behind) = split(rest)?;
            rest = behind;
            more = item != b".";
        }
    }
    Some((agrees, rest))
}

/// The lines of `+` and a blank ask for a response (RFC 5034 §4).
fn pop3_exchange<'a>(server: &'a [u8], lines: &[&[u8]]) -> Exchange<'a> {
    let mut exchange = Exchange::default();
    let before = &lines[..lines.len().saturating_sub(1)];
    let Some((_, mut rest)) = pop3_reply(server, before) else { return exchange };
    while let Some((line, behind)) = split(rest) {
        rest = behind;
        if line == b"+" || line.starts_with(b"+ ") {
            exchange.prompts += 1;
        } else {
            exchange.outcome = Some((line.starts_with(b"+OK"), rest));
            break;
        }
    }
    exchange
}
