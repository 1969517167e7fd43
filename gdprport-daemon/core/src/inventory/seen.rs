//! Flows as they are watched for a while, added up for an inventory: who came and went, how it was encrypted, and which protocol
//! was spoken.
//!
//! Belongs here: adding up, within bounds. What it adds to an inventory is `merge`'s.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::{Change, ChangeKind, Flow};
use crate::ledger::{Identity, PostureKey};
use crate::model::{Direction, Endpoint, Posture};
use crate::posture::{Spoken, spoken};
use crate::shared::Shared;

/// Sums kept at once, each some 300 bytes: of five minutes on a host with a thousand peers a minute and a dozen services each.
const SUMS_CAP: usize = 65_536;

/// What flows are added up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SeenKey {
    /// Network namespace cookie; 0: not known.
    pub(super) netns_cookie: u64,
    /// Which end is here.
    pub(super) direction: Direction,
    /// The end of the service: of an accepted flow here, of a connected one elsewhere.
    pub(super) service: Endpoint,
    /// The other end of an accepted flow; of a connected one the service's.
    pub(super) peer: IpAddr,
    /// Who is at this end.
    pub(super) identity: Arc<Identity>,
    /// Who is at the other end, where that is on this host too.
    pub(super) process: Option<Arc<Identity>>,
}

/// What was seen of flows with the same key.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Those that ended.
    pub(super) ended: u64,
    pub(super) postures: HashMap<PostureKey, u64>,
    pub(super) spoken: BTreeSet<Spoken>,
}

/// Flows that were watched.
#[derive(Debug, Default)]
pub struct Seen {
    open: HashMap<u64, (SeenKey, Option<Shared<Posture>>)>,
    sums: HashMap<SeenKey, Sum>,
    lost: u64,
}

impl Seen {
    /// Adds what happened to a flow. At most as many are held open as in the table of flows.
    pub fn flow(&mut self, change: &Change) {
        let flow = &change.flow;
        match change.kind {
            ChangeKind::Opened | ChangeKind::Updated | ChangeKind::PostureKnown => {
                self.open.insert(flow.cookie, (key(flow), flow.posture.clone()));
            }
            ChangeKind::Closed => {
                self.open.remove(&flow.cookie);
                self.add(key(flow), flow.posture.as_deref(), 1);
            }
            ChangeKind::Removed(_) => {
                self.lost += u64::from(self.open.remove(&flow.cookie).is_some());
            }
            ChangeKind::Failed => {}
        }
    }

    /// Flows that found no room.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    fn add(&mut self, key: SeenKey, posture: Option<&Posture>, ended: u64) {
        if self.sums.len() >= SUMS_CAP && !self.sums.contains_key(&key) {
            self.lost += 1;
            return;
        }
        let sum = self.sums.entry(key).or_default();
        sum.ended += ended;
        *sum.postures.entry(PostureKey::of(posture)).or_default() += 1;
        sum.spoken.extend(posture.and_then(spoken));
    }

    /// Everything, with what is still open.
    pub(super) fn into_sums(mut self) -> HashMap<SeenKey, Sum> {
        for (key, posture) in std::mem::take(&mut self.open).into_values() {
            self.add(key, posture.as_deref(), 0);
        }
        self.sums
    }
}

fn key(flow: &Flow) -> SeenKey {
    let (service, peer) = match flow.direction {
        Direction::In => (flow.local, flow.peer.ip),
        Direction::Out => (flow.peer, flow.peer.ip),
    };
    let process = flow.peer_process.as_deref().map(|process| Identity::of(Some(process)));
    SeenKey {
        netns_cookie: flow.netns_cookie,
        direction: flow.direction,
        service,
        peer,
        identity: Arc::new(Identity::of(flow.process.as_deref())),
        process: process.filter(|process| *process != Identity::UNKNOWN).map(Arc::new),
    }
}
