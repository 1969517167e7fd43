//! Findings of an audit of policy and ledger with the exceptions that accept them, and those that audits before have recorded.

use std::fmt::Write as _;

use gdprport_core::audit::Audit;
use gdprport_core::pack::Recorded;
use gdprport_core::text::markdown as plain;
use serde::Serialize;

use super::super::markdown::markdown as of_audit;
use super::contents::Pack;
use super::violations::moment;

/// Findings of an audit of the policy and the ledger, and those that audits before have recorded: `findings.json`. Fields are only
/// ever added.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Findings<'p> {
    /// `gdprport.findings/1`.
    format: &'static str,
    /// Of the policy and the ledger; the host was not looked at.
    audit: &'p Audit,
    /// What audits before have recorded, in the order in which it was found.
    recorded: &'p [Recorded],
}

impl<'p> Findings<'p> {
    pub(super) const fn of(pack: &Pack<'p>) -> Self {
        Self { format: "gdprport.findings/1", audit: pack.facts.audit, recorded: pack.recorded }
    }
}

/// The page.
pub(super) fn markdown(pack: &Pack<'_>) -> String {
    let mut page = of_audit(pack.facts.audit);
    page.push_str("\n## Recorded by audits before\n\n");
    if pack.recorded.is_empty() {
        page.push_str("The ledger has no recorded finding (`gdprport audit --record`).\n");
        return page;
    }
    page.push_str(
        "| finding | severity | since | found last | settled | what |\n|---|---|---|---|---|---|\n",
    );
    for of in pack.recorded {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            of.finding.id,
            of.finding.severity,
            moment(of.since),
            moment(of.judged),
            of.settled.map_or_else(|| "open".to_owned(), moment),
            plain(&of.finding.message),
        )
        .expect("writing to a String cannot fail");
    }
    page
}
