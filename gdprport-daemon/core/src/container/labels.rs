//! Labels within bounds.
//!
//! Belongs here: which of a container's labels are kept. Whoever makes an image or a pod writes any number of them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels kept of one container: a Compose service has about ten, a pod five to fifteen.
pub const LABELS_MAX: usize = 64;

/// Bytes of all keys and values that are kept: they stand in every event of the container.
pub const BYTES_MAX: usize = 8 << 10;

/// Bytes of one key: a prefix of 253, a slash and a name of 63 (Kubernetes).
const KEY_MAX: usize = 317;

/// The labels of a container: those that are kept, and how many are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    kept: BTreeMap<Arc<str>, Arc<str>>,
    omitted: u32,
}

impl Labels {
    /// Keeps as many as the bounds allow, in their order; of two with one key the last.
    pub fn collect<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self::default();
        let mut bytes = 0_usize;
        for (key, value) in labels {
            let before = found.kept.get(key).map_or(0, |old| key.len() + old.len());
            let after = bytes - before + key.len() + value.len();
            let room = before > 0 || found.kept.len() < LABELS_MAX;
            if key.is_empty() || key.len() > KEY_MAX || after > BYTES_MAX || !room {
                found.omitted = found.omitted.saturating_add(1);
                // Its earlier value is not its value.
                if found.kept.remove(key).is_some() {
                    bytes -= before;
                }
                continue;
            }
            bytes = after;
            found.kept.insert(Arc::from(key), Arc::from(value));
        }
        found
    }

    /// Labels that could not be read: there may be any.
    #[must_use]
    pub fn unread() -> Self {
        Self { omitted: u32::MAX, ..Self::default() }
    }

    /// True if none could be read.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.kept.is_empty() && self.omitted == u32::MAX
    }

    /// Counts `more` labels that could not be read beside those that were left out.
    #[must_use]
    pub const fn omitting(mut self, more: u32) -> Self {
        self.omitted = self.omitted.saturating_add(more);
        self
    }

    /// The value of a label that was kept.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        self.kept.get(key)
    }

    /// True if it has none, kept or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.omitted == 0
    }

    /// Those that were kept, and the number of the others.
    #[must_use]
    pub fn into_parts(self) -> (BTreeMap<Arc<str>, Arc<str>>, u32) {
        (self.kept, self.omitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_labels_than_the_bounds_allow_are_counted() {
        let keys: Vec<String> = (0..100).map(|number| format!("label-{number}")).collect();
        let labels = Labels::collect(keys.iter().map(|key| (key.as_str(), "")));
        let (kept, omitted) = labels.into_parts();
        assert_eq!((kept.len(), omitted), (LABELS_MAX, 36));

        let long = "v".repeat(BYTES_MAX);
        let (kept, omitted) = Labels::collect([("a", "1"), ("b", &long), ("c", "3")]).into_parts();
        assert_eq!((kept.keys().map(|key| &**key).collect::<Vec<_>>(), omitted), (vec!["a", "c"], 1));
    }

    #[test]
    fn the_last_of_two_labels_with_one_key_counts() {
        let labels = Labels::collect([("a", "1"), ("a", "2")]);
        assert_eq!(labels.get("a").map(|value| &**value), Some("2"));
        let long = "v".repeat(BYTES_MAX);
        let labels = Labels::collect([("a", "1"), ("a", &long)]);
        assert_eq!((labels.get("a"), labels.is_empty()), (None, false));
    }
}
