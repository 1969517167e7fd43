//! The peers of a rule: single addresses as long as they are few, then the smallest networks that have them, and never more
//! than a subnet.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::peers::{PEERS_MAX, written};
use super::group::subnet;
use crate::figures::counted;
use crate::inventory::Exposure;

/// How many addresses of a subnet make its network worth a remark.
const REMARKED: usize = 4;

/// How many networks one remark names.
const NAMED: usize = 8;

/// What a rule names, and what its author has to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Ascending.
    pub nets: Vec<IpNet>,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// The list for these peers, each with its connections.
pub(super) fn listed(peers: &BTreeMap<IpNet, u64>) -> Listed {
    let mut notes = Vec::new();
    let known: BTreeSet<IpNet> = peers.keys().copied().filter(|net| size(*net) > 1).collect();
    // A network has its addresses already. What each one weighs is its connections.
    let mut weights: BTreeMap<IpNet, u64> = BTreeMap::new();
    for (net, connections) in peers {
        let weight = weights.entry(widest(*net, &known)).or_default();
        *weight = weight.saturating_add(*connections);
    }
    if !known.is_empty() {
        let nets = weights.keys().filter(|net| known.contains(*net));
        let nets: Vec<_> = nets.map(|net| format!("{net} ({})", more(size(*net) - 1))).collect();
        notes.push(format!(
            "Of some addresses the ledger has only the network, which would allow up to so many more than seen: {}.",
            named(&nets)
        ));
    }
    let alternatives = subnets(weights.keys());
    if weights.len() <= PEERS_MAX {
        let worth = alternatives.iter().filter(|(_, members)| members.len() >= REMARKED);
        let nets: Vec<_> = worth.map(|(net, members)| wider(*net, members.len())).collect();
        if !nets.is_empty() {
            notes.push(format!("Instead of single addresses, if it is meant so: {}.", named(&nets)));
        }
        return Listed { nets: weights.into_keys().collect(), notes };
    }
    let mut gathered: Vec<_> = alternatives.into_iter().filter(|(_, members)| members.len() > 1).collect();
    gathered.sort_by_key(|(net, members)| (Reverse(members.len()), *net));
    let mut nets = Vec::new();
    for (net, members) in gathered {
        if weights.len() <= PEERS_MAX {
            break;
        }
        let weight = members.iter().filter_map(|single| weights.remove(single)).fold(0, u64::saturating_add);
        weights.insert(net, weight);
        nets.push(wider(net, members.len()));
    }
    if !nets.is_empty() {
        let all = counted(peers.len() as u64, "address");
        notes.push(format!(
            "{all} were seen, too many for a list, so these networks stand for some: {}.",
            named(&nets)
        ));
    }
    let mut weighed: Vec<_> = weights.into_iter().collect();
    if let Some(left) = weighed.len().checked_sub(PEERS_MAX).filter(|left| *left > 0) {
        weighed.sort_by_key(|(net, weight)| (Reverse(*weight), *net));
        weighed.truncate(PEERS_MAX);
        weighed.sort_unstable();
        notes.push(format!(
            "{} more were seen and are left out, those with the fewest connections: if anybody may connect, that is yours to say \
             (`any`).",
            counted(left as u64, "address")
        ));
    }
    Listed { nets: weighed.into_iter().map(|(net, _)| net).collect(), notes }
}

/// The widest of these networks that has a peer, or itself.
fn widest(net: IpNet, known: &BTreeSet<IpNet>) -> IpNet {
    if known.is_empty() {
        return net;
    }
    let mut wider = (subnet(&net)..net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
    wider.find_map(|wide| known.get(&wide.trunc()).copied()).unwrap_or(net)
}

/// Single addresses of private networks by the smallest network, at most a subnet, that has those of its subnet.
fn subnets<'n>(nets: impl Iterator<Item = &'n IpNet>) -> BTreeMap<IpNet, Vec<IpNet>> {
    let mut by_subnet: BTreeMap<IpNet, Vec<IpNet>> = BTreeMap::new();
    for net in nets {
        let private = Exposure::of(net.addr()) == Exposure::Private;
        let whole = net.prefix_len() == net.max_prefix_len();
        if let (true, true, Ok(wide)) = (private, whole, IpNet::new(net.addr(), subnet(net))) {
            by_subnet.entry(wide.trunc()).or_default().push(*net);
        }
    }
    by_subnet.into_values().filter_map(|members| Some((smallest(&members)?, members))).collect()
}

/// The smallest network that has all of these, of one subnet.
fn smallest(members: &[IpNet]) -> Option<IpNet> {
    let (first, last) = (members.iter().min()?, members.iter().max()?);
    let lengths = (subnet(first)..=first.max_prefix_len()).rev();
    let mut nets = lengths.filter_map(|length| IpNet::new(first.addr(), length).ok());
    nets.find(|net| net.contains(last)).map(|net| net.trunc())
}

fn wider(net: IpNet, seen: usize) -> String {
    let allowed = size(net);
    format!(
        "{} would allow {} than the {seen} seen",
        written(net),
        more(allowed.saturating_sub(seen as u128))
    )
}

fn more(n: u128) -> String {
    match u64::try_from(n) {
        Ok(n) if n <= 1 << 32 => format!("{} more", counted(n, "address")),
        _ => format!("some 2^{} addresses more", n.ilog2() + u32::from(!n.is_power_of_two())),
    }
}

fn size(net: IpNet) -> u128 {
    1_u128.checked_shl(u32::from(net.max_prefix_len() - net.prefix_len())).unwrap_or(u128::MAX)
}

fn named(nets: &[String]) -> String {
    let shown = nets.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match nets.len().checked_sub(NAMED).filter(|left| *left > 0) {
        Some(left) => format!("{shown}; and {left} more networks"),
        None => shown,
    }
}
