//! What a filter is made of.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::model::{Direction, PostureState};
use crate::top::Rank;

/// What is wanted: every term holds. Without any, everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) terms: Vec<Term>,
}

impl Filter {
    /// Whether everything is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// With `-` before it: it must not hold.
    pub(super) not: bool,
    /// Any of these holds.
    pub(super) any: Vec<Want>,
}

/// One condition. Texts are in lower case, and sought anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// A free word, in any text that is shown.
    Word(String),
    /// `port:`, by name.
    PortName(String),
    /// `port:`, by number.
    PortNumber(RangeInclusive<u16>),
    /// `peer:`, by its name or by what its address looks like.
    PeerText(String),
    /// `peer:`, an address.
    PeerAddress(IpAddr),
    /// `peer:`, a network.
    PeerNetwork(IpNet),
    /// `process:`
    Process(String),
    /// `unit:`
    Unit(String),
    /// `container:`
    Container(String),
    /// `user:`
    User(String),
    /// `reason:`
    Reason(String),
    /// `dir:`
    Direction(Direction),
    /// `verdict:`
    Verdict(Rank),
    /// `verdict:violation`: accepted or not.
    AnyViolation,
    /// `tls:`, one of these.
    Posture(&'static [PostureState]),
}
