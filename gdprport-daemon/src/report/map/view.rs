//! A map in one language, and the texts that all its renderings share.

use gdprport_core::map::{
    Edge, End, Graph, Kind, Layout, Outcome, Port, Recipient, Source, fit, graph, layout, width_of,
};
use gdprport_core::model::Direction;
use gdprport_core::records::{Records, Zone};

use super::super::record::Kind as Said;
use super::super::words::{Lang, Words, fill};

/// The files of a map: the drawing alone, for Graphviz, for Mermaid.
pub(crate) const FILES: [&str; 3] = ["map.svg", "map.dot", "map.mmd"];

/// A map, ready to be drawn.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// What is on it.
    pub(crate) graph: Graph,
    /// Where it stands.
    pub(super) layout: Layout,
    /// How the policy names each of the other ends; empty: it does not.
    named: Vec<String>,
    /// In which language.
    pub(crate) lang: Lang,
}

impl View {
    /// The map of a record; `None`: nothing is on it.
    pub(crate) fn of(records: &Records, lang: Lang) -> Option<Self> {
        let graph = graph(records);
        let layout = layout(&graph);
        let named = graph.recipients.iter().map(|end| named(records, end)).collect();
        (!graph.edges.is_empty()).then_some(Self { graph, layout, named, lang })
    }

    /// Its files, each with its text.
    pub(crate) fn files(&self) -> [(&'static str, String); 3] {
        let [drawing, graphviz, mermaid] = FILES;
        [(drawing, self.alone()), (graphviz, self.dot()), (mermaid, self.mermaid())]
    }

    fn words(&self) -> &'static Words {
        self.lang.words()
    }

    /// How a program is called.
    pub(crate) fn source(&self, source: &Source) -> String {
        match source.kind {
            Kind::More => fill(self.words().map_more, &[&self.lang.count(source.count as u64)]),
            Kind::Unknown => self.words().unknown_process.to_owned(),
            Kind::Container | Kind::Unit | Kind::Program => source.name.to_string(),
        }
    }

    /// By what it is called.
    pub(crate) fn kind(&self, source: &Source) -> &'static str {
        match source.kind {
            Kind::Container => self.words().container,
            Kind::Unit => self.words().unit,
            Kind::Program => self.words().process,
            Kind::Unknown => self.words().zone_host,
            Kind::More => self.words().processes,
        }
    }

    /// How a service is called.
    pub(crate) fn port(&self, port: &Port) -> String {
        if port.name.is_empty() {
            return fill(self.words().map_more, &[&self.lang.count(port.count as u64)]);
        }
        port.name.to_string()
    }

    /// Its ports and protocol.
    pub(crate) fn ports(&self, port: &Port) -> String {
        let ports = (!port.ports.is_empty()).then(|| format!("TCP {}", port.ports.join(", ")));
        ports
            .into_iter()
            .chain(port.protocol.as_ref().map(ToString::to_string))
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// The same in at most so many pixels: first without the protocol, then without the last ports.
    pub(super) fn ports_within(&self, port: &Port, size: i32, room: i32) -> String {
        let whole = self.ports(port);
        if width_of(&whole, size) <= room {
            return whole;
        }
        let some = (1..=port.ports.len()).rev().map(|shown| {
            let more = if shown < port.ports.len() { ", …" } else { "" };
            format!("TCP {}{more}", port.ports[..shown].join(", "))
        });
        some.into_iter().find(|some| width_of(some, size) <= room).unwrap_or_else(|| fit(&whole, size, room))
    }

    /// Whether it is declared, or that nothing was seen of it.
    pub(crate) fn standing(&self, port: &Port) -> &'static str {
        match (port.is_seen, port.is_declared) {
            (false, _) => self.words().map_unseen_one,
            (true, true) => self.words().declared,
            (true, false) => self.words().not_declared,
        }
    }

    /// How an other end is called.
    pub(crate) fn end(&self, recipient: &Recipient) -> String {
        match &recipient.end {
            End::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
            End::Net(net) => net.to_string(),
            End::More(count, _) => fill(self.words().map_more, &[&self.lang.count(*count as u64)]),
        }
    }

    /// How the policy names the other end of this number, with the mark of what is declared; empty: it does not.
    pub(crate) fn named(&self, number: usize) -> String {
        let name = self.name(number);
        name.map_or_else(String::new, |name| format!("{} {name}", Said::Declared.mark()))
    }

    /// The same without the mark.
    pub(super) fn name(&self, number: usize) -> Option<&str> {
        self.named.get(number).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Whether the policy names any.
    pub(super) fn has_names(&self) -> bool {
        self.named.iter().any(|name| !name.is_empty())
    }

    /// In which zone.
    pub(crate) fn zone(&self, zone: Option<Zone>) -> &'static str {
        match zone {
            Some(Zone::Host) => self.words().zone_host,
            Some(Zone::Private) => self.words().zone_private,
            Some(Zone::Public) => self.words().zone_public,
            Some(Zone::Unknown) => self.words().zone_unknown,
            None => self.words().map_zones,
        }
    }

    /// Who called whom.
    pub(crate) fn direction(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::In => self.words().called_here,
            Direction::Out => self.words().called_there,
        }
    }

    /// What the policy said.
    pub(crate) fn outcome(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Declared => self.words().outcome_declared,
            Outcome::Violation => self.words().outcome_violation,
            Outcome::Undecided => self.words().outcome_undecided,
        }
    }

    /// By which rules it is allowed, or for which reasons it is not.
    pub(crate) fn why(edge: &Edge) -> String {
        let rules = edge.rules.iter().map(|rule| &**rule);
        rules.chain(edge.reasons.iter().copied()).collect::<Vec<_>>().join(", ")
    }

    /// How it was encrypted.
    pub(crate) fn encryption(&self, edge: &Edge) -> String {
        let (encrypted, of) = edge.encrypted;
        fill(self.words().encrypted_of, &[&self.lang.count(encrypted), &self.lang.count(of)])
    }

    /// Bytes both ways.
    pub(crate) fn bytes(&self, edge: &Edge) -> String {
        self.lang.bytes(edge.volume.bytes())
    }

    /// What went on, in a line: outcome, volume, connections, encryption, why.
    pub(super) fn says(&self, edge: &Edge) -> String {
        let connections = self.lang.named(self.words().connections, &self.lang.count(edge.volume.flows));
        let parts = [
            format!("{} {}", mark(edge.outcome), self.outcome(edge.outcome)),
            Self::why(edge),
            self.bytes(edge),
            connections,
            self.encryption(edge),
            if edge.is_plain { self.words().state_plaintext.to_owned() } else { String::new() },
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// Edges from top to bottom.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.graph.edges.len()).collect();
        order.sort_by_key(|at| self.layout.edges[*at].to.1);
        order
    }

    /// What of it is not shown one by one.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let count = |n: usize| self.lang.count(n as u64);
        let grouped = self.graph.grouped();
        let mut remarks = Vec::new();
        if grouped > 0 {
            remarks.push(fill(self.words().map_grouped, &[&count(grouped)]));
        }
        if self.graph.unseen > 0 {
            remarks.push(fill(self.words().map_unseen, &[&count(self.graph.unseen)]));
        }
        remarks
    }
}

/// The sets of `[peers]` that an other end is in. What stands together is called by none.
fn named(records: &Records, recipient: &Recipient) -> String {
    let End::Net(net) = &recipient.end else { return String::new() };
    let sets = records.sets.iter().filter(|set| set.has(net)).map(|set| &*set.name);
    sets.collect::<Vec<_>>().join(", ")
}

/// What tells outcomes apart without colours.
pub(crate) const fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Declared => "✓",
        Outcome::Violation => "✕",
        Outcome::Undecided => "?",
    }
}
