//! Protocols of text lines with a command for the upgrade: what SMTP, IMAP, POP3 and FTP have in common.
//!
//! Belongs here: cutting lines and following commands up to the upgrade or the first that matters. What the commands
//! and replies of one protocol are is in its dialect, in `mail` and `ftp`.

pub(super) use super::cut::{MAX_LINE, Reply, split};
use super::sasl::{self, Exchange, Layered};
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade;

/// What a client's line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineCommand {
    /// Nothing of substance: capabilities, no-operation, quit.
    Harmless,
    /// To go on with TLS.
    Upgrade,
    /// To go on with an encryption that is not TLS and not read here.
    OtherSecurity,
    /// To authenticate by a mechanism that can encrypt what follows. The command's name, for the evidence.
    Authentication(&'static str, Layered),
    /// It carries credentials or data, or leads to them. Its name, for the evidence.
    Substance(&'static str),
    /// It is no line of this protocol.
    Foreign,
}

/// A protocol of text lines.
pub(super) struct Dialect {
    pub name: &'static str,
    /// The command for the upgrade, for the evidence.
    pub upgrade: &'static str,
    /// Whether a server may begin so; `None` while there are too few bytes.
    pub greeting: fn(&[u8]) -> Option<bool>,
    /// What a client's line, without its end, asks for.
    pub command: fn(&[u8]) -> LineCommand,
    /// Finds in all of the server's bytes the reply to the last of these lines of the client: whether it agrees, and
    /// what stands behind the reply.
    pub reply: for<'a> fn(server: &'a [u8], lines: &[&[u8]]) -> Option<Reply<'a>>,
    /// Finds in all of the server's bytes the exchange that the last of these lines of the client began.
    pub exchange: for<'a> fn(server: &'a [u8], lines: &[&[u8]]) -> Exchange<'a>,
}

/// A command to authenticate: by a mechanism that can encrypt what follows, or not.
pub(super) fn authentication(command: &'static str, mechanism: &[u8]) -> LineCommand {
    match sasl::layered(mechanism) {
        Some(layered) if !mechanism.is_empty() => LineCommand::Authentication(command, layered),
        _ => LineCommand::Substance(command),
    }
}

/// The most lines before the upgrade.
const MAX_LINES: usize = 16;

/// The first line if it is text; `Some(None)` if it is not, or too long, `None` while its end is not there.
pub(super) fn text(bytes: &[u8]) -> Option<Option<(&[u8], &[u8])>> {
    match split(bytes) {
        Some((line, rest)) => Some(is_text(line).then_some((line, rest))),
        None if bytes.len() >= MAX_LINE || !is_text(bytes) => Some(None),
        None => None,
    }
}

/// The first word of a line and the rest behind the blank.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    (&line[..end], line.get(end + 1..).unwrap_or_default())
}

/// Whether these bytes can be the beginning of a line of text. UTF-8 and Latin-1 pass, control characters do not.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n'))
}

/// The one of `words` that `word` is, in any case of letters.
pub(super) fn one_of(word: &[u8], words: &[&'static str]) -> Option<&'static str> {
    words.iter().copied().find(|known| known.as_bytes().eq_ignore_ascii_case(word))
}

/// Reads a dialogue of this dialect. Where it is not declared, the server's greeting must be there: several protocols
/// share their clients' commands.
pub(super) fn read(dialogue: &Dialogue<'_>, dialect: &Dialect) -> Reading {
    let greeting = (dialect.greeting)(dialogue.server);
    if greeting == Some(false) {
        return Reading::Foreign;
    }
    match follow(dialogue, dialect) {
        Reading::Seen { .. } | Reading::Never(_) if !dialogue.declared && greeting.is_none() => {
            Reading::open("a text protocol, of which the server's greeting was not seen")
        }
        reading => reading,
    }
}

/// Follows a client's commands up to the first that decides.
fn follow(dialogue: &Dialogue<'_>, dialect: &Dialect) -> Reading {
    let mut lines = Vec::new();
    let mut rest = dialogue.client;
    while let Some(next) = text(rest) {
        let Some((line, behind)) = next else { return Reading::Foreign };
        let command = match (dialect.command)(line) {
            // Extensions abound: only the first command must be a known one.
            LineCommand::Foreign if !lines.is_empty() => LineCommand::Harmless,
            command => command,
        };
        lines.push(line);
        rest = behind;
        match command {
            LineCommand::Harmless if lines.len() < MAX_LINES => {}
            LineCommand::Harmless => {
                return Reading::Never(format!("{}: only harmless commands", dialect.name).into());
            }
            LineCommand::Upgrade => return upgraded(dialogue, dialect, &lines, rest),
            LineCommand::OtherSecurity => {
                return Reading::Never(format!("{}: a security layer that is not read", dialect.name).into());
            }
            LineCommand::Authentication(word, mechanism) => {
                let exchange = (dialect.exchange)(dialogue.server, &lines);
                let how = format!("{} {word}", dialect.name);
                let plain = format!("{how} without {}", dialect.upgrade);
                return sasl::in_lines(&how, &plain, mechanism, rest, &exchange);
            }
            LineCommand::Substance(word) => {
                return upgrade::plaintext(format!("{} {word} without {}", dialect.name, dialect.upgrade));
            }
            LineCommand::Foreign => return Reading::Foreign,
        }
    }
    if lines.is_empty() {
        // Tag and command are complete: what comes behind them makes no other command of them.
        let complete = rest.iter().filter(|byte| **byte == b' ').count() >= 2;
        if !word(rest).0.is_ascii() || complete && (dialect.command)(rest) == LineCommand::Foreign {
            return Reading::Foreign;
        }
    }
    Reading::Open(
        format!("{}: neither {} nor a command with data was seen", dialect.name, dialect.upgrade).into(),
    )
}

/// The last of `lines` asked for the upgrade; `rest` is what the client sent then.
fn upgraded(dialogue: &Dialogue<'_>, dialect: &Dialect, lines: &[&[u8]], rest: &[u8]) -> Reading {
    let asked = format!("{} {}", dialect.name, dialect.upgrade);
    match (dialect.reply)(dialogue.server, lines) {
        Some((true, server)) => {
            upgrade::after(&asked, dialogue, rest, server).unwrap_or_else(|| upgrade::ignored(&asked))
        }
        Some((false, _)) => {
            let mut rest = rest;
            let mut went_on = false;
            while let Some((line, behind)) = split(rest) {
                went_on |= matches!(
                    (dialect.command)(line),
                    LineCommand::Substance(_) | LineCommand::Authentication(..)
                );
                rest = behind;
            }
            upgrade::refused(&asked, went_on)
        }
        None if rest.first() == Some(&0x16) => {
            let unseen = Reading::Open(format!("{asked}; the reply was not seen").into());
            upgrade::after(&asked, dialogue, rest, &[]).unwrap_or(unseen)
        }
        None => Reading::Open(format!("{asked} was asked for; the reply was not seen").into()),
    }
}
