//! What is known of a flow when it is evaluated.

use crate::model::{Direction, Endpoint, Posture, Process, Withheld};

/// What is known of a flow when it is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The local end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// The owner of the local end; `None` (or one whose attribution is `unknown`): not known.
    pub process: Option<&'a Process>,
    /// How the owner kept itself from being known, if `process` is not known for that.
    pub owner_withheld: Option<Withheld>,
    /// What was seen of its encryption; `None`: nothing yet.
    pub posture: Option<&'a Posture>,
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
}
