//! How many addresses are kept one by one: those of a day, port, direction and identity, up to a number. More are put
//! together by their networks, of which there are no more either.

use std::collections::{HashMap, HashSet};

use gdprport_core::model::Direction;
use gdprport_core::privacy::{PSEUDONYMS, is_pseudonym};
use ipnet::IpNet;
use rusqlite::{Connection, Result, params};

/// Addresses and networks that are remembered in all. What is forgotten is read again.
const REMEMBERED: usize = 200_000;

/// Lengths of prefixes that addresses are put together by, of IPv4 and IPv6: a site, a provider's region, all.
pub(super) const LEVELS: [(u8, u8); 3] = [(24, 48), (16, 32), (0, 0)];

/// Whose peers are counted: day, port, direction and identity.
pub(super) type Group = (i64, i64, Direction, i64);

/// Peers that the database has.
#[derive(Debug, Default)]
pub(super) struct Peers {
    groups: HashMap<Group, Known, foldhash::fast::RandomState>,
    remembered: usize,
}

#[derive(Debug, Default)]
struct Known {
    all: HashSet<IpNet, foldhash::fast::RandomState>,
    /// How many of them are addresses, and how many networks of each level.
    of_level: [usize; 4],
}

/// A peer by the network of a level; itself if that is as wide already. Pseudonyms become all of them at once.
pub(super) fn rolled_up(peer: IpNet, level: usize) -> IpNet {
    let Some((v4, v6)) = level.checked_sub(1).and_then(|level| LEVELS.get(level)) else { return peer };
    // They have nothing in common by prefix.
    if is_pseudonym(peer) && *v6 > 0 {
        return PSEUDONYMS.into();
    }
    let prefix = if matches!(peer, IpNet::V4(_)) { *v4 } else { *v6 };
    if prefix >= peer.prefix_len() {
        return peer;
    }
    IpNet::new(peer.addr(), prefix).map_or(peer, |network| network.trunc())
}

/// The level of a peer: 0 is an address, or a network that is smaller than those of the first level.
fn level_of(peer: IpNet) -> usize {
    if peer == IpNet::from(PSEUDONYMS) {
        return 1;
    }
    let is_v4 = matches!(peer, IpNet::V4(_));
    LEVELS.iter().take_while(|(v4, v6)| peer.prefix_len() <= if is_v4 { *v4 } else { *v6 }).count()
}

impl Peers {
    /// Remembers nothing any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The peer that a flow is counted for, with no more than `max` of each level.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(super) fn place(&mut self, db: &Connection, group: Group, peer: IpNet, max: usize) -> Result<IpNet> {
        if !self.groups.contains_key(&group) {
            if self.remembered >= REMEMBERED {
                self.forget();
            }
            let known = load(db, group)?;
            self.remembered += known.all.len() + 1;
            self.groups.insert(group, known);
        }
        let Some(known) = self.groups.get_mut(&group) else { return Ok(peer) };
        let peer = peer.trunc();
        for level in level_of(peer)..=LEVELS.len() {
            let candidate = rolled_up(peer, level);
            if known.all.contains(&candidate) {
                return Ok(candidate);
            }
            if known.of_level[level] < max || level == LEVELS.len() {
                known.of_level[level] += 1;
                known.all.insert(candidate);
                self.remembered += 1;
                return Ok(candidate);
            }
        }
        Ok(peer)
    }
}

fn load(db: &Connection, (day, port, direction, identity): Group) -> Result<Known> {
    let mut statement = db.prepare(
        "SELECT DISTINCT peer, prefix FROM edge WHERE day = ?1 AND port = ?2 AND direction = ?3 AND identity = ?4",
    )?;
    let mut rows = statement.query(params![day, port, direction.as_str(), identity])?;
    let mut known = Known::default();
    while let Some(row) = rows.next()? {
        let (address, prefix): (String, u8) = (row.get(0)?, row.get(1)?);
        let Some(peer) = address.parse().ok().and_then(|address| IpNet::new(address, prefix).ok()) else {
            continue;
        };
        known.of_level[level_of(peer)] += 1;
        known.all.insert(peer);
    }
    Ok(known)
}
