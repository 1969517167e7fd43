//! Addresses that were seen, as a rule names them: never more of them than were seen without saying so.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::roles::{Given, slug};
use super::text::{Page, quoted};
use crate::figures::counted;
use crate::inventory::Exposure;
use crate::privacy::is_pseudonym;

/// How many peers one rule names; more are gathered to networks, with a comment that says so. A list of this length still fits
/// on a screen.
pub(super) const PEERS_MAX: usize = 64;

/// How many addresses of one network make it worth a proposal.
const PROPOSED: usize = 4;

/// How many named sets a starter policy has at most; a policy may have 4,096.
const SETS_MAX: usize = 1024;

/// The addresses that loopback always has.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Whom a rule names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gathered {
    pub loopback: bool,
    /// Addresses and networks, ascending.
    pub nets: Vec<IpNet>,
    /// What the author has to know, a sentence each.
    pub notes: Vec<String>,
}

impl Gathered {
    /// Whether an address of this network is among them.
    pub(super) fn overlaps(&self, net: IpNet) -> bool {
        let net = canonical(net);
        let either = |other: &IpNet| other.contains(&net) || net.contains(other);
        self.loopback && (is_loopback(net) || LOOPBACK.iter().any(|ip| net.contains(ip)))
            || self.nets.iter().any(either)
    }
}

/// Puts the peers of a rule together.
pub(super) fn gather(seen: impl IntoIterator<Item = IpNet>) -> Gathered {
    let mut nets = BTreeSet::new();
    let mut gathered = Gathered::default();
    for net in seen {
        let net = canonical(net);
        if is_loopback(net) {
            gathered.loopback = true;
        } else if !is_nobody(net) && !is_pseudonym(net) {
            nets.insert(net);
        }
    }
    // A network that the ledger has put others into already.
    let wide: BTreeSet<IpNet> =
        nets.iter().copied().filter(|net| net.prefix_len() < net.max_prefix_len()).collect();
    let lengths: BTreeSet<u8> = wide.iter().map(IpNet::prefix_len).collect();
    let is_within_wider = |net: &IpNet| {
        let mut wider =
            lengths.range(..net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), *length).ok());
        wider.any(|wider| wide.contains(&wider.trunc()))
    };
    nets.retain(|net| !is_within_wider(net));
    if !wide.is_empty() {
        let shown: Vec<_> = wide.iter().take(8).map(ToString::to_string).collect();
        gathered.notes.push(format!(
            "Too many addresses called to keep each one: of {} only the network is known.",
            shown.join(", ")
        ));
    }
    let before = nets.len();
    if before > PEERS_MAX {
        narrow(&mut nets);
        let allowed: u128 = nets.iter().map(|net| size(*net)).fold(0, u128::saturating_add);
        gathered.notes.push(format!(
            "{before} addresses were seen, more than a list is good for ({PEERS_MAX}). These networks hold {}: narrow them.",
            addresses(allowed)
        ));
    }
    gathered.nets = nets.into_iter().collect();
    gathered
}

/// Replaces addresses by their networks, those with the most first, until few enough are left.
fn narrow(nets: &mut BTreeSet<IpNet>) {
    for (v4, v6) in [(24, 64), (16, 48), (8, 32), (0, 0)] {
        let mut members: BTreeMap<IpNet, usize> = BTreeMap::new();
        for net in nets.iter() {
            if let Some(network) = network(*net, v4, v6).filter(|network| network != net) {
                *members.entry(network).or_default() += 1;
            }
        }
        let mut networks: Vec<_> = members.into_iter().filter(|(_, members)| *members > 1).collect();
        networks.sort_by_key(|(network, members)| (std::cmp::Reverse(*members), *network));
        for (network, _) in networks {
            if nets.len() <= PEERS_MAX {
                return;
            }
            // They stand one after the other, behind the network itself.
            let within = nets.range(network..).take_while(|net| network.contains(&net.addr())).copied();
            for net in within.filter(|net| network.contains(net)).collect::<Vec<IpNet>>() {
                nets.remove(&net);
            }
            nets.insert(network);
        }
    }
}

/// The network of this length that has it; `None` if it is wider already.
fn network(net: IpNet, v4: u8, v6: u8) -> Option<IpNet> {
    let length = if matches!(net, IpNet::V4(_)) { v4 } else { v6 };
    if net.prefix_len() < length {
        return None;
    }
    IpNet::new(net.addr(), length).ok().map(|net| net.trunc())
}

fn size(net: IpNet) -> u128 {
    1_u128.checked_shl(u32::from(net.max_prefix_len() - net.prefix_len())).unwrap_or(u128::MAX)
}

fn addresses(n: u128) -> String {
    u64::try_from(n)
        .map_or_else(|_| "more than 18 quintillion addresses".to_owned(), |n| counted(n, "address"))
}

fn canonical(net: IpNet) -> IpNet {
    match (net, net.addr().to_canonical()) {
        (IpNet::V6(v6), IpAddr::V4(v4)) if v6.prefix_len() >= 96 => {
            Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4).trunc()
        }
        _ => net.trunc(),
    }
}

fn is_loopback(net: IpNet) -> bool {
    match net {
        IpNet::V4(v4) => v4.addr().is_loopback() && v4.prefix_len() >= 8,
        IpNet::V6(v6) => v6.addr().is_loopback() && v6.prefix_len() == 128,
    }
}

/// Whether it is the address that stands for none.
pub(super) fn is_nobody(net: IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len() && net.addr().to_canonical().is_unspecified()
}

/// An address or a network as a policy names it.
pub(super) fn written(net: IpNet) -> String {
    let single = net.prefix_len() == net.max_prefix_len();
    if single { net.addr().to_string() } else { net.to_string() }
}

/// The items of a list of peers, in quotes.
pub(super) fn inline(gathered: &Gathered) -> Vec<String> {
    let loopback = gathered.loopback.then(|| quoted("loopback"));
    loopback.into_iter().chain(gathered.nets.iter().map(|net| quoted(&written(*net)))).collect()
}

/// The sets of `[peers]`: addresses of one network that a rule names together.
#[derive(Debug, Default)]
pub(super) struct Sets {
    by_members: BTreeMap<Vec<IpNet>, String>,
    /// In the order in which they were first named.
    order: Vec<(String, Vec<IpNet>)>,
    given: Given,
}

impl Sets {
    /// The items of a rule's `peers`, in quotes. Two or more addresses of one network get a name.
    pub(super) fn items(&mut self, gathered: &Gathered) -> Vec<String> {
        let mut items = Vec::new();
        if gathered.loopback {
            items.push(quoted("loopback"));
        }
        let mut by_network: BTreeMap<IpNet, Vec<IpNet>> = BTreeMap::new();
        for net in &gathered.nets {
            let single = net.prefix_len() == net.max_prefix_len();
            let network = network(*net, 24, 64).filter(|_| single).unwrap_or(*net);
            by_network.entry(network).or_default().push(*net);
        }
        for (network, members) in by_network {
            match members.as_slice() {
                [one] => items.push(quoted(&written(*one))),
                _ if self.order.len() >= SETS_MAX && !self.by_members.contains_key(&members) => {
                    items.extend(members.iter().map(|net| quoted(&written(*net))));
                }
                _ => items.push(quoted(&self.name(network, members))),
            }
        }
        items
    }

    /// The set of exactly these members: another rule's of the same network may be another one.
    fn name(&mut self, network: IpNet, members: Vec<IpNet>) -> String {
        if let Some(name) = self.by_members.get(&members) {
            return name.clone();
        }
        let mut name = String::from("hosts");
        match network.addr() {
            IpAddr::V4(v4) => v4.octets()[..3].iter().for_each(|part| {
                let _ = write!(name, "-{part}");
            }),
            IpAddr::V6(v6) => {
                let _ = write!(name, "-{}", slug(&v6.to_string().replace(':', "-")));
            }
        }
        let name = self.given.first([name.as_str()]);
        self.order.push((name.clone(), members.clone()));
        self.by_members.insert(members, name.clone());
        name
    }

    /// The table `[peers]`; nothing if no set was named.
    pub(super) fn write(&self, page: &mut Page) {
        if self.order.is_empty() {
            return;
        }
        page.comment("Addresses that were seen, by network. Rules name them.");
        page.line("[peers]");
        for (name, members) in &self.order {
            if let Some(note) = proposal(members) {
                page.comment(&note);
            }
            let items: Vec<_> = members.iter().map(|net| quoted(&written(*net))).collect();
            page.list(name, &items);
        }
        page.blank();
    }
}

/// What their whole network would allow, where they are many of a private one.
fn proposal(members: &[IpNet]) -> Option<String> {
    let network = network(*members.first()?, 24, 64)?;
    let private = Exposure::of(network.addr()) == Exposure::Private;
    if members.len() < PROPOSED || !private {
        return None;
    }
    let more = match network {
        IpNet::V4(v4) => counted(u64::from(hosts(v4)).saturating_sub(members.len() as u64), "address"),
        IpNet::V6(v6) => format!("2^{} addresses", Ipv6Net::max_prefix_len(&v6) - v6.prefix_len()),
    };
    Some(format!("{network:?} would allow {more} more than the {} that were seen.", members.len()))
}

/// Addresses of a network that hosts can have.
fn hosts(v4: Ipv4Net) -> u32 {
    u32::MAX >> v4.prefix_len() & (u32::MAX - 1)
}
