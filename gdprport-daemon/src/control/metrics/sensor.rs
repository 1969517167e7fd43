//! All metrics of the sensor, from one status.

use super::family::Family;
use super::{
    control, coverage, daemon, enforcement, events, hooks, ledger, owners, policy, ports, spool, volumes,
};
use crate::control::api::Status;

/// Every metric of the sensor; one of which nothing is known has no value.
#[must_use]
pub(crate) fn sensor(status: &Status) -> Vec<Family> {
    let mut all = daemon::metrics(status);
    all.extend(policy::metrics(&status.policy));
    all.extend(enforcement::metrics(status.enforcement.as_ref()));
    all.extend(ports::metrics(&status.ports));
    all.extend(volumes::metrics(&status.volumes));
    all.extend(events::metrics(status));
    all.extend(spool::metrics(&status.sinks));
    all.extend(hooks::metrics(&status.hooks));
    all.extend(coverage::metrics(&status.coverage));
    all.extend(owners::metrics(status));
    all.extend(ledger::metrics(&status.ledger));
    all.extend(control::metrics(&status.control));
    all
}
