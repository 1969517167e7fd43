//! From a record to the whole graph, which `bound` then makes readable.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::bound::bounded;
use super::model::{Edge, End, Graph, Kind, Link, Outcome, Port, Recipient, Source};
use crate::ledger::Identity;
use crate::model::{Direction, PostureState};
use crate::records::{Activity, Counterpart, Records, Rows, Seen, Volume};

/// The map of a record, of at most so many parts that it can be read.
#[must_use]
pub fn graph(records: &Records) -> Graph {
    let mut whole = Whole::default();
    for activity in records.activities.iter().chain(&records.undeclared) {
        whole.add(activity);
    }
    bounded(whole.finish())
}

/// The graph while it is made: nodes by what makes them the same.
#[derive(Debug, Default)]
struct Whole {
    graph: Graph,
    sources: BTreeMap<(Kind, Arc<str>), usize>,
    recipients: BTreeMap<IpNet, usize>,
}

/// What a row of the ledger says that its sums do not.
#[derive(Debug, Clone, Copy)]
struct RowOf {
    edge: usize,
    is_plain: bool,
}

/// Plaintext was seen: without TLS from the start, or because TLS was refused.
fn is_plain(state: PostureState) -> bool {
    matches!(state, PostureState::Plaintext | PostureState::StarttlsRefused)
}

fn called(identity: &Identity) -> (Kind, Arc<str>) {
    let container = identity.container.as_ref();
    let named = container.and_then(|container| container.name.clone().or_else(|| container.workload.clone()));
    let file = |path: &Arc<str>| path.rsplit('/').next().map_or_else(|| Arc::clone(path), Arc::from);
    if let Some(name) = named {
        return (Kind::Container, name);
    }
    if let Some(unit) = &identity.unit {
        return (Kind::Unit, Arc::clone(unit));
    }
    match identity.script.as_ref().or(identity.exe.as_ref()) {
        Some(path) => (Kind::Program, file(path)),
        None => (Kind::Unknown, "".into()),
    }
}

impl Whole {
    fn add(&mut self, activity: &Activity) {
        let port = self.graph.ports.len();
        self.graph.ports.push(Port {
            name: Arc::clone(&activity.name),
            ports: activity.ports(),
            protocol: activity.protocol.clone(),
            is_declared: activity.is_declared,
            count: 1,
            is_seen: activity.seen.is_some(),
        });
        let Some(seen) = &activity.seen else { return };
        let first = self.graph.edges.len();
        let mut of: BTreeMap<(IpNet, Direction, Outcome), usize> = BTreeMap::new();
        for other in &seen.counterparts {
            let key = (other.at.net, other.direction, Outcome::of(other.outcome));
            let recipient = self.recipient(other);
            let at = *of.entry(key).or_insert_with(|| {
                self.graph.edges.push(Edge::empty(port, recipient, key.1, key.2));
                self.graph.edges.len() - 1
            });
            join(&mut self.graph.edges[at], other);
        }
        let rows = self.rows(first, seen);
        self.links(port, seen, &rows);
    }

    fn recipient(&mut self, other: &Counterpart) -> usize {
        let recipients = &mut self.graph.recipients;
        *self.recipients.entry(other.at.net).or_insert_with(|| {
            recipients.push(Recipient {
                end: End::Net(other.at.net),
                zone: Some(other.at.zone),
                country: other.at.country.clone(),
            });
            recipients.len() - 1
        })
    }

    /// The rows of edges from `first` on.
    fn rows(&self, first: usize, seen: &Seen) -> BTreeMap<i64, RowOf> {
        let mut rows = BTreeMap::new();
        for (edge, one) in self.graph.edges.iter().enumerate().skip(first) {
            rows.extend(one.rows.0.iter().map(|row| (*row, RowOf { edge, is_plain: false })));
        }
        for posed in seen.shares.0.iter().filter(|posed| is_plain(posed.state)) {
            for row in &posed.rows.0 {
                if let Some(row) = rows.get_mut(row) {
                    row.is_plain = true;
                }
            }
        }
        rows
    }

    fn links(&mut self, port: usize, seen: &Seen, rows: &BTreeMap<i64, RowOf>) {
        let mut of: BTreeMap<(usize, Direction, Outcome), usize> = BTreeMap::new();
        for process in &seen.processes {
            let key = called(&process.identity);
            let sources = &mut self.graph.sources;
            let source = *self.sources.entry(key.clone()).or_insert_with(|| {
                let (kind, name) = key;
                sources.push(Source { kind, name, count: 1, volume: Volume::default() });
                sources.len() - 1
            });
            sources[source].volume.add(&process.used.volume);
            for number in &process.used.rows.0 {
                let Some(RowOf { edge, is_plain }) = rows.get(number).copied() else { continue };
                self.graph.edges[edge].sources.insert(source);
                let outcome = self.graph.edges[edge].outcome;
                let links = &mut self.graph.links;
                let at = *of.entry((source, process.direction, outcome)).or_insert_with(|| {
                    let direction = process.direction;
                    links.push(Link { source, port, direction, outcome, is_plain, rows: Rows::default() });
                    links.len() - 1
                });
                links[at].is_plain |= is_plain;
                links[at].rows.0.push(*number);
            }
        }
    }

    fn finish(self) -> Graph {
        let mut graph = self.graph;
        for rows in graph
            .edges
            .iter_mut()
            .map(|edge| &mut edge.rows)
            .chain(graph.links.iter_mut().map(|link| &mut link.rows))
        {
            rows.0.sort_unstable();
            rows.0.dedup();
        }
        graph
    }
}

fn join(edge: &mut Edge, other: &Counterpart) {
    edge.rules.extend(other.rule.clone());
    edge.reasons.extend(&other.reasons);
    edge.is_plain |= other.shares.0.iter().any(|posed| is_plain(posed.state));
    let (encrypted, of) = other.shares.encrypted();
    edge.encrypted.0 = edge.encrypted.0.saturating_add(encrypted);
    edge.encrypted.1 = edge.encrypted.1.saturating_add(of);
    edge.volume.add(&other.used.volume);
    edge.rows.0.extend(&other.used.rows.0);
}
