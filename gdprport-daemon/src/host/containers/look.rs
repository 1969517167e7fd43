//! Looking up one container in the state of runtimes.
//!
//! Belongs here: which file of which runtime names it, and whose word the result is. Called on a thread that may be lost.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gdprport_core::container::Stated;
use gdprport_core::model::{Names, StatedBy};

use super::beneath::Beneath;
use super::names::Key;
use super::places::{self, Kind, Pattern, Place};
use super::users;
use super::word::Word;

/// How long the list of places counts: a runtime that is installed later is found then.
const PLACES_LIFE: Duration = Duration::from_secs(60);

/// Names of users kept; beyond, they are read again.
const USERS_MAX: usize = 64;

/// Whose state is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// That of root's runtimes, in the directories that they use.
    Root,
    /// A directory of our configuration.
    Place(Arc<PathBuf>),
    /// That of the runtimes of a user.
    User(u32),
}

/// Looks up containers in one lane.
#[derive(Debug)]
pub(super) struct Looker {
    lane: Lane,
    places: Vec<Place>,
    protected: Vec<Pattern>,
    read_at: Option<Instant>,
    users: HashMap<u32, Option<Arc<str>>>,
}

/// What was read of a container.
struct Reading {
    stated: Stated,
    word: Word,
}

impl Looker {
    pub(super) fn new(lane: Lane) -> Self {
        Self { lane, places: Vec::new(), protected: Vec::new(), read_at: None, users: HashMap::new() }
    }

    /// What the state says of a container; `None` if nothing does.
    pub(super) fn look(&mut self, key: &Key) -> Option<Names> {
        if self.read_at.is_none_or(|at| at.elapsed() >= PLACES_LIFE) {
            self.find_places();
        }
        let Reading { stated, word } = self.places.iter().find_map(|place| read(place, key))?;
        // Whoever has named the cgroup has chosen which container this is about.
        let word = word.and(Word::of(key.claimed_by.unwrap_or(0)));
        let within = |pattern: &Pattern| stated.mounts.iter().any(|mount| pattern.is_within(&mount.source));
        let writes_state = self.protected.iter().any(within);
        let stated_by = StatedBy { uid: word.uid(), user: self.user(word.uid()) };
        Some(stated.names(stated_by, writes_state))
    }

    fn find_places(&mut self) {
        self.read_at = Some(Instant::now());
        self.places = match &self.lane {
            Lane::Root => places::of_root(),
            Lane::Place(base) => places::of_any_kind(base),
            Lane::User(uid) => {
                users::anywhere(*uid).map_or_else(Vec::new, |user| places::of_home(&user.home))
            }
        };
        self.protected = self.places.iter().flat_map(protected).chain(places::sockets()).collect();
    }

    fn user(&mut self, uid: u32) -> Option<Arc<str>> {
        if self.users.len() >= USERS_MAX {
            self.users.clear();
        }
        let find = || match self.lane {
            Lane::User(own) if own == uid => users::anywhere(uid),
            _ => users::in_file(uid),
        };
        self.users.entry(uid).or_insert_with(|| find().map(|user| user.name)).clone()
    }
}

/// The files of a place that name containers.
fn protected(place: &Place) -> Vec<Pattern> {
    let below: &[&str] = match place.kind {
        Kind::Docker => &["containers", "*", "config.v2.json"],
    };
    let as_written = Pattern::new(&place.base, below);
    let without_links = Beneath::open(&place.base).ok().map(|base| Pattern::new(base.path(), below));
    std::iter::once(as_written).chain(without_links).collect()
}

fn read(place: &Place, key: &Key) -> Option<Reading> {
    let base = Beneath::open(&place.base).ok()?;
    match place.kind {
        Kind::Docker => docker(&base, key),
    }
}

fn docker(base: &Beneath, key: &Key) -> Option<Reading> {
    let file = base.below(&["containers", &key.id]).ok()?.read("config.v2.json").ok()?;
    let stated = docker_config(&file.bytes)?;
    Some(Reading { stated, word: file.word })
}

/// The names in Docker's `config.v2.json`.
fn docker_config(bytes: &[u8]) -> Option<Stated> {
    let config: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let name = config.get("Name")?.as_str()?.trim_start_matches('/');
    let image = config.pointer("/Config/Image").and_then(serde_json::Value::as_str).unwrap_or_default();
    let stated = Stated {
        name: gdprport_core::container::text(name, 253),
        image: gdprport_core::container::text(image, 512),
        ..Stated::default()
    };
    (!stated.is_empty()).then_some(stated)
}
