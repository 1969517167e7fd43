//! Which declaration a port number belongs to, where several claim it.
//!
//! Belongs here: the check that it is always clear. Local services must not share a number; remote ones may if no peer
//! can belong to both, because a flow falls under the service that contains its peer.

use std::collections::{BTreeMap, HashMap, HashSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::policy::model::{Model, PeerSpec, Site, loopback_nets};
use crate::written::{Loc, Report, quoted};

/// A declaration's index and where it names the number.
type PlacedClaim = (usize, Loc);

/// Reports every pair of declarations that claim the same flows.
pub(super) fn check(model: &Model, report: &mut Report<'_>) {
    let mut claims: BTreeMap<u16, Vec<PlacedClaim>> = BTreeMap::new();
    for (index, declaration) in model.declarations.iter().enumerate() {
        for numbers in &declaration.numbers {
            for number in numbers.value.first..=numbers.value.last {
                let claims = claims.entry(number).or_default();
                if claims.last().is_none_or(|(last, _)| *last != index) {
                    claims.push((index, numbers.loc));
                }
            }
        }
    }
    // The ports of a range are claimed by the same declarations: they are compared once.
    let mut compared: HashSet<Vec<usize>> = HashSet::new();
    let mut reported: HashSet<(usize, usize)> = HashSet::new();
    for (number, claims) in claims.into_iter().filter(|(_, claims)| claims.len() > 1) {
        if !compared.insert(claims.iter().map(|(index, _)| *index).collect()) {
            continue;
        }
        for (first, second) in clashes(model, &claims) {
            if !reported.insert((first.0, second.0)) {
                continue;
            }
            let name = quoted(&model.declarations[first.0].name);
            let message = format!("port {number} is already claimed by {name} at {}", report.place(first.1));
            let help = "keep both in one declaration with a role each; remote services may share a number if \
                        their networks do not overlap";
            report.error(second.1, message, help.to_owned());
        }
    }
}

/// The pairs of claims to one number that overlap, each in the order written.
fn clashes(model: &Model, claims: &[PlacedClaim]) -> Vec<(PlacedClaim, PlacedClaim)> {
    let mut clashes = Vec::new();
    let mut local: Option<PlacedClaim> = None;
    let mut nets: Vec<(IpNet, PlacedClaim)> = Vec::new();
    let mut hosts: HashMap<&str, PlacedClaim> = HashMap::new();
    for claim in claims {
        let peers = match &model.declarations[claim.0].site {
            Site::Local(_) => {
                clashes.extend(local.map(|first| (first, *claim)));
                local = local.or(Some(*claim));
                continue;
            }
            Site::Remote(peers) => peers,
        };
        for peer in peers {
            match &peer.value {
                PeerSpec::Any => {
                    nets.extend(
                        [Ipv4Net::default().into(), Ipv6Net::default().into()].map(|net| (net, *claim)),
                    );
                }
                PeerSpec::Loopback => nets.extend(loopback_nets().map(|net| (net, *claim))),
                PeerSpec::Net(net) => nets.push((*net, *claim)),
                PeerSpec::Host(name) => {
                    let first = *hosts.entry(name).or_insert(*claim);
                    if first.0 != claim.0 {
                        clashes.push((first, *claim));
                    }
                }
                // Already replaced by its members.
                PeerSpec::Set(_) => {}
            }
        }
    }
    // Networks nest or are apart: in order of address, a network overlaps at most with the last widest one.
    nets.sort_unstable_by_key(|(net, claim)| (net.network(), net.prefix_len(), claim.0));
    let mut widest: Option<(IpNet, PlacedClaim)> = None;
    for (net, claim) in nets {
        match widest {
            Some((outer, first)) if outer.contains(&net) => {
                if first.0 != claim.0 {
                    clashes.push(if first.0 < claim.0 { (first, claim) } else { (claim, first) });
                }
            }
            _ => widest = Some((net, claim)),
        }
    }
    clashes
}
