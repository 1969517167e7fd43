//! The graph: three lanes of nodes, and what goes on between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::Direction;
use crate::records::{Rows, Volume, Zone};

/// What a policy says of what was seen, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// No rule allows it.
    Violation,
    /// Evidence is missing.
    Undecided,
    /// A rule allows it.
    Declared,
}

impl Outcome {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "violation" => Self::Violation,
            "declared" => Self::Declared,
            _ => Self::Undecided,
        }
    }

    /// `declared`, `violation` or `undecided`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Violation => "violation",
            Self::Undecided => "undecided",
        }
    }
}

/// By what a program of this host is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// By its container.
    Container,
    /// By its systemd unit.
    Unit,
    /// By its executable or script.
    Program,
    /// Nothing is known of it but that it is on this host.
    Unknown,
    /// Several programs together.
    More,
}

/// Programs of this host that are called the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By what it is called.
    pub kind: Kind,
    /// Its name; empty: there is none.
    pub name: Arc<str>,
    /// How many it stands for: more than one only of [`Kind::More`].
    pub count: usize,
    /// How much by all of it.
    pub volume: Volume,
}

/// A service: a declaration of the policy, or what was seen and is not declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name; empty: several services together.
    pub name: Arc<str>,
    /// Its TCP ports as a policy writes them.
    pub ports: Vec<String>,
    /// The application protocol, where it is known.
    pub protocol: Option<Arc<str>>,
    /// Whether this policy declares it.
    pub is_declared: bool,
    /// How many it stands for.
    pub count: usize,
    /// Whether anything was seen of it.
    pub is_seen: bool,
}

/// The other end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// An address of full length, or a network.
    Net(IpNet),
    /// So many of them together, all with one outcome.
    More(usize, Outcome),
}

/// Where data were got from or went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Which.
    pub end: End,
    /// Where it is; `None`: in several zones.
    pub zone: Option<Zone>,
    /// In which country, where that is known.
    pub country: Option<Arc<str>>,
}

/// What went on between a service and an other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Which of the ports.
    pub port: usize,
    /// Which of the recipients.
    pub recipient: usize,
    /// `In`: the other end called. `Out`: it was called.
    pub direction: Direction,
    /// What the policy said.
    pub outcome: Outcome,
    /// The rules that allow it.
    pub rules: BTreeSet<Arc<str>>,
    /// The reasons of a violation, as in events.
    pub reasons: BTreeSet<&'static str>,
    /// Whether plaintext was seen.
    pub is_plain: bool,
    /// Connections that are known to be encrypted, and of how many.
    pub encrypted: (u64, u64),
    /// How much.
    pub volume: Volume,
    /// The rows of the ledger behind it. A row is behind one edge.
    pub rows: Rows,
    /// The sources that had part in it.
    pub sources: BTreeSet<usize>,
}

impl Edge {
    /// One to which nothing was added yet.
    pub(super) fn empty(port: usize, recipient: usize, direction: Direction, outcome: Outcome) -> Self {
        Self {
            port,
            recipient,
            direction,
            outcome,
            rules: BTreeSet::new(),
            reasons: BTreeSet::new(),
            is_plain: false,
            encrypted: (0, 0),
            volume: Volume::default(),
            rows: Rows::default(),
            sources: BTreeSet::new(),
        }
    }
}

/// Which program serves or calls a service. It has no volume: the ledger's sums are those of edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which of the sources.
    pub source: usize,
    /// Which of the ports.
    pub port: usize,
    /// `In`: it serves. `Out`: it calls.
    pub direction: Direction,
    /// What the policy said.
    pub outcome: Outcome,
    /// Whether plaintext was seen.
    pub is_plain: bool,
    /// The rows of the ledger behind it. A row is behind one link.
    pub rows: Rows,
}

/// The map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Programs of this host.
    pub sources: Vec<Source>,
    /// Services.
    pub ports: Vec<Port>,
    /// Other ends.
    pub recipients: Vec<Recipient>,
    /// Between services and other ends.
    pub edges: Vec<Edge>,
    /// Between programs and services.
    pub links: Vec<Link>,
    /// Declared services of which nothing was seen and that are not among the ports.
    pub unseen: usize,
}

impl Graph {
    /// Other ends that are not shown one by one.
    #[must_use]
    pub fn grouped(&self) -> usize {
        let count = |recipient: &Recipient| match recipient.end {
            End::Net(_) => 0,
            End::More(count, _) => count,
        };
        self.recipients.iter().map(count).sum()
    }
}
