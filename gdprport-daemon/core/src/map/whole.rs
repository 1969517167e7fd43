//! Everything that a record has for a map, before anything stands together: what decides about that, and no more. A ledger may have
//! some hundred thousand other ends, of which a map shows sixty; only those are ever filled in (`build`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::model::{End, Kind, Link, Outcome, Port, Recipient, Source};
use crate::ledger::Identity;
use crate::model::{Direction, PostureState};
use crate::records::{Activity, Counterpart, Records, Rows, Seen, Volume};

/// An edge, as far as it decides what stands together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thin {
    pub port: usize,
    pub recipient: usize,
    pub direction: Direction,
    pub outcome: Outcome,
    pub volume: Volume,
}

/// All nodes and lines.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub sources: Vec<Source>,
    pub ports: Vec<Port>,
    pub recipients: Vec<Recipient>,
    /// One for each service, other end, direction and outcome.
    pub edges: Vec<Thin>,
    pub links: Vec<Link>,
    /// The edge of each counterpart, in the order of the record.
    pub edge_of: Vec<usize>,
    /// Edges with a source that had part in them; a pair may stand there more than once.
    pub parts: Vec<(usize, usize)>,
}

/// What of a row decides about its link.
#[derive(Debug, Clone, Copy)]
struct RowOf {
    row: i64,
    edge: usize,
    is_plain: bool,
}

/// Nodes by what makes them the same.
#[derive(Debug, Default)]
struct Known {
    sources: BTreeMap<(Kind, Arc<str>), usize>,
    recipients: HashMap<IpNet, usize, foldhash::fast::RandomState>,
}

/// Plaintext was seen: without TLS from the start, or because TLS was refused.
pub(super) const fn is_plain(state: PostureState) -> bool {
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
    /// Of a record.
    pub(super) fn of(records: &Records) -> Self {
        let (mut whole, mut known) = (Self::default(), Known::default());
        for activity in records.all() {
            whole.add(activity, &mut known);
        }
        whole
    }

    fn add(&mut self, activity: &Activity, known: &mut Known) {
        let port = self.ports.len();
        self.ports.push(Port {
            name: Arc::clone(&activity.name),
            ports: activity.ports(),
            protocol: activity.protocol.clone(),
            is_declared: activity.is_declared,
            count: 1,
            is_seen: activity.seen.is_some(),
        });
        let Some(seen) = &activity.seen else { return };
        let mut of: HashMap<(usize, Direction, Outcome), usize, foldhash::fast::RandomState> =
            HashMap::default();
        let first = self.edge_of.len();
        for other in &seen.counterparts {
            let recipient = self.recipient(other, known);
            let (direction, outcome) = (other.direction, Outcome::of(other.outcome));
            let edges = &mut self.edges;
            let at = *of.entry((recipient, direction, outcome)).or_insert_with(|| {
                edges.push(Thin { port, recipient, direction, outcome, volume: Volume::default() });
                edges.len() - 1
            });
            self.edges[at].volume.add(&other.used.volume);
            self.edge_of.push(at);
        }
        let rows = rows(seen, &self.edge_of[first..]);
        self.links(port, seen, &rows, known);
    }

    fn recipient(&mut self, other: &Counterpart, known: &mut Known) -> usize {
        let recipients = &mut self.recipients;
        *known.recipients.entry(other.at.net).or_insert_with(|| {
            recipients.push(Recipient {
                end: End::Net(other.at.net),
                zone: Some(other.at.zone),
                country: other.at.country.clone(),
            });
            recipients.len() - 1
        })
    }

    fn links(&mut self, port: usize, seen: &Seen, rows: &[RowOf], known: &mut Known) {
        let mut of: BTreeMap<(usize, Direction, Outcome), usize> = BTreeMap::new();
        for process in &seen.processes {
            let key = called(&process.identity);
            let sources = &mut self.sources;
            let source = *known.sources.entry(key.clone()).or_insert_with(|| {
                let (kind, name) = key;
                sources.push(Source { kind, name, count: 1, volume: Volume::default() });
                sources.len() - 1
            });
            sources[source].volume.add(&process.used.volume);
            for number in &process.used.rows.0 {
                let Some(RowOf { edge, is_plain, .. }) = find(rows, *number).map(|at| rows[at]) else {
                    continue;
                };
                if self.parts.last() != Some(&(edge, source)) {
                    self.parts.push((edge, source));
                }
                let outcome = self.edges[edge].outcome;
                let links = &mut self.links;
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
}

/// The rows of a service, ascending, with the edges of its counterparts.
fn rows(seen: &Seen, edges: &[usize]) -> Vec<RowOf> {
    let of = seen.counterparts.iter().zip(edges);
    let mut rows: Vec<RowOf> = of
        .flat_map(|(other, edge)| {
            other.used.rows.0.iter().map(|row| RowOf { row: *row, edge: *edge, is_plain: false })
        })
        .collect();
    rows.sort_unstable_by_key(|of| of.row);
    for posed in seen.shares.0.iter().filter(|posed| is_plain(posed.state)) {
        for row in &posed.rows.0 {
            if let Some(at) = find(&rows, *row) {
                rows[at].is_plain = true;
            }
        }
    }
    rows
}

fn find(rows: &[RowOf], row: i64) -> Option<usize> {
    rows.binary_search_by_key(&row, |of| of.row).ok()
}
