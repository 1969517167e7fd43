//! The ledger.

use super::family::{Family, Samples};
use crate::control::api::{LedgerStanding, LedgerStatus};

pub(super) fn metrics(ledger: &LedgerStatus) -> Vec<Family> {
    let states = [
        ("off", LedgerStanding::Off),
        ("ok", LedgerStanding::Ok),
        ("late", LedgerStanding::Late),
        ("unavailable", LedgerStanding::Unavailable),
    ];
    vec![
        Family::gauge(
            "gdprport_ledger_state",
            &["state"],
            "1 for the state of the ledger, 0 for the others: `ok`, `late` (batches wait), `unavailable` (it cannot be written) or `off`.",
            Samples::by(states.map(|(name, of)| (name, of == ledger.state))),
        ),
        Family::gauge(
            "gdprport_ledger_stored_timestamp_seconds",
            &[],
            "Up to when all that happened is in the ledger, in seconds since 1970.",
            Samples::maybe(ledger.stored_until),
        ),
        Family::gauge(
            "gdprport_ledger_synced_timestamp_seconds",
            &[],
            "Up to when it also survives a power loss, in seconds since 1970.",
            Samples::maybe(ledger.synced_until),
        ),
        Family::counter(
            "gdprport_ledger_rows_total",
            &[],
            "Rows of the ledger that this daemon has stored or added to.",
            Samples::one(ledger.rows),
        ),
        Family::counter(
            "gdprport_ledger_batches_total",
            &[],
            "Batches that this daemon has stored, one a second.",
            Samples::one(ledger.batches),
        ),
        Family::gauge(
            "gdprport_ledger_waiting_batches",
            &[],
            "Batches that wait to be stored.",
            Samples::one(ledger.waiting),
        ),
        Family::counter(
            "gdprport_ledger_lost_total",
            &[],
            "What found no room on the way to the ledger.",
            Samples::one(ledger.lost),
        ),
        Family::gauge(
            "gdprport_ledger_size_bytes",
            &[],
            "Size of the ledger's database.",
            Samples::one(ledger.bytes),
        ),
        Family::gauge(
            "gdprport_ledger_wal_size_bytes",
            &[],
            "Size of its write-ahead log.",
            Samples::one(ledger.wal_bytes),
        ),
    ]
}
