//! The peers of a rule: single addresses as long as they are few, then the smallest networks that have them, and never more
//! than a subnet.

use std::cmp::Reverse;
use std::collections::BTreeMap;

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
    let mut listed = Listed { nets: peers.keys().copied().collect(), notes: Vec::new() };
    let known: Vec<IpNet> = listed.nets.iter().copied().filter(|net| size(*net) > 1).collect();
    // A network has its addresses already.
    listed.nets.retain(|net| !known.iter().any(|other| other != net && other.contains(net)));
    if !known.is_empty() {
        let nets: Vec<_> = known.iter().map(|net| format!("{net} ({})", more(size(*net) - 1))).collect();
        listed.notes.push(format!(
            "Of some addresses the ledger has only the network, which would allow up to so many more than seen: {}.",
            named(&nets)
        ));
    }
    if listed.nets.len() <= PEERS_MAX {
        let alternatives = subnets(&listed.nets).into_iter().filter(|(_, members)| members.len() >= REMARKED);
        let nets: Vec<_> = alternatives.map(|(net, members)| wider(net, members.len())).collect();
        if !nets.is_empty() {
            listed.notes.push(format!("Instead of single addresses, if it is meant so: {}.", named(&nets)));
        }
        return listed;
    }
    let mut gathered: Vec<_> = subnets(&listed.nets).into_iter().collect();
    gathered.sort_by_key(|(net, members)| (Reverse(members.len()), *net));
    let mut nets = Vec::new();
    for (net, members) in gathered.into_iter().filter(|(_, members)| members.len() > 1) {
        if listed.nets.len() <= PEERS_MAX {
            break;
        }
        listed.nets.retain(|single| !members.contains(single));
        listed.nets.push(net);
        nets.push(wider(net, members.len()));
    }
    listed.nets.sort_unstable();
    if !nets.is_empty() {
        let all = counted(peers.len() as u64, "address");
        listed.notes.push(format!(
            "{all} were seen, too many for a list, so these networks stand for some: {}.",
            named(&nets)
        ));
    }
    if let Some(left) = listed.nets.len().checked_sub(PEERS_MAX).filter(|left| *left > 0) {
        let within = |net: &IpNet| -> u64 {
            peers.iter().filter(|(peer, _)| net.contains(*peer)).map(|(_, connections)| connections).sum()
        };
        listed.nets.sort_by_cached_key(|net| (Reverse(within(net)), *net));
        listed.nets.truncate(PEERS_MAX);
        listed.nets.sort_unstable();
        listed.notes.push(format!(
            "{} more were seen and are left out, those with the fewest connections: if anybody may connect, that is yours to say \
             (`any`).",
            counted(left as u64, "address")
        ));
    }
    listed
}

/// Single addresses of private networks by the smallest network, at most a subnet, that has those of its subnet.
fn subnets(nets: &[IpNet]) -> BTreeMap<IpNet, Vec<IpNet>> {
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
