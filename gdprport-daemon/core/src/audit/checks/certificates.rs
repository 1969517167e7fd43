//! Certificates that end soon.

use crate::audit::context::Context;
use crate::audit::finding::FindingId;

/// `certificate-expiring` is never judged: the ledger keeps no certificates, as each is of a single flow. They are in events, as
/// `posture.certificate`, for TLS up to 1.2.
pub(super) fn check(context: &mut Context<'_>) {
    context.not_judged(
        FindingId::CertificateExpiring,
        "the ledger keeps no certificates; those that TLS shows (up to 1.2) are in events, as `posture.certificate`",
    );
}
