//! The policies of a period, one after the other, and what changed from each to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ledger::PolicyPeriod;
use crate::policy::{Difference, Outline, Source, difference, outline};

/// A time in which one policy applied while a daemon ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its digest; `None`: there was no policy, and the catalog applied.
    pub digest: Option<Arc<str>>,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it applies, as far as the ledger knows.
    pub to: Option<Timestamp>,
    /// What is known of its text.
    pub text: Text,
    /// What differs from the one before.
    pub change: Change,
}

/// What is known of the text of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// There is none: the catalog applied.
    Catalog,
    /// The ledger has it.
    Known {
        /// Its files, in their order.
        sources: Arc<[Source]>,
        /// What they say.
        outline: Arc<Outline>,
    },
    /// The ledger has it, and this version does not read it any more.
    Unread {
        /// Its files, in their order.
        sources: Arc<[Source]>,
    },
    /// The ledger has its digest only.
    DigestOnly,
}

impl Text {
    /// Its files; empty where they are not known.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        match self {
            Self::Known { sources, .. } | Self::Unread { sources } => sources,
            Self::Catalog | Self::DigestOnly => &[],
        }
    }

    /// What it says; `None`: that is not known. The catalog declares nothing.
    #[must_use]
    pub fn outline(&self) -> Option<Arc<Outline>> {
        match self {
            Self::Catalog => Some(Arc::default()),
            Self::Known { outline, .. } => Some(Arc::clone(outline)),
            Self::Unread { .. } | Self::DigestOnly => None,
        }
    }
}

/// What differs from the version before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is the first of the period.
    First,
    /// What the one means that the other does not; empty: both mean the same.
    Means(Vec<Difference>),
    /// The text of one of them is not known.
    NotKnown,
}

/// The versions of a period, oldest first: times that follow each other with the same policy are one. `texts` has the files of
/// each digest, where they are known.
#[must_use]
pub fn versions(periods: &[PolicyPeriod], texts: &BTreeMap<Arc<str>, Vec<Source>>) -> Vec<Version> {
    let mut known: BTreeMap<&str, Text> = BTreeMap::new();
    let mut versions: Vec<Version> = Vec::new();
    for period in periods {
        if let Some(last) = versions.last_mut().filter(|last| last.digest == period.digest) {
            last.to = period.to;
            continue;
        }
        let text = match &period.digest {
            None => Text::Catalog,
            Some(digest) => known.entry(digest).or_insert_with(|| text(texts.get(digest))).clone(),
        };
        let change = match versions.last().map(|before| (before.text.outline(), text.outline())) {
            None => Change::First,
            Some((Some(before), Some(now))) => Change::Means(difference(&before, &now)),
            Some(_) => Change::NotKnown,
        };
        let digest = period.digest.clone();
        versions.push(Version { digest, from: period.from, to: period.to, text, change });
    }
    versions
}

fn text(sources: Option<&Vec<Source>>) -> Text {
    match sources {
        None => Text::DigestOnly,
        Some(sources) if sources.is_empty() => Text::DigestOnly,
        Some(sources) => {
            let files: Arc<[Source]> = sources.clone().into();
            match outline(&files) {
                Ok((outline, _)) => Text::Known { sources: files, outline: outline.into() },
                Err(_) => Text::Unread { sources: files },
            }
        }
    }
}

/// When the policy was changed last in the period; `None`: it was not, as far as the ledger knows.
#[must_use]
pub fn last_change(versions: &[Version]) -> Option<Timestamp> {
    match versions {
        [_, .., last] => Some(last.from),
        _ => None,
    }
}
