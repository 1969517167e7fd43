//! How much of each port was encrypted, by connections.

use std::sync::Arc;

use crate::model::PostureState;
use crate::records::{Activity, Posed, Records};

/// Ports that are shown one by one; the rest is one bar.
const MOST: usize = 12;

/// How well a connection is protected, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Known to be encrypted, and not weakly.
    Encrypted,
    /// By a version or cipher suite that is broken.
    Weak,
    /// Not encrypted, or the upgrade was refused.
    Plain,
    /// Not known. It counts as nothing else.
    Unknown,
}

impl Protection {
    /// All, in the order in which they stand in a bar.
    pub const ALL: [Self; 4] = [Self::Encrypted, Self::Weak, Self::Plain, Self::Unknown];

    /// `None`: there was nothing to protect.
    #[must_use]
    pub const fn of(posed: &Posed) -> Option<Self> {
        match posed.state {
            PostureState::NoData => None,
            _ if posed.is_encrypted() => Some(Self::Encrypted),
            PostureState::WeakTls => Some(Self::Weak),
            PostureState::Plaintext | PostureState::StarttlsRefused => Some(Self::Plain),
            _ => Some(Self::Unknown),
        }
    }
}

/// The connections of one port, or of the rest of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bar {
    /// The activity; `None`: the rest.
    pub name: Option<Arc<str>>,
    /// How many activities it has.
    pub activities: usize,
    /// Connections, in the order of [`Protection::ALL`].
    pub flows: [u64; 4],
    /// Those without data, which are not shown: there was nothing to protect.
    pub no_data: u64,
}

impl Bar {
    fn of(activity: &Activity) -> Option<Self> {
        let seen = activity.seen.as_ref()?;
        let mut bar = Self { name: Some(Arc::clone(&activity.name)), activities: 1, ..Self::default() };
        for posed in &seen.shares.0 {
            let count = match Protection::of(posed) {
                Some(protection) => &mut bar.flows[protection as usize],
                None => &mut bar.no_data,
            };
            *count = count.saturating_add(posed.flows);
        }
        Some(bar)
    }

    /// How many of them are protected in this way.
    #[must_use]
    pub const fn count(&self, protection: Protection) -> u64 {
        self.flows[protection as usize]
    }

    /// All that are shown.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.flows.iter().fold(0, |sum, flows| sum.saturating_add(*flows))
    }

    /// Those that are not known to be encrypted.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.all() - self.count(Protection::Encrypted)
    }

    /// Adds those of another one.
    pub fn add(&mut self, other: &Self) {
        self.activities += other.activities;
        self.no_data = self.no_data.saturating_add(other.no_data);
        for (sum, flows) in self.flows.iter_mut().zip(other.flows) {
            *sum = sum.saturating_add(flows);
        }
    }

    /// Which part of it is protected in this way; `None`: none of it.
    #[must_use]
    pub fn percent(&self, protection: Protection) -> Option<Percent> {
        Percent::of(self.count(protection), self.all())
    }
}

/// The bars: those with the most connections that are not known to be encrypted first, then those with the most.
#[must_use]
pub fn bars(records: &Records) -> Vec<Bar> {
    let mut bars: Vec<Bar> =
        records.all().filter_map(Bar::of).filter(|bar| bar.all() + bar.no_data > 0).collect();
    bars.sort_by_key(|bar| std::cmp::Reverse((bar.open(), bar.all())));
    if bars.len() > MOST {
        let mut rest = Bar::default();
        bars.drain(MOST - 1..).for_each(|bar| rest.add(&bar));
        bars.push(rest);
    }
    bars
}

/// A part of a whole in tenths of a percent, as it may be said: what is not nothing is never 0, what is not all is never 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Percent {
    /// Less than 0.1, and something.
    Least,
    /// Tenths, from 1 to 999, rounded down.
    Tenths(u16),
    /// All.
    Whole,
}

impl Percent {
    /// `None`: there is nothing.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        if part == 0 || whole == 0 {
            return None;
        }
        if part >= whole {
            return Some(Self::Whole);
        }
        match u16::try_from(u128::from(part) * 1_000 / u128::from(whole)) {
            Ok(0) => Some(Self::Least),
            tenths => Some(Self::Tenths(tenths.unwrap_or(999))),
        }
    }
}
