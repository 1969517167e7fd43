//! Ports of which the policy decides who listens.

use crate::policy::{OnListener, PortClaim};

/// The declaration that decides who listens on a number with these claims.
pub(super) fn guards(claims: &[PortClaim]) -> Option<usize> {
    let here = claims.first().filter(|claim| claim.local)?;
    let enforcement = here.info.enforcement;
    let decides = enforcement.listener == OnListener::Deny && !enforcement.mode.is_observe();
    here.declaration.filter(|_| decides)
}
