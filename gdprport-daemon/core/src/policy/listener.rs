//! What the policy says of a listener.
//!
//! Belongs here: where a declared port may be bound, and the verdict on a bound one. Who accepts on it is judged flow
//! by flow: a listener is often bound by another process (a master, systemd) than the one that serves.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixSet;

use super::Policy;
use super::compiled::Where;
use super::peers::{Peer, loopback_nets};
use crate::model::{Endpoint, Process};
use crate::verdict::{Reason, ReasonId, Verdict};

/// Where a port may be bound.
#[derive(Debug)]
pub(super) struct Listen {
    any: bool,
    nets: JointPrefixSet<IpNet>,
    /// As written, for messages.
    text: String,
}

impl Listen {
    /// `None`: anywhere.
    pub fn new(peers: Option<&[Peer]>) -> Self {
        let mut listen = Self { any: peers.is_none(), nets: JointPrefixSet::new(), text: String::new() };
        for peer in peers.unwrap_or_default() {
            let word = match peer {
                Peer::Any => {
                    listen.any = true;
                    "any".to_owned()
                }
                Peer::Loopback => {
                    for net in loopback_nets() {
                        listen.nets.insert(net);
                    }
                    "loopback".to_owned()
                }
                Peer::Net(net) => {
                    listen.net(*net);
                    let one = net.prefix_len() == net.max_prefix_len();
                    if one { net.addr().to_string() } else { net.to_string() }
                }
                // The model has refused both.
                Peer::Host(_) | Peer::Set(_) => continue,
            };
            if !listen.text.is_empty() {
                listen.text.push_str(", ");
            }
            listen.text.push_str(&word);
        }
        listen
    }

    /// The unspecified address stands for every address of its family, and `::` for IPv4 too, as a socket bound to it
    /// takes both unless told otherwise.
    fn net(&mut self, net: IpNet) {
        let unspecified = net.addr().is_unspecified();
        match net {
            IpNet::V6(_) if unspecified && (net.prefix_len() == 0 || net.prefix_len() == 128) => {
                self.any = true;
            }
            IpNet::V4(_) if unspecified && (net.prefix_len() == 0 || net.prefix_len() == 32) => {
                self.nets.insert(IpNet::V4(ipnet::Ipv4Net::default()));
            }
            _ => {
                self.nets.insert(net);
            }
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.any
            || match self.nets.get_lpm(&IpNet::from(address)) {
                // A network that happens to contain 0.0.0.0 does not name the wildcard.
                Some(net) => !address.is_unspecified() || net.prefix_len() == 0,
                None => false,
            }
    }
}

impl Policy {
    /// What the policy says of a listener bound to `local`. `Declared` names `listen` as its rule, because that is
    /// the key that allows a listener; never `Undecided`, as the address is always known.
    #[must_use]
    pub fn evaluate_listener(&self, local: Endpoint, process: Option<&Process>) -> Verdict {
        let number = local.port;
        let by = match process.and_then(|process| process.exe.as_deref().map(|exe| (exe, process.pid))) {
            Some((exe, pid)) => format!("{exe} (pid {pid})"),
            None => "a process that is not known".to_owned(),
        };
        let violation =
            |id, detail| Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None };
        let here = self.served_here(number);
        let Some(declaration) = here.and_then(|claim| claim.declaration) else {
            if self.is_catalog_only() {
                return violation(
                    ReasonId::UndeclaredPort,
                    format!("{by} listens on {local}, and there is no policy that declares port {number}"),
                );
            }
            return violation(
                ReasonId::UndeclaredListener,
                format!("{by} listens on {local}, and no declaration says that port {number} is served here"),
            );
        };
        let declaration = &self.declarations[declaration];
        match &declaration.service {
            Where::Here(listen) if !listen.allows(local.ip) => violation(
                ReasonId::ExposedListener,
                format!(
                    "{by} listens on {local}, and {} may be bound to {} only",
                    declaration.name, listen.text
                ),
            ),
            _ => Verdict::Declared { rule: Arc::clone(&self.listen_rule) },
        }
    }
}
