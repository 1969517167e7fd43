//! What the policy allows, and what it is needed for: a list that several frameworks ask for.

use std::sync::Arc;

use crate::policy::{DeclaredRule, DeclaredSite, ProcessingRecord, TlsDemand};
use crate::records::{Activity, Records, Use};

/// A declared service.
#[derive(Debug, Clone, PartialEq)]
pub struct AllowedService<'r> {
    /// The declaration's name.
    pub name: &'r Arc<str>,
    /// Its TCP ports as a policy writes them.
    pub ports: Vec<String>,
    /// The application protocol, where it is known.
    pub protocol: Option<&'r str>,
    /// Where it runs.
    pub site: Option<&'r DeclaredSite>,
    /// The business need; `None`: nobody declared one.
    pub need: Option<&'r str>,
    /// The team that is responsible; `None`: nobody declared one.
    pub owner: Option<&'r str>,
    /// What is demanded of the encryption.
    pub tls: &'r TlsDemand,
    /// Who may communicate, and how often somebody did.
    pub rules: Vec<(&'r DeclaredRule, Option<&'r Use>)>,
}

/// The declared services, in the order of the policy.
#[must_use]
pub fn allowed_services(records: &Records) -> Vec<AllowedService<'_>> {
    records.activities.iter().map(service).collect()
}

fn service(activity: &Activity) -> AllowedService<'_> {
    let record: Option<&ProcessingRecord> = activity.declared.as_deref();
    AllowedService {
        name: &activity.name,
        ports: activity.ports(),
        protocol: activity.protocol.as_deref(),
        site: activity.site.as_ref(),
        need: record.and_then(|record| record.purpose.as_deref()),
        owner: record.and_then(|record| record.owner.as_deref()),
        tls: &activity.tls,
        rules: activity.rules.iter().map(|of| (&of.rule, of.used.as_ref())).collect(),
    }
}
