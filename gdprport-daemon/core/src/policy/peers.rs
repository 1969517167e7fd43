//! Peers: how one is written, and which of them an address belongs to.
//!
//! Belongs here: the grammar of a peer, the items that rules refer to, and the index address → items. Which rules
//! hang on an item is `index`'s.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::joint::JointPrefixMap;

use super::names::Names;
use super::problem::quoted;

/// A peer as it is written in `peers`, `service`, `listen` or `[peers]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    /// `any`.
    Any,
    /// `loopback`: 127.0.0.0/8 and ::1.
    Loopback,
    /// A network, or an address as a network of one.
    Net(IpNet),
    /// A host name, in lower case and without a trailing dot.
    Host(Arc<str>),
    /// A word that must be a name of `[peers]`.
    Set(Box<str>),
}

/// Why a text is no peer: what is wrong, and what would be right.
pub(super) type Refusal = (String, String);

impl Peer {
    /// Reads one peer.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: &str, help: &str| Err((format!("{} {what}", quoted(text)), help.to_owned()));
        match text {
            "any" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            _ => {}
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.to_canonical().into()));
        }
        if text.contains('/') {
            let Ok(net) = text.parse::<IpNet>() else {
                return refuse("is no network", "write it as \"10.0.2.0/24\" or \"fd00:2::/64\"");
            };
            if net.trunc() != net {
                let help =
                    format!("the network is \"{}\"; the one address is \"{}\"", net.trunc(), net.addr());
                return Err((format!("{} has bits set beyond its prefix", quoted(text)), help));
            }
            return Ok(Self::Net(canonical(net)));
        }
        if text.contains(':') {
            return refuse("is no address", "write an address without a port or a zone");
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return refuse("is no address", "write it as \"10.0.2.15\" or, for a network, \"10.0.2.0/24\"");
        }
        if text.contains('.') {
            let name = text.strip_suffix('.').unwrap_or(text);
            if is_host_name(name) {
                return Ok(Self::Host(name.to_ascii_lowercase().into()));
            }
            return refuse(
                "is no host name",
                "a host name has letters, digits, `-` and `_` between its dots and no wildcards",
            );
        }
        if is_set_name(text) {
            return Ok(Self::Set(text.into()));
        }
        refuse(
            "is no peer",
            "write a name from [peers], a network, an address, a host name, \"loopback\" or \"any\"",
        )
    }
}

/// Whether a name can stand in `[peers]`: no dots, so that it is never mistaken for a host name or an address.
pub(super) fn is_set_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(plain)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
        && !["any", "loopback", "local"].contains(&text)
}

/// RFC 1123 §2.1 with the underscore that is common in practice.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// An IPv4-mapped network is the IPv4 network that it stands for, as flows never carry mapped addresses.
fn canonical(net: IpNet) -> IpNet {
    match (net, net.addr().to_canonical()) {
        (IpNet::V6(v6), IpAddr::V4(v4)) if v6.prefix_len() >= 96 => {
            Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4)
        }
        _ => net,
    }
}

/// 127.0.0.0/8 (RFC 1122 §3.2.1.3) and ::1 (RFC 4291 §2.5.3).
pub(super) fn loopback_nets() -> [IpNet; 2] {
    [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    ]
}

/// One thing that rules can name as a peer; its number within the policy.
pub(super) type ItemId = u32;

/// What one item is.
#[derive(Debug)]
pub(super) struct Item {
    /// As it is written.
    pub text: Arc<str>,
    /// The host names in it.
    pub hosts: Box<[Arc<str>]>,
}

/// Which items an address belongs to: a prefix trie whose nodes know their parent, so that one longest-prefix match
/// and a walk of at most 33 (IPv4) or 129 (IPv6) steps find all of them without allocating.
#[derive(Debug, Default)]
pub(super) struct PeerIndex {
    pub items: Vec<Item>,
    /// The items that contain every address.
    any: Vec<ItemId>,
    trie: JointPrefixMap<IpNet, u32>,
    nodes: Vec<TrieNode>,
    hosts: HashMap<Arc<str>, Vec<ItemId>>,
}

#[derive(Debug)]
struct TrieNode {
    parent: Option<u32>,
    items: Vec<ItemId>,
}

impl PeerIndex {
    /// Calls `visit` with every item that contains the address; an item may come more than once.
    pub fn each(&self, address: IpAddr, names: &Names, mut visit: impl FnMut(ItemId)) {
        self.any.iter().copied().for_each(&mut visit);
        let mut next = self.trie.get_lpm(&IpNet::from(address)).map(|(_, node)| *node);
        while let Some(node) = next.and_then(|node| self.nodes.get(node as usize)) {
            node.items.iter().copied().for_each(&mut visit);
            next = node.parent;
        }
        for name in names.at(address) {
            self.hosts.get(name).into_iter().flatten().copied().for_each(&mut visit);
        }
    }

    /// The host names that are used.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(AsRef::as_ref)
    }

    /// The items that a host name is in.
    pub fn items_of(&self, name: &str) -> &[ItemId] {
        self.hosts.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a host name is used.
    pub fn has_host(&self, name: &str) -> bool {
        self.hosts.contains_key(name)
    }
}

/// Collects items, then makes the index.
#[derive(Default)]
pub(super) struct PeerIndexBuilder {
    items: Vec<Item>,
    known: HashMap<Peer, ItemId>,
    any: Vec<ItemId>,
    nets: HashMap<IpNet, Vec<ItemId>>,
    hosts: HashMap<Arc<str>, Vec<ItemId>>,
}

impl PeerIndexBuilder {
    /// The item for a peer; `members` is what a set's name stands for.
    pub fn item<'m>(&mut self, peer: &Peer, members: impl FnOnce(&str) -> &'m [Peer]) -> ItemId {
        if let Some(id) = self.known.get(peer) {
            return *id;
        }
        let (text, peers): (Arc<str>, &[Peer]) = match peer {
            Peer::Any => ("any".into(), std::slice::from_ref(peer)),
            Peer::Loopback => ("loopback".into(), std::slice::from_ref(peer)),
            Peer::Net(net) if net.prefix_len() == net.max_prefix_len() => {
                (net.addr().to_string().into(), std::slice::from_ref(peer))
            }
            Peer::Net(net) => (net.to_string().into(), std::slice::from_ref(peer)),
            Peer::Host(name) => (Arc::clone(name), std::slice::from_ref(peer)),
            Peer::Set(name) => ((**name).into(), members(name)),
        };
        let id = self.add(text, peers);
        self.known.insert(peer.clone(), id);
        id
    }

    /// A new item of its own.
    pub fn add(&mut self, text: Arc<str>, peers: &[Peer]) -> ItemId {
        let id =
            ItemId::try_from(self.items.len()).expect("an item takes more than one byte of a bounded file");
        let mut hosts = Vec::new();
        for member in peers {
            match member {
                Peer::Any => self.any.push(id),
                Peer::Loopback => loopback_nets().into_iter().for_each(|net| self.net(net, id)),
                Peer::Net(net) => self.net(*net, id),
                Peer::Host(name) => {
                    hosts.push(Arc::clone(name));
                    let items = self.hosts.entry(Arc::clone(name)).or_default();
                    if items.last() != Some(&id) {
                        items.push(id);
                    }
                }
                // Sets do not nest; the model has refused it.
                Peer::Set(_) => {}
            }
        }
        self.items.push(Item { text, hosts: hosts.into() });
        id
    }

    fn net(&mut self, net: IpNet, id: ItemId) {
        let items = self.nets.entry(net).or_default();
        if items.last() != Some(&id) {
            items.push(id);
        }
    }

    pub fn build(self) -> PeerIndex {
        let mut nets: Vec<(IpNet, Vec<ItemId>)> = self.nets.into_iter().collect();
        // Shorter prefixes first: then the longest match so far is the parent.
        nets.sort_unstable_by_key(|(net, _)| (net.prefix_len(), *net));
        let mut trie = JointPrefixMap::new();
        let mut nodes = Vec::with_capacity(nets.len());
        for (net, items) in nets {
            let parent = trie.get_lpm(&net).map(|(_, node): (_, &u32)| *node);
            let id =
                u32::try_from(nodes.len()).expect("a network takes more than one byte of a bounded file");
            trie.insert(net, id);
            nodes.push(TrieNode { parent, items });
        }
        PeerIndex { items: self.items, any: self.any, trie, nodes, hosts: self.hosts }
    }
}
