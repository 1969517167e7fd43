//! What is known of a flow when it is evaluated.

use ipnet::IpNet;

use crate::model::{Direction, Endpoint, Nat, Posture, Process, Withheld};

/// What is known of a flow when it is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The local end.
    pub local: Endpoint,
    /// The other end, as the socket has it.
    pub peer: Endpoint,
    /// What the address translation of this host makes of the connection; `None`: it is not translated here.
    pub nat: Option<&'a Nat>,
    /// The owner of the local end; `None` (or one whose attribution is `unknown`): not known.
    pub process: Option<&'a Process>,
    /// How the owner kept itself from being known, if `process` is not known for that.
    pub owner_withheld: Option<Withheld>,
    /// What was seen of its encryption; `None`: nothing yet.
    pub posture: Option<&'a Posture>,
    /// Why `peer` is not the peer's address: of flows that somebody asks about, and of connections that were counted together.
    /// Never of one that was seen alone.
    pub peer_missing: Option<&'a str>,
    /// The network that all peers are in, of connections that were counted together; `peer` is that of one of them.
    pub peer_within: Option<IpNet>,
}

impl Facts<'_> {
    /// The number of the GDPR port: the local one of an accepted flow, the peer's of a connected one.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self.direction {
            Direction::In => self.local.port,
            Direction::Out => self.peer.port,
        }
    }

    /// The addresses that count as the peer's: one of them has to be a rule's.
    ///
    /// Of an accepted connection it is where the client is, and nothing else: a client whose address was replaced by a
    /// gateway's must not pass as the gateway. Of a connection that was made here it is the address that the process
    /// called, or the one that it was sent on to.
    pub(crate) fn peers(&self) -> Peers {
        let seen = self.peer_within.unwrap_or_else(|| self.peer.ip.into());
        if self.peer_missing.is_some() {
            return Peers { known: [None, None], open: true };
        }
        let open = self.nat.is_some_and(Nat::is_open);
        let behind = self.nat.and_then(Nat::translation).and_then(|nat| Some(IpNet::from(nat.peer?.ip)));
        let known = match (self.direction, behind) {
            (Direction::In, _) if open => [None, None],
            (Direction::In, Some(client)) => [Some(client), None],
            (Direction::In, None) => [Some(seen), None],
            (Direction::Out, behind) => [Some(seen), behind.filter(|behind| *behind != seen)],
        };
        Peers { known, open }
    }
}

/// The addresses by which a flow's peer is compared: each is one of full length, or a network that all peers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peers {
    known: [Option<IpNet>; 2],
    /// Whether there may be another one, which is not known.
    pub(crate) open: bool,
}

impl Peers {
    /// Those that are known.
    pub(crate) fn known(self) -> impl Iterator<Item = IpNet> {
        self.known.into_iter().flatten()
    }
}
