//! The part of the status about the ledger: where it is, from when to when, and why it is not written.

use super::format::{bytes, moment, thousands};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::{LedgerStanding, LedgerStatus};

/// How the ledger is. Paths and errors are of the host: they are cleaned where they are shown.
pub(super) fn ledger(ledger: &LedgerStatus, screen: &Screen) -> String {
    let remark = match (ledger.state, ledger.since) {
        (LedgerStanding::Off, _) => return title("LEDGER", "none is kept: only what is open now is known"),
        (_, Some(since)) => format!("since {}", moment(since)),
        (_, None) => "never opened".to_owned(),
    };
    let mut text = title("LEDGER", &remark);
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    let (tone, state) = match ledger.state {
        LedgerStanding::Off | LedgerStanding::Ok => (Tone::Plain, "written"),
        LedgerStanding::Late => (Tone::Warn, "late"),
        LedgerStanding::Unavailable => (Tone::Bad, "not written"),
    };
    let until =
        ledger.stored_until.map(|until| format!(", whole up to {}", moment(until))).unwrap_or_default();
    let why = ledger.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    add("state", tone, &format!("{state}{until}{why}"));
    add("file", Tone::Plain, ledger.path.as_deref().unwrap_or_default());
    let log = match ledger.wal_bytes {
        0 => String::new(),
        log => format!(" and {} of log", bytes(log)),
    };
    let stored = format!("{}{log}, {} rows added to", bytes(ledger.bytes), thousands(ledger.rows));
    add("size", Tone::Plain, &stored);
    if ledger.waiting > 0 && ledger.state != LedgerStanding::Ok {
        add("waiting", Tone::Warn, &format!("{} batches", thousands(ledger.waiting)));
    }
    if ledger.lost > 0 {
        add(
            "lost",
            Tone::Bad,
            &format!("{} found no room; see the gaps `ledger:full`", thousands(ledger.lost)),
        );
    }
    if let Some(aside) = &ledger.set_aside {
        add("set aside", Tone::Warn, aside);
    }
    if let Some(error) = ledger.last_error.as_ref().filter(|error| ledger.why.as_ref() != Some(*error)) {
        add("last error", Tone::Warn, error);
    }
    text
}
