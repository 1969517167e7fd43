//! `gdprport flows …`: what can be typed.

use std::path::PathBuf;

use clap::Args;

use super::since::Since;
use crate::control::api::FlowQuery;

/// What `gdprport flows --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  gdprport flows --port customers-db  one port, by name or by number
  gdprport flows --violations         only what no rule allows
  gdprport flows --follow | jq .kind  what opens, fails and closes from now on
  gdprport flows --since 7d           what there was; by the ledger, no daemon

PROCESS is `name pid`, with how it is known where that is not `exact`. With
--since, flows of a day that have everything in common are one row; its number
is what `policy explain --row` takes. A flow whose encryption or verdict became
another one is counted in the row of each. Times are in UTC.";

/// `gdprport flows …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct FlowsArgs {
    /// Only this port, by its name in the policy or catalog, or by its number.
    #[arg(long, value_name = "NAME|NUMBER", value_parser = port)]
    pub(in crate::ui) port: Option<String>,
    /// Only what no rule allows.
    #[arg(long)]
    pub(in crate::ui) violations: bool,
    /// Instead of what is open now, print what opens, fails and closes from now on.
    #[arg(long, conflicts_with = "limit")]
    pub(in crate::ui) follow: bool,
    /// Instead of what is open now, list what there was since then, by the ledger: a duration (7d, 12h) or a day
    /// (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", conflicts_with = "follow")]
    pub(in crate::ui) since: Option<Since>,
    /// With --since: the ledger to read instead of the host's.
    #[arg(long, value_name = "FILE", requires = "since")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// At most this many, the oldest first; with --since the latest.
    #[arg(long, value_name = "N", default_value_t = FlowQuery::DEFAULT_LIMIT, value_parser = limit)]
    pub(in crate::ui) limit: usize,
}

/// A port by name or number: a number is one that a port can have.
pub(super) fn port(text: &str) -> Result<String, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && !text.parse().is_ok_and(|number: u16| number > 0) {
        return Err(format!("ports have numbers from 1 to {}; or give its name", u16::MAX));
    }
    Ok(text.to_owned())
}

fn limit(text: &str) -> Result<usize, String> {
    let range = 1..=FlowQuery::MAX_LIMIT;
    text.parse()
        .ok()
        .filter(|limit| range.contains(limit))
        .ok_or_else(|| format!("a number from 1 to {}", range.end()))
}
