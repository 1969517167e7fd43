//! Where a declared port may be bound.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::joint::JointPrefixSet;

use crate::policy::model::{PeerSpec, loopback_nets};
use crate::policy::outline::{DeclaredPeer, DeclaredSite};

#[derive(Debug)]
pub(crate) struct BindScope {
    any: bool,
    nets: JointPrefixSet<IpNet>,
    /// For messages.
    pub text: String,
}

impl BindScope {
    /// `None`: anywhere.
    pub(crate) fn new(peers: Option<&[PeerSpec]>) -> Self {
        let mut scope = Self { any: peers.is_none(), nets: JointPrefixSet::new(), text: String::new() };
        let mut peers: Vec<_> = peers.unwrap_or_default().iter().collect();
        peers.sort_unstable();
        for peer in peers {
            match peer {
                PeerSpec::Any => scope.any = true,
                PeerSpec::Loopback => loopback_nets().into_iter().for_each(|net| {
                    scope.nets.insert(net);
                }),
                PeerSpec::Net(net) => scope.net(*net),
                // Both were refused.
                PeerSpec::Host(_) | PeerSpec::Set(_) => continue,
            }
            if !scope.text.is_empty() {
                scope.text.push_str(", ");
            }
            write!(scope.text, "{peer}").expect("writing to a String cannot fail");
        }
        scope
    }

    /// The unspecified address stands for every address of its family, and `::` for IPv4 too, as a socket bound to it
    /// takes both unless it is limited to one.
    fn net(&mut self, net: IpNet) {
        let unspecified = net.addr().is_unspecified();
        match net {
            IpNet::V6(_) if unspecified && (net.prefix_len() == 0 || net.prefix_len() == 128) => {
                self.any = true;
            }
            IpNet::V4(_) if unspecified && (net.prefix_len() == 0 || net.prefix_len() == 32) => {
                self.nets.insert(IpNet::V4(Ipv4Net::default()));
            }
            _ => {
                self.nets.insert(net);
            }
        }
    }

    /// The networks whose addresses are allowed alike, but for those in a smaller one: with the wildcards, which are addresses of
    /// their own here.
    pub(crate) fn networks(&self) -> BTreeMap<IpNet, bool> {
        let all = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let mut networks: BTreeMap<_, _> = all.into_iter().map(|net| (net, self.any)).collect();
        networks.extend(self.nets.iter().map(|net| (net, true)));
        let wildcards = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        networks.extend(wildcards.map(|address| (IpNet::from(address), self.allows(address))));
        networks
    }

    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.any
            || match self.nets.get_lpm(&IpNet::from(address)) {
                // A network that happens to contain 0.0.0.0 does not name the wildcard.
                Some(net) => !address.is_unspecified() || net.prefix_len() == 0,
                None => false,
            }
    }
}

impl DeclaredSite {
    /// Whether a listener on one of the numbers may be bound to this address: as a compiled policy would say it.
    #[must_use]
    pub fn allows_listener(&self, address: IpAddr) -> bool {
        let Self::Local(listen) = self else { return false };
        let specs = listen.as_ref().map(|listen| {
            let spec = |peer: &DeclaredPeer| match peer {
                DeclaredPeer::Any => PeerSpec::Any,
                DeclaredPeer::Loopback => PeerSpec::Loopback,
                DeclaredPeer::Net(net) => PeerSpec::Net(*net),
                DeclaredPeer::Host(name) => PeerSpec::Host(name.clone()),
            };
            listen.iter().map(spec).collect::<Vec<_>>()
        });
        BindScope::new(specs.as_deref()).allows(address)
    }
}
