//! How much all files of a policy together may name.

use std::collections::HashSet;

use crate::policy::model::{Model, PeerSpec};
use crate::written::Report;

/// How many different host names a policy may have; the daemon resolves and refreshes each.
const HOSTS_MAX: usize = 4096;
/// How many port numbers all declarations together may claim: four times all there are.
const CLAIMS_MAX: usize = 4 * 65535;

/// Whether the declarations claim few enough numbers to compare them.
pub(super) fn claims_are_bounded(model: &Model, report: &mut Report<'_>) -> bool {
    let mut claims = 0;
    for declaration in &model.declarations {
        let numbers = declaration.numbers.iter();
        claims +=
            numbers.map(|numbers| usize::from(numbers.value.last - numbers.value.first) + 1).sum::<usize>();
        if claims > CLAIMS_MAX {
            let message = format!("with this port the policy claims more than {CLAIMS_MAX} numbers");
            report.error(declaration.loc, message, "declare the ports that are in use".to_owned());
            return false;
        }
    }
    true
}

pub(super) fn check_hosts(model: &Model, report: &mut Report<'_>) {
    let mut hosts = HashSet::new();
    let of_sets = model.sets.0.values().flatten();
    let of_rules =
        model.declarations.iter().flat_map(|declaration| &declaration.rules).flat_map(|rule| &rule.peers);
    let of_exceptions = model.exceptions.iter().filter_map(|exception| exception.peers.as_ref()).flatten();
    for peer in of_sets.chain(of_rules).chain(of_exceptions) {
        if let PeerSpec::Host(name) = peer {
            hosts.insert(name);
        }
    }
    if hosts.len() > HOSTS_MAX
        && let Some(declaration) = model.declarations.first()
    {
        let message = format!("the policy has {} host names, more than {HOSTS_MAX}", hosts.len());
        report.error(declaration.loc, message, "write networks instead".to_owned());
    }
}
