//! A disk in memory that loses what was not synced, as file systems do when the host ends: of the names that were given and taken
//! away the last ones, since journaling file systems keep them in order; of contents any part, also zeros in its place. It
//! can also end at any operation.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sink::evidence::disk::{Disk, directory_of};

/// What a file holds.
#[derive(Debug, Clone, Default)]
struct Content {
    live: Vec<u8>,
    /// What was synced last.
    durable: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
struct State {
    contents: Vec<Content>,
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// What became of names since a directory was synced last, in order: the name, and its content, if it has one.
    unsynced: Vec<Vec<(String, Option<usize>)>>,
    /// Operations that are still carried out; `None`: all.
    left: Option<u64>,
    /// Whether the one behind them was tried: only that one is carried out in part.
    ended: bool,
}

/// The disk. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Lossy(Arc<Mutex<State>>);

impl Lossy {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out so many operations from now on; the one behind them and all later ones fail.
    pub(super) fn end_after(&self, operations: u64) {
        self.state().left = Some(operations);
    }

    /// The disk after the host's end: what was synced, and of the rest as much as `random` (0 to below its argument) wills.
    pub(super) fn after_the_end(&self, mut random: impl FnMut(usize) -> usize) -> Self {
        let state = self.state().clone();
        let mut names = state.durable.clone();
        let kept = random(state.unsynced.len() + 1);
        for (name, content) in state.unsynced[..kept].iter().flatten() {
            match content {
                Some(content) => names.insert(name.clone(), *content),
                None => names.remove(name),
            };
        }
        let contents = state.contents.iter().map(|content| {
            let left = left_of(content, &mut random);
            Content { live: left.clone(), durable: left }
        });
        Self(Arc::new(Mutex::new(State {
            contents: contents.collect(),
            live: names.clone(),
            durable: names,
            ..State::default()
        })))
    }

    /// Changes a file in place, as somebody else would.
    pub(super) fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let at = state.live[path];
        change(&mut state.contents[at].live);
        state.contents[at].durable = state.contents[at].live.clone();
    }

    /// The paths of all files.
    pub(super) fn paths(&self) -> Vec<String> {
        self.state().live.keys().cloned().collect()
    }

    /// A copy that shares nothing with this one.
    pub(super) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(State { left: None, ended: false, ..self.state().clone() })))
    }

    fn operation(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.left == Some(0) {
            state.ended = true;
            return Err(io::Error::other("the host has ended"));
        }
        state.left = state.left.map(|left| left - 1);
        Ok(state)
    }
}

/// What is left of a file: what was synced, then a part of what was not, perhaps as zeros.
fn left_of(content: &Content, random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let Content { live, durable } = content;
    if live == durable || !live.starts_with(durable) {
        // What was cut off may be there still.
        return if random(2) == 0 { live.clone() } else { durable.clone() };
    }
    let mut left = live[..durable.len() + random(live.len() - durable.len() + 1)].to_vec();
    if random(4) == 0 {
        left[durable.len()..].fill(0);
    }
    left
}

impl State {
    /// Gives names and takes them away, in one step.
    fn give(&mut self, names: Vec<(String, Option<usize>)>) {
        for (name, content) in &names {
            match content {
                Some(content) => self.live.insert(name.clone(), *content),
                None => self.live.remove(name),
            };
        }
        self.unsynced.push(names);
    }
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for Lossy {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        Ok(state.live.get(path).map(|at| state.contents[*at].live.clone()))
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let had_ended = self.state().ended;
        let torn = self.operation().is_err();
        if had_ended {
            return Err(io::Error::other("the host has ended"));
        }
        let mut state = self.state();
        let bytes = if torn { &bytes[..bytes.len() / 2] } else { bytes };
        let at = match state.live.get(path) {
            Some(at) => *at,
            None => {
                state.contents.push(Content::default());
                let at = state.contents.len() - 1;
                state.give(vec![(path.to_owned(), Some(at))]);
                at
            }
        };
        state.contents[at].live.extend_from_slice(bytes);
        if torn { Err(io::Error::other("the host has ended")) } else { Ok(()) }
    }

    fn cut(&mut self, path: &str, length: u64) -> io::Result<()> {
        let mut state = self.operation()?;
        let at = *state.live.get(path).ok_or_else(absent)?;
        state.contents[at].live.truncate(usize::try_from(length).expect("small"));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        let at = *state.live.get(from).ok_or_else(absent)?;
        state.give(vec![(from.to_owned(), None), (to.to_owned(), Some(at))]);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        if state.live.contains_key(path) {
            state.give(vec![(path.to_owned(), None)]);
        }
        Ok(())
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        let at = *state.live.get(path).ok_or_else(absent)?;
        state.contents[at].durable = state.contents[at].live.clone();
        Ok(())
    }

    fn sync_directory(&mut self, _: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        state.durable = state.live.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.live.keys().filter(|name| directory_of(name) == directory);
        Ok(names.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect())
    }
}
