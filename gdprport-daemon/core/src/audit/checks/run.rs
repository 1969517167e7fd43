//! Every check, in the order of the findings.

use super::{certificates, changes, coverage, encryption, listeners, records, rules, unused, usage, volume};
use crate::audit::context::Context;

/// Runs every check. Two findings have none: `third-country-candidate` needs the controller's own list of countries, and
/// `not-enforcing` a mode that enforces; a policy can have neither yet, so there is nothing that anybody asked for.
pub(in crate::audit) fn all(context: &mut Context<'_>) {
    listeners::check(context);
    unused::listeners(context);
    usage::check(context);
    rules::check(context);
    encryption::check(context);
    certificates::check(context);
    records::check(context);
    volume::check(context);
    coverage::check(context);
    changes::check(context);
}
