//! Looking up one container in the state of runtimes.
//!
//! Belongs here: which file of which runtime names it, and whose word the result is. Called on a thread that may be lost.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gdprport_core::container::{Mount, ShownLabels, Stated};
use gdprport_core::model::{Names, StatedBy};

use super::beneath::Beneath;
use super::key::{Key, Lane};
use super::places::{self, Pattern, Place};
use super::sources::{self, Reading};
use super::users;
use super::word::Word;

/// How long the list of places counts: a runtime that is installed later is found then.
const PLACES_LIFE: Duration = Duration::from_secs(60);

/// Names of users kept; beyond, they are read again.
const USERS_MAX: usize = 64;

/// Looks up containers in one lane.
#[derive(Debug)]
pub(super) struct Looker {
    lane: Lane,
    configured: Vec<PathBuf>,
    shown: ShownLabels,
    places: Vec<Place>,
    files: Vec<Pattern>,
    sockets: Vec<Pattern>,
    read_at: Option<Instant>,
    users: HashMap<u32, Option<Arc<str>>>,
}

impl Looker {
    /// `configured`: the directories of our configuration.
    pub(super) fn new(lane: Lane, configured: Vec<PathBuf>, shown: ShownLabels) -> Self {
        Self {
            lane,
            configured,
            shown,
            places: Vec::new(),
            files: Vec::new(),
            sockets: places::sockets(),
            read_at: None,
            users: HashMap::new(),
        }
    }

    /// What the state says of a container; `None` if nothing does.
    pub(super) fn look(&mut self, key: &Key) -> Option<Names> {
        if self.read_at.is_none_or(|at| at.elapsed() >= PLACES_LIFE) {
            self.find_places();
        }
        let Reading { stated, word } = self.read(key)?;
        // Whoever has named the cgroup has chosen which container this is about.
        let word = word.and(Word::of(key.claimed_by.unwrap_or(0)));
        let writes_state = self.writes_state(&stated);
        let stated_by = StatedBy { uid: word.uid(), user: self.user(word.uid()) };
        Some(self.shown.of(stated.names(stated_by, writes_state)))
    }

    /// Of the places that name it the first; what that does not know of a pod, the kubelet may.
    fn read(&self, key: &Key) -> Option<Reading> {
        let of_pod = |reading: &Reading| match (&key.pod, &reading.stated.pod_uid) {
            (Some(pod), Some(stated)) => pod.replace('-', "") == stated.replace('-', ""),
            _ => true,
        };
        let mut readings = self.places.iter().filter_map(|place| sources::read(place, key)).filter(of_pod);
        let first = readings.next()?;
        if first.stated.name.is_some() || key.pod.is_none() {
            return Some(first);
        }
        Some(readings.fold(first, Reading::or))
    }

    /// Whether a container can write to a file of the state, or command a runtime. A socket in what is mounted read-only can be
    /// used all the same.
    fn writes_state(&self, stated: &Stated) -> bool {
        let any = |mounts: &[Mount], of: &[Pattern]| {
            mounts.iter().any(|mount| of.iter().any(|pattern| pattern.is_within(&mount.source)))
        };
        any(&stated.mounts, &self.files)
            || any(&stated.mounts, &self.sockets)
            || any(&stated.read_only_mounts, &self.sockets)
    }

    fn find_places(&mut self) {
        self.read_at = Some(Instant::now());
        self.places = match &self.lane {
            Lane::Root => places::of_root(),
            Lane::Place(base) => places::of_any_kind(base),
            Lane::User(uid) => {
                users::anywhere(*uid).map_or_else(Vec::new, |user| places::of_home(&user.home, *uid))
            }
        };
        // Other places may hang, so that only their paths as they are written are compared.
        let others = places::of_root()
            .into_iter()
            .chain(self.configured.iter().flat_map(|base| places::of_any_kind(base)));
        self.files = others
            .flat_map(|place| place.files(&place.base))
            .chain(self.places.iter().flat_map(files))
            .collect();
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

/// The files of a place that name containers, by the path as it is written and without links.
fn files(place: &Place) -> Vec<Pattern> {
    let without_links = Beneath::open(&place.base).ok().map(|base| place.files(base.path()));
    place.files(&place.base).into_iter().chain(without_links.into_iter().flatten()).collect()
}
