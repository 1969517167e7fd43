//! Every check, in the order of the findings.

use super::{
    certificates, changes, countries, coverage, encryption, enforced, listeners, records, rules, unused,
    usage, volume,
};
use crate::audit::context::Context;

/// Runs every check.
pub(in crate::audit) fn all(context: &mut Context<'_>) {
    listeners::check(context);
    unused::listeners(context);
    usage::check(context);
    rules::check(context);
    encryption::check(context);
    certificates::check(context);
    records::check(context);
    countries::check(context);
    volume::check(context);
    coverage::check(context);
    changes::check(context);
    enforced::check(context);
}
