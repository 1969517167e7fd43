//! Whether something is wanted.

use std::borrow::Cow;
use std::net::IpAddr;

use super::term::{Filter, Term, Want};
use crate::model::{Direction, Names, PostureState, Process};
use crate::top::{FlowGroup, Rank, Row};
use crate::verdict::ReasonId;

/// What can be asked about.
#[derive(Debug)]
pub struct Subject<'a> {
    port: (&'a str, u16),
    direction: Option<Direction>,
    peer: Option<(IpAddr, Option<&'a str>)>,
    process: Option<&'a Process>,
    /// Verdicts that it has.
    ranks: Vec<Rank>,
    postures: Vec<PostureState>,
    reasons: Vec<ReasonId>,
}

impl<'a> From<&'a FlowGroup> for Subject<'a> {
    fn from(group: &'a FlowGroup) -> Self {
        let mut ranks = vec![group.rank()];
        let all = [Rank::Declared, Rank::Undecided, Rank::Accepted, Rank::Violation];
        ranks.extend(all.into_iter().filter(|rank| group.standings.of(*rank) > 0));
        Self {
            port: (&group.port.name, group.port.number),
            direction: Some(group.direction),
            peer: Some((group.peer.ip, group.peer.name.as_deref())),
            process: group.process.as_deref(),
            ranks,
            postures: group.posture.keys().copied().collect(),
            reasons: group.verdict.reasons().iter().map(|reason| reason.id).collect(),
        }
    }
}

impl<'a> From<&'a Row> for Subject<'a> {
    fn from(row: &'a Row) -> Self {
        Self::from(&row.group)
    }
}

impl Filter {
    /// Whether it is wanted.
    #[must_use]
    pub fn matches<'a>(&self, subject: impl Into<Subject<'a>>) -> bool {
        let subject = subject.into();
        self.terms.iter().all(|term| term.holds(&subject))
    }
}

impl Term {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        self.any.iter().any(|want| want.holds(subject)) != self.not
    }
}

impl Want {
    fn holds(&self, of: &Subject<'_>) -> bool {
        match self {
            Self::Word(word) => of.texts().any(|text| contains(&text, word)),
            Self::PortName(name) => contains(of.port.0, name),
            Self::PortNumber(range) => range.contains(&of.port.1),
            Self::PeerText(text) => of.peer.is_some_and(|(ip, name)| {
                ip.to_string().starts_with(text) || name.is_some_and(|name| contains(name, text))
            }),
            Self::PeerAddress(address) => of.peer.is_some_and(|(ip, _)| ip == *address),
            Self::PeerNetwork(network) => of.peer.is_some_and(|(ip, _)| network.contains(&ip)),
            Self::Process(text) => of.programs().any(|name| contains(name, text)),
            Self::Unit(text) => {
                of.process.and_then(|of| of.unit.as_deref()).is_some_and(|unit| contains(unit, text))
            }
            Self::Container(text) => of.container().any(|name| contains(&name, text)),
            Self::User(text) => of.user().is_some_and(|user| contains(&user, text)),
            Self::Reason(text) => of.reasons.iter().any(|reason| contains(reason.as_str(), text)),
            Self::Direction(direction) => of.direction == Some(*direction),
            Self::Verdict(rank) => of.ranks.contains(rank),
            Self::AnyViolation => of.ranks.iter().any(|rank| *rank >= Rank::Accepted),
            Self::Posture(states) => of.postures.iter().any(|state| states.contains(state)),
        }
    }
}

/// Whether a text has another in it, which is in lower case.
fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(part)
}

impl<'a> Subject<'a> {
    /// All that free words are sought in.
    fn texts(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let number = self.port.1.to_string();
        let peer = self.peer.into_iter().flat_map(|(ip, name)| {
            [Some(Cow::from(ip.to_string())), name.map(Cow::from)].into_iter().flatten()
        });
        let unit = self.process.and_then(|of| of.unit.as_deref());
        let words = self.ranks.iter().map(|rank| rank.as_str());
        let words: Vec<&str> = words
            .chain(self.reasons.iter().map(|reason| reason.as_str()))
            .chain(self.postures.iter().map(|state| state.as_str()))
            .chain(self.direction.map(Direction::as_str))
            .collect();
        [Cow::from(self.port.0), Cow::from(number)]
            .into_iter()
            .chain(peer)
            .chain(self.programs().map(Cow::from))
            .chain(unit.map(Cow::from))
            .chain(self.user())
            .chain(self.container())
            .chain(words.into_iter().map(Cow::from))
    }

    fn programs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = self.process.map(|of| [of.exe.as_deref(), of.script.as_deref(), of.comm.as_deref()]);
        names.into_iter().flatten().flatten()
    }

    fn user(&self) -> Option<Cow<'a, str>> {
        let of = self.process?;
        Some(of.user.as_deref().map_or_else(|| of.uid.to_string().into(), Cow::from))
    }

    fn container(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        let of = self.process.and_then(|of| of.container.as_ref());
        let id = of.map(|of| Cow::from(&*of.id));
        let names = of.and_then(|of| of.names());
        let named = names.map(|names| {
            let Names { name, image, namespace, pod_name, workload, compose, .. } = names;
            let workload = workload.as_ref().map(|workload| &workload.name);
            let project = compose.as_ref().map(|compose| &compose.project);
            [name.as_ref(), image.as_ref(), namespace.as_ref(), pod_name.as_ref(), workload, project]
        });
        id.into_iter().chain(named.into_iter().flatten().flatten().map(|name| Cow::from(&**name)))
    }
}
