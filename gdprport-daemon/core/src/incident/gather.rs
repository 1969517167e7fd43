//! From the ledger to a draft.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::asked::AskedPort;
use super::model::{Deadline, Exposure, Incident, PolicyThen, Reachable};
use super::watched::watched;
use crate::ledger::{Edge, Observed};
use crate::pack::Version;
use crate::policy::{Controller, Outline};
use crate::records::{self, About, Past};

/// What the ledger has of that time.
#[derive(Debug, Clone, Copy)]
pub struct Then<'a> {
    /// All but single rows.
    pub observed: &'a Observed,
    /// The rows, each with its number.
    pub rows: &'a [(i64, Edge)],
    /// The policies in force.
    pub versions: &'a [Version],
}

/// The names and numbers of ports that the policy, the ledger of that time, or the policies of then know.
#[must_use]
pub fn known_ports(policy: &Outline, then: Option<Then<'_>>) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let declared = |known: &mut BTreeSet<String>, outline: &Outline| {
        known.extend(outline.ports.iter().map(|port| port.name.to_string()));
    };
    declared(&mut known, policy);
    if let Some(then) = then {
        known.extend(then.observed.coverage.iter().map(|of| of.port.name.to_string()));
        known.extend(then.rows.iter().map(|(_, edge)| edge.key.port.name.to_string()));
        known.extend(then.observed.listeners.iter().map(|of| of.port.name.to_string()));
        for outline in then.versions.iter().filter_map(|version| version.text.outline()) {
            declared(&mut known, &outline);
        }
    }
    known
}

/// Gathers a draft about a port. `about.asked` and `about.to` are the time; `about.no_ledger` says why there is no `then`.
#[must_use]
pub fn gather(
    port: AskedPort,
    about: About,
    deadline: Deadline,
    controller: Option<Controller>,
    then: Option<Then<'_>>,
) -> Incident {
    let (from, to): (Timestamp, Timestamp) = (about.asked, about.to);
    let observed = then.map(|then| then.observed);
    let watched = watched(&port, from, to, observed);
    let rows: Vec<(i64, Edge)> = then.map_or_else(Vec::new, |then| {
        then.rows.iter().filter(|(_, edge)| port.is(&edge.key.port)).cloned().collect()
    });
    let past = observed.map(|observed| Past { observed, rows: &rows });
    let records = records::gather(about, None, past, &|_| None);
    let reachable = observed.map_or_else(Vec::new, |observed| {
        let of = observed.listeners.iter().filter(|of| port.is(&of.port));
        of.map(|of| Reachable { exposure: Exposure::of(of.local.ip), listener: of.clone() }).collect()
    });
    let hours = observed.map_or_else(Vec::new, |observed| {
        observed.volume.iter().filter(|of| port.is(&of.port)).cloned().collect()
    });
    let policies =
        then.map_or_else(Vec::new, |then| then.versions.iter().map(|of| policy(&port, of)).collect());
    Incident { port, from, to, deadline, controller, reachable, policies, records, hours, watched }
}

fn policy(port: &AskedPort, version: &Version) -> PolicyThen {
    let declares = version
        .text
        .outline()
        .map(|outline| outline.ports.iter().filter(|declared| port.is_declared(declared)).cloned().collect());
    PolicyThen { digest: version.digest.clone(), from: version.from, to: version.to, declares }
}
