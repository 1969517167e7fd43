//! Peers where they are written: in rules and services, and the named sets.

use std::collections::HashMap;

use crate::policy::model::{PeerSets, PeerSpec, is_set_name};
use crate::written::{At, Loc, OneOrMany, Report, Text, quoted};

/// How many named sets of peers a policy may have; an address is looked up among those that contain it.
const SETS_MAX: usize = 4096;

/// Reads peers; those that mean nothing are reported and left out.
pub(super) fn peers(
    written: &OneOrMany<Text>,
    sets: &PeerSets,
    report: &mut Report<'_>,
) -> Vec<At<PeerSpec>> {
    let mut peers = Vec::with_capacity(written.0.len());
    for text in &written.0 {
        let Some(peer) = peer(text, report) else { continue };
        if let PeerSpec::Set(name) = &peer
            && !sets.0.contains_key(&**name)
        {
            let help = report.did_you_mean(name, sets.0.keys().map(String::as_str)).unwrap_or_else(|| {
                "name it in `[peers]`; for a host name without a dot, add one at its end".to_owned()
            });
            // `[peers]` may stand on a line that could not be read.
            report.missing(text.loc, format!("no peers are named {}", quoted(name)), help);
            continue;
        }
        peers.push(At { value: peer, loc: text.loc });
    }
    peers
}

pub(super) fn peer(text: &At<Text>, report: &mut Report<'_>) -> Option<PeerSpec> {
    match PeerSpec::parse(&text.value) {
        Ok(PeerSpec::Net(net)) if net.addr().is_unspecified() && net.prefix_len() == net.max_prefix_len() => {
            let help = "write \"any\" for every peer".to_owned();
            report.error(text.loc, format!("{} is the address of nobody", quoted(&text.value)), help);
            None
        }
        Ok(peer) => Some(peer),
        Err((message, help)) => {
            report.error(text.loc, message, help);
            None
        }
    }
}

/// Adds one set of `[peers]`.
pub(super) fn add_set(
    sets: &mut PeerSets,
    places: &mut HashMap<String, Loc>,
    name: At<String>,
    members: OneOrMany<Text>,
    report: &mut Report<'_>,
) {
    if !is_set_name(&name.value) {
        let help = "use letters, digits, `-` and `_`, at most 64, and none of the words any, loopback, local";
        report.error(name.loc, format!("{} cannot name peers", quoted(&name.value)), help.to_owned());
        return;
    }
    if let Some(first) = places.get(&name.value) {
        let message =
            format!("the peers {} are named twice: first at {}", quoted(&name.value), report.place(*first));
        report.error(name.loc, message, "use another name".to_owned());
        return;
    }
    if sets.0.len() >= SETS_MAX {
        report.error(name.loc, format!("the policy names more than {SETS_MAX} sets of peers"), None);
        return;
    }
    let mut peers = Vec::with_capacity(members.0.len());
    for member in members.0 {
        match peer(&member, report) {
            Some(PeerSpec::Any) => {
                let help = "write \"any\" in the rule, where it is seen".to_owned();
                report.error(member.loc, "a set of peers cannot be anyone", help);
            }
            Some(PeerSpec::Set(other)) => {
                let help = "list its members; for a host name without a dot, add one at its end".to_owned();
                report.error(
                    member.loc,
                    format!("{} is no network, address or host name", quoted(&other)),
                    help,
                );
            }
            Some(peer) => peers.push(peer),
            None => {}
        }
    }
    places.insert(name.value.clone(), name.loc);
    sets.0.insert(name.value, peers);
}
