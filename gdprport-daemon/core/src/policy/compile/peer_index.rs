//! Which peers an address belongs to.
//!
//! Belongs here: the items that rules refer to, and the index address → items. Which rules an item reaches is
//! `rule_index`'s.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::policy::dns_names::DnsNames;
use crate::policy::model::{PeerSets, PeerSpec, loopback_nets};

/// One thing that rules can name as a peer; its number within the policy.
pub(crate) type ItemId = u32;

#[derive(Debug)]
pub(crate) struct PeerItem {
    /// As it is written.
    pub text: Arc<str>,
    /// The host names in it, sorted.
    pub hosts: Box<[Arc<str>]>,
}

/// Which items an address belongs to: a prefix trie whose nodes know their parent, so that one longest-prefix match
/// and a walk of at most 33 (IPv4) or 129 (IPv6) steps find all of them without allocating.
#[derive(Debug, Default)]
pub(crate) struct PeerIndex {
    pub items: Vec<PeerItem>,
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
    /// Calls `visit` with every item that contains one of the addresses or networks as a whole, or any address at all; an
    /// item may come more than once.
    pub(crate) fn each(
        &self,
        addresses: impl IntoIterator<Item = IpNet>,
        names: &DnsNames,
        mut visit: impl FnMut(ItemId),
    ) {
        self.any.iter().copied().for_each(&mut visit);
        addresses.into_iter().for_each(|address| self.each_of(address, names, &mut visit));
    }

    fn each_of(&self, address: IpNet, names: &DnsNames, mut visit: impl FnMut(ItemId)) {
        let mut next = self.trie.get_lpm(&address).map(|(_, node)| *node);
        while let Some(node) = next.and_then(|node| self.nodes.get(node as usize)) {
            node.items.iter().copied().for_each(&mut visit);
            next = node.parent;
        }
        // A name has addresses and no networks.
        let host = (address.prefix_len() == address.max_prefix_len()).then(|| address.addr());
        for name in host.into_iter().flat_map(|host| names.at(host)) {
            self.hosts.get(name).into_iter().flatten().copied().for_each(&mut visit);
        }
    }

    /// Calls `visit` with every item that contains a part of a network and perhaps not all of it; an item may come more than
    /// once.
    pub(crate) fn each_within(&self, network: IpNet, names: &DnsNames, mut visit: impl FnMut(ItemId)) {
        for (_, node) in self.trie.children(&network) {
            let items = self.nodes.get(*node as usize).map_or(&[][..], |node| &node.items);
            items.iter().copied().for_each(&mut visit);
        }
        for name in names.within(network) {
            self.hosts.get(name).into_iter().flatten().copied().for_each(&mut visit);
        }
    }

    /// Every network that is written, with the items that it is in.
    pub(crate) fn nets(&self) -> impl Iterator<Item = (IpNet, &[ItemId])> {
        self.trie.iter().filter_map(|(net, node)| Some((net, &*self.nodes.get(*node as usize)?.items)))
    }

    /// The host names that are used.
    pub(crate) fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(AsRef::as_ref)
    }

    /// The items that a host name is in.
    pub(crate) fn items_of(&self, name: &str) -> &[ItemId] {
        self.hosts.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a host name is used.
    pub(crate) fn has_host(&self, name: &str) -> bool {
        self.hosts.contains_key(name)
    }
}

/// Collects items, then makes the index. Who numbers items in their order makes the index independent of the order in
/// which they are written.
#[derive(Default)]
pub(crate) struct PeerIndexBuilder {
    items: Vec<PeerItem>,
    known: HashMap<PeerSpec, ItemId>,
    any: Vec<ItemId>,
    nets: HashMap<IpNet, Vec<ItemId>>,
    hosts: HashMap<Arc<str>, Vec<ItemId>>,
}

impl PeerIndexBuilder {
    /// The item for a peer.
    pub(super) fn item(&mut self, peer: &PeerSpec, sets: &PeerSets) -> ItemId {
        if let Some(id) = self.known.get(peer) {
            return *id;
        }
        let peers = match peer {
            PeerSpec::Set(name) => sets.members(name),
            _ => std::slice::from_ref(peer),
        };
        let id = self.add(peer.to_string().into(), peers);
        self.known.insert(peer.clone(), id);
        id
    }

    /// A new item that contains what any of these peers does.
    pub(super) fn all_of(&mut self, peers: &[PeerSpec], sets: &PeerSets) -> ItemId {
        let members = peers.iter().flat_map(|peer| match peer {
            PeerSpec::Set(name) => sets.members(name),
            _ => std::slice::from_ref(peer),
        });
        let members: Vec<PeerSpec> = members.cloned().collect();
        self.add("peers".into(), &members)
    }

    /// A new item of its own.
    pub(super) fn add(&mut self, text: Arc<str>, peers: &[PeerSpec]) -> ItemId {
        let id =
            ItemId::try_from(self.items.len()).expect("an item takes more than one byte of a bounded file");
        let mut hosts = Vec::new();
        for member in peers {
            match member {
                PeerSpec::Any => self.any.push(id),
                PeerSpec::Loopback => loopback_nets().into_iter().for_each(|net| self.net(net, id)),
                PeerSpec::Net(net) => self.net(*net, id),
                PeerSpec::Host(name) => {
                    hosts.push(Arc::clone(name));
                    let items = self.hosts.entry(Arc::clone(name)).or_default();
                    if items.last() != Some(&id) {
                        items.push(id);
                    }
                }
                // Sets do not nest; they were refused.
                PeerSpec::Set(_) => {}
            }
        }
        hosts.sort_unstable();
        self.items.push(PeerItem { text, hosts: hosts.into() });
        id
    }

    fn net(&mut self, net: IpNet, id: ItemId) {
        let items = self.nets.entry(net).or_default();
        if items.last() != Some(&id) {
            items.push(id);
        }
    }

    pub(super) fn build(self) -> PeerIndex {
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
