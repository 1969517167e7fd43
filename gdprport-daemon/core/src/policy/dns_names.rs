//! Host names and their addresses: a snapshot that evaluations read.
//!
//! Belongs here: the snapshot and its look-ups. Resolving (I/O, refreshing) is the host layer's.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

/// The result of resolving one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The addresses of the name. May be empty: then the name is known to have none.
    Resolved(Vec<IpAddr>),
    /// Why it could not be resolved.
    Unresolved(String),
}

/// An immutable snapshot of resolved host names. A name that it does not hold has not been resolved yet.
#[derive(Debug, Default, Clone)]
pub struct DnsNames {
    by_name: HashMap<Arc<str>, Resolution>,
    by_address: HashMap<IpAddr, Vec<Arc<str>>>,
    /// The addresses in their order, for look-ups by network.
    addresses: BTreeSet<IpAddr>,
}

impl DnsNames {
    /// Whether every name is resolved as in another snapshot.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.by_name == other.by_name
    }

    /// Makes the snapshot. Names are as [`Policy::host_names`](super::Policy::host_names) gives them; IPv4-mapped
    /// addresses become plain IPv4.
    pub fn new(entries: impl IntoIterator<Item = (Arc<str>, Resolution)>) -> Self {
        let by_name: HashMap<_, _> = entries.into_iter().collect();
        let mut by_address: HashMap<IpAddr, Vec<Arc<str>>> = HashMap::new();
        for (name, resolution) in &by_name {
            let Resolution::Resolved(addresses) = resolution else { continue };
            for address in addresses {
                let names = by_address.entry(address.to_canonical()).or_default();
                if !names.contains(name) {
                    names.push(Arc::clone(name));
                }
            }
        }
        for names in by_address.values_mut() {
            names.sort_unstable();
        }
        let addresses = by_address.keys().copied().collect();
        Self { by_name, by_address, addresses }
    }

    /// What is known of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Resolution> {
        self.by_name.get(name)
    }

    /// Whether it is known which addresses a name has, if any.
    pub(crate) fn is_resolved(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Resolution::Resolved(..)))
    }

    /// The names that resolve to this address, sorted. O(1).
    #[must_use]
    pub fn at(&self, address: IpAddr) -> &[Arc<str>] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The names that resolve to an address in this network; one may come more than once.
    pub(crate) fn within(&self, network: IpNet) -> impl Iterator<Item = &Arc<str>> {
        let addresses = self.addresses.range(network.network()..=network.broadcast());
        addresses.flat_map(|address| self.at(*address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_address_even_when_it_was_mapped() {
        let mapped = "::ffff:192.0.2.7".parse().expect("address");
        let names = DnsNames::new([
            ("b.example".into(), Resolution::Resolved(vec![mapped, mapped])),
            ("a.example".into(), Resolution::Resolved(vec![mapped])),
            ("c.example".into(), Resolution::Unresolved("no such host".to_owned())),
        ]);
        let found: Vec<&str> =
            names.at("192.0.2.7".parse().expect("address")).iter().map(AsRef::as_ref).collect();
        assert_eq!(found, ["a.example", "b.example"]);
        assert!(names.at("192.0.2.8".parse().expect("address")).is_empty());
    }
}
