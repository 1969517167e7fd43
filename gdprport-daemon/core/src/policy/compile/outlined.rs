//! The merged policy as its author wrote it: what [`compile`](super::compile) forgets, with places.

use std::collections::HashSet;
use std::sync::Arc;

use crate::policy::model::{
    Declaration, Model, PeerSets, PeerSpec, PortKey, ProcessKey, ProcessSpec, Rule, Site,
};
use crate::policy::outline::{
    DeclaredPeer, DeclaredPort, DeclaredRule, DeclaredSite, Exception, Outline, PeerSet, Place,
};
use crate::written::{Loc, Report};

/// How many peers all rules together may have once sets are replaced by their members, some 40 MB: a small file can name
/// a large set in very many rules.
const PEERS_MAX: usize = 1_000_000;

/// Writes the model down again.
pub(super) fn outlined(model: &Model, report: &mut Report<'_>) -> Outline {
    let mut files = Vec::new();
    let mut room = PEERS_MAX;
    let mut outline = Outline { controller: model.controller.clone(), ..Outline::default() };
    for declared in &model.declarations {
        let port = port(declared, &model.sets, &mut room, &mut |loc| place(loc, &mut files, report));
        let Some(port) = port else {
            refuse(declared.loc, report);
            break;
        };
        outline.ports.push(port);
    }
    for declared in &model.exceptions {
        let peers = declared.peers.as_deref().map(|peers| expanded(peers, &model.sets, &mut room));
        let Some(peers) = peers.unwrap_or_else(|| Some(Vec::new())) else {
            refuse(declared.table, report);
            break;
        };
        let port = declared.port.as_ref().map(|port| match port {
            PortKey::Name(name) => Arc::clone(name),
            PortKey::Number(number) => number.to_string().into(),
        });
        outline.exceptions.push(Exception {
            place: place(declared.table, &mut files, report),
            finding: declared.finding.id.into(),
            port,
            peers,
            process: declared.process.as_deref().map(process).unwrap_or_default(),
            why: Arc::clone(&declared.why),
            accepted_by: Arc::clone(&declared.accepted_by),
            until: declared.until,
            compared: (declared.port.clone(), declared.process.clone()),
        });
    }
    outline.sets = sets(&model.sets);
    outline
}

/// In the order of their names: they may stand in several files.
fn sets(sets: &PeerSets) -> Vec<PeerSet> {
    let set = |(name, members): (&String, &Vec<PeerSpec>)| PeerSet {
        name: name.as_str().into(),
        members: members.iter().filter_map(declared_peer).collect(),
    };
    let mut sets: Vec<PeerSet> = sets.0.iter().map(set).collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets
}

fn refuse(loc: Loc, report: &mut Report<'_>) {
    let message = format!("up to here the rules have more than {PEERS_MAX} peers to be judged");
    report.error(loc, message, "write networks instead of sets with very many members".to_owned());
}

/// Where this is; the names of files are shared.
fn place(loc: Loc, files: &mut Vec<(usize, Arc<str>)>, report: &Report<'_>) -> Place {
    let (name, line, column) = report.whereabouts(loc);
    let known = files.iter().find(|(source, _)| *source == loc.source).map(|(_, name)| Arc::clone(name));
    let file = known.unwrap_or_else(|| {
        let name: Arc<str> = name.into();
        files.push((loc.source, Arc::clone(&name)));
        name
    });
    Place { file, line, column }
}

/// `None` if there is no more room for the peers of its rules.
fn port(
    declared: &Declaration,
    sets: &PeerSets,
    room: &mut usize,
    place: &mut impl FnMut(Loc) -> Place,
) -> Option<DeclaredPort> {
    let rules = declared.rules.iter().map(|rule| self::rule(rule, sets, room, place));
    let rules = rules.collect::<Option<Vec<_>>>()?;
    Some(DeclaredPort {
        name: Arc::clone(&declared.name),
        place: place(declared.table),
        numbers: declared.numbers.iter().map(|at| at.value.first..=at.value.last).collect(),
        site: match &declared.site {
            Site::Local(listen) => DeclaredSite::Local(
                listen.as_ref().map(|listen| listen.iter().filter_map(declared_peer).collect()),
            ),
            Site::Remote(remote) => {
                DeclaredSite::Remote(remote.iter().filter_map(|peer| declared_peer(&peer.value)).collect())
            }
        },
        protocol: declared.protocol,
        tls: declared.tls.clone(),
        emit: declared.emit,
        enforcement: declared.enforcement,
        record: declared.record.as_ref().map(|record| Arc::clone(&record.value)),
        record_place: declared.record.as_ref().map(|record| place(record.loc)),
        rules,
    })
}

fn rule(
    rule: &Rule,
    sets: &PeerSets,
    room: &mut usize,
    place: &mut impl FnMut(Loc) -> Place,
) -> Option<DeclaredRule> {
    Some(DeclaredRule {
        role: Arc::clone(&rule.role),
        place: place(rule.table),
        top_level: rule.top_level,
        direction: rule.direction.value,
        peers: expanded(&rule.peers, sets, room)?,
        process: rule.process.as_deref().map(process).unwrap_or_default(),
        until: rule.until.map(|until| until.value),
        volume: rule.volume,
    })
}

/// Peers with sets replaced by their members, each once; `None` if there is no room for them.
fn expanded(peers: &[PeerSpec], sets: &PeerSets, room: &mut usize) -> Option<Vec<DeclaredPeer>> {
    let members = peers.iter().flat_map(|peer| match peer {
        PeerSpec::Set(name) => sets.members(name),
        _ => std::slice::from_ref(peer),
    });
    let mut seen = HashSet::new();
    let mut found = Vec::with_capacity(peers.len());
    for peer in members.filter(|peer| seen.insert(*peer)).filter_map(declared_peer) {
        *room = room.checked_sub(1)?;
        found.push(peer);
    }
    Some(found)
}

/// `None`: a set, which has no members that are sets.
fn declared_peer(peer: &PeerSpec) -> Option<DeclaredPeer> {
    match peer {
        PeerSpec::Any => Some(DeclaredPeer::Any),
        PeerSpec::Loopback => Some(DeclaredPeer::Loopback),
        PeerSpec::Net(net) => Some(DeclaredPeer::Net(*net)),
        PeerSpec::Host(name) => Some(DeclaredPeer::Host(Arc::clone(name))),
        PeerSpec::Set(_) => None,
    }
}

/// The keys in their order, each with its values sorted; every label is an entry of its own.
fn process(spec: &ProcessSpec) -> Vec<(&'static str, Vec<String>)> {
    let mut keys = Vec::new();
    for key in ProcessKey::ALL {
        if key == ProcessKey::Label {
            let labels = spec.labels().iter().map(|(label, values)| {
                (key.as_str(), values.iter().map(|value| format!("{label}={value}")).collect())
            });
            keys.extend(labels);
        } else if !spec.patterns(key).is_empty() {
            keys.push((key.as_str(), spec.patterns(key).iter().map(ToString::to_string).collect()));
        }
    }
    keys
}
