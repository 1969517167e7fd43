//! The parts of an identity, and the classes of their values.
//!
//! What rules ask of one part is a demand; a value's class is the set of demands that it meets for certain and of those that
//! it may meet, were more known of it. Values with the same set share a class, so that rules are found by classes however
//! many values there are.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gdprport_common::{
    CLASS_FIRST, CLASS_UNKNOWN, CLASS_UNLISTED, CLASS_WITHHELD, ENFORCE_CGROUP, ENFORCE_EXE, ENFORCE_GID,
    ENFORCE_PARTS, ENFORCE_UID, FILE_CAP,
};

use super::tables::{CLASSES_MAX, TooLarge};
use crate::model::Process;
use crate::policy::{Fit, Pattern, ProcessKey, ProcessSpec};

/// The keys of `process` that ask about each part.
const KEYS: [&[ProcessKey]; ENFORCE_PARTS] = [
    &[ProcessKey::Exe],
    &[ProcessKey::User],
    &[ProcessKey::Group],
    &[
        ProcessKey::Unit,
        ProcessKey::Container,
        ProcessKey::Image,
        ProcessKey::Label,
        ProcessKey::Pod,
        ProcessKey::Namespace,
        ProcessKey::Workload,
        ProcessKey::StatedBy,
        ProcessKey::Cgroup,
    ],
];

// A key that no part asks about would be met by everybody.
const _: () = {
    let [executable, user, group, cgroup] = KEYS;
    assert!(executable.len() + user.len() + group.len() + cgroup.len() == ProcessKey::COUNT);
};

/// The number of a demand among those of its part.
pub(super) type DemandId = u32;

/// Demands with whether each is met for certain, ascending; one that is not listed is not met.
type Meets = Vec<(DemandId, bool)>;

/// A text that a demand fixes of a value: the key that it is compared with, and the text.
type Fixed = (ProcessKey, Arc<str>);

/// What rules ask of one part, and the classes of its values.
pub(super) struct Part {
    part: usize,
    demands: Vec<ProcessSpec>,
    known: HashMap<ProcessSpec, DemandId>,
    /// Demands of which each pattern is a plain text or a number, by these: no other value meets them.
    fixed: HashMap<Fixed, Vec<DemandId>>,
    /// The others.
    open: Vec<DemandId>,
    /// Those of `fixed` that name a user or group by name.
    named: Vec<DemandId>,
    classes: Vec<Meets>,
    by_meets: HashMap<Meets, u32>,
    /// The class of each value, but for those that are as if they were not listed.
    pub values: BTreeMap<[u64; 2], u32>,
}

impl Part {
    pub(super) fn new(part: usize) -> Self {
        Self {
            part,
            demands: Vec::new(),
            known: HashMap::new(),
            fixed: HashMap::new(),
            open: Vec::new(),
            named: Vec::new(),
            classes: Vec::new(),
            by_meets: HashMap::new(),
            values: BTreeMap::new(),
        }
    }

    /// What a rule asks of this part; `None`: nothing.
    pub(super) fn demand(&mut self, spec: &ProcessSpec) -> Option<DemandId> {
        let own = spec.only(KEYS[self.part]);
        if !KEYS[self.part].iter().any(|key| own.asks(*key)) {
            return None;
        }
        let next = u32::try_from(self.demands.len()).expect("fewer rules than bytes of a bounded file");
        let vacant = match self.known.entry(own) {
            Entry::Occupied(known) => return Some(*known.get()),
            Entry::Vacant(vacant) => vacant,
        };
        match fixed(self.part, vacant.key()) {
            Some(texts) => {
                let by_name = |(_, text): &Fixed| text.parse::<u32>().is_err();
                if self.part != ENFORCE_EXE && self.part != ENFORCE_CGROUP && texts.iter().any(by_name) {
                    self.named.push(next);
                }
                texts.into_iter().for_each(|text| self.fixed.entry(text).or_default().push(next));
            }
            None => self.open.push(next),
        }
        self.demands.push(vacant.key().clone());
        vacant.insert(next);
        Some(next)
    }

    /// The executables or numbers that demands name: their classes are to be known.
    pub(super) fn named_values(&self) -> impl Iterator<Item = &Arc<str>> {
        self.demands.iter().flat_map(|demand| demand.patterns(KEYS[self.part][0])).filter_map(|pattern| {
            match pattern {
                Pattern::Text(text) => Some(text),
                Pattern::Number(_) | Pattern::Glob(_) | Pattern::Image(_) => None,
            }
        })
    }

    /// The numbers that demands name.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.demands.iter().flat_map(|demand| demand.patterns(KEYS[self.part][0])).filter_map(|pattern| {
            match pattern {
                Pattern::Number(number) => Some(*number),
                Pattern::Text(_) | Pattern::Glob(_) | Pattern::Image(_) => None,
            }
        })
    }

    /// Makes the classes that are always there. All demands are known by now.
    pub(super) fn begin(&mut self) {
        let all = || (0..).zip(&self.demands);
        let unlisted: Meets = all()
            .filter(|(_, demand)| !self.is_decided_unlisted(demand))
            .map(|(id, _)| (id, false))
            .collect();
        let unknown: Meets = all().map(|(id, _)| (id, false)).collect();
        debug_assert!([CLASS_UNLISTED, CLASS_UNKNOWN, CLASS_WITHHELD, CLASS_FIRST] == [0, 1, 2, 3]);
        self.classes = vec![unlisted, unknown, Meets::new()];
        // A value that is known and of which all is open is no caller of whom nothing is known: see `rules`.
        for class in [CLASS_UNLISTED, CLASS_WITHHELD] {
            let meets = self.classes[class as usize].clone();
            self.by_meets.entry(meets).or_insert(class);
        }
    }

    /// Whether a value that is not listed fails this demand for certain: those that demands name are listed.
    fn is_decided_unlisted(&self, demand: &ProcessSpec) -> bool {
        let patterns = demand.patterns(KEYS[self.part][0]);
        match self.part {
            ENFORCE_EXE => {
                patterns.iter().all(|pattern| matches!(pattern, Pattern::Text(path) if is_read_in_full(path)))
            }
            // Two users may share a name, and only one of them is listed.
            ENFORCE_UID | ENFORCE_GID => patterns.iter().all(|pattern| matches!(pattern, Pattern::Number(_))),
            _ => false,
        }
    }

    /// Gives a value its class: that of a process of which this part is as in `like`. The class, and whether it is a new one.
    pub(super) fn list(&mut self, value: [u64; 2], like: &Process) -> Result<(u32, bool), TooLarge> {
        let mut candidates = self.candidates(like);
        candidates.sort_unstable();
        candidates.dedup();
        let fit = |id: &DemandId| {
            let demand = &self.demands[*id as usize];
            let fits = KEYS[self.part].iter().map(|key| demand.compare(*key, like));
            match fits.fold(Fit::Matches, Fit::and) {
                Fit::Matches => Some((*id, true)),
                Fit::Unknown => Some((*id, false)),
                Fit::Fails | Fit::Withheld => None,
            }
        };
        let meets: Meets = candidates.iter().filter_map(fit).collect();
        let next = u32::try_from(self.classes.len()).expect("bounded");
        TooLarge::check(
            self.values.len().max(self.classes.len()) + 1,
            CLASSES_MAX,
            "users, groups, executables and cgroups to tell apart",
            "name fewer of them in rules",
        )?;
        let (class, is_new) = match self.by_meets.entry(meets) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => {
                self.classes.push(vacant.key().clone());
                (*vacant.insert(next), true)
            }
        };
        if class == CLASS_UNLISTED {
            self.values.remove(&value);
        } else {
            self.values.insert(value, class);
        }
        Ok((class, is_new))
    }

    /// Takes back the newest class, of which nothing is written, and gives its only value the class that it had.
    pub(super) fn give_up(&mut self, value: [u64; 2], before: u32) {
        if let Some(meets) = self.classes.pop() {
            self.by_meets.remove(&meets);
        }
        if before == CLASS_UNLISTED {
            self.values.remove(&value);
        } else {
            self.values.insert(value, before);
        }
    }

    /// Whether a demand is not decided by plain texts and numbers alone.
    pub(super) const fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The demands that the values of a class meet, and whether for certain.
    pub(super) fn meets(&self, class: u32) -> &[(DemandId, bool)] {
        self.classes.get(class as usize).map_or(&[], Vec::as_slice)
    }

    /// The demands that a value may meet.
    fn candidates(&self, like: &Process) -> Vec<DemandId> {
        let mut found = self.open.clone();
        let mut look_up = |key: ProcessKey, text: &str| {
            found.extend(self.fixed.get(&(key, text.into())).into_iter().flatten());
        };
        match self.part {
            ENFORCE_EXE => look_up(ProcessKey::Exe, like.exe.as_deref().unwrap_or_default()),
            ENFORCE_UID | ENFORCE_GID => {
                let (key, id, name) = if self.part == ENFORCE_UID {
                    (ProcessKey::User, like.uid, &like.user)
                } else {
                    (ProcessKey::Group, like.gid, &like.group)
                };
                look_up(key, &id.to_string());
                name.iter().for_each(|name| look_up(key, name));
                if id == u32::MAX {
                    return self.all();
                }
                if name.is_none() && like.names_pending {
                    found.extend(&self.named);
                }
            }
            _ if like.cgroup.is_none() => return self.all(),
            _ => {
                like.unit.iter().for_each(|unit| look_up(ProcessKey::Unit, unit));
                like.cgroup.iter().for_each(|cgroup| look_up(ProcessKey::Cgroup, cgroup));
            }
        }
        found
    }

    fn all(&self) -> Vec<DemandId> {
        (0..).zip(&self.demands).map(|(id, _)| id).collect()
    }

    /// By demand: the classes that meet it, and whether for certain. Without the class of what is not known: for that
    /// see [`super::rules`].
    pub(super) fn classes_by_demand(&self) -> Vec<Vec<(u32, bool)>> {
        let mut found = vec![Vec::new(); self.demands.len()];
        for (class, meets) in (0..).zip(&self.classes).filter(|(class, _)| *class != CLASS_UNKNOWN) {
            for (demand, certain) in meets {
                found[*demand as usize].push((class, *certain));
            }
        }
        found
    }
}

/// Longest path, in bytes and in components, that the kernel side certainly reads in full, whatever mounts it leads through:
/// half of what it has room and steps for (`FILE_CAP`, and `STEPS` in `gdprport-ebpf/src/exe_file.rs`).
const READ_IN_FULL: (usize, usize) = (FILE_CAP / 2, 32);

/// Whether a file at this path is always known by its fingerprint. That of one in memory has the name that it was given,
/// whose slashes separate nothing.
fn is_read_in_full(path: &str) -> bool {
    path.len() <= READ_IN_FULL.0 && path.split('/').count() <= READ_IN_FULL.1 && !path.starts_with("/memfd:")
}

/// The texts one of which a value must have to meet a demand; `None`: that is not all that decides it.
fn fixed(part: usize, demand: &ProcessSpec) -> Option<Vec<Fixed>> {
    let of = |key: ProcessKey| -> Option<Vec<Fixed>> {
        let texts = demand.patterns(key).iter().map(|pattern| match pattern {
            Pattern::Text(text) => Some((key, Arc::clone(text))),
            Pattern::Number(number) => Some((key, number.to_string().into())),
            Pattern::Glob(_) | Pattern::Image(_) => None,
        });
        texts.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
    };
    if part == ENFORCE_CGROUP {
        of(ProcessKey::Unit).or_else(|| of(ProcessKey::Cgroup))
    } else {
        of(KEYS[part][0])
    }
}
