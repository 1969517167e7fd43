//! Which labels of a container stand in events.
//!
//! Belongs here: the choice, by patterns of keys, and its bounds. A rule can ask for every label that is known
//! ([`Names::label`]); an event repeats its container's for every flow, and a Compose service alone has some 700 bytes of them.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::model::Names;

/// Labels that are shown of one container.
const SHOWN_MAX: usize = 16;

/// Bytes of all keys and values that are shown of one container: about as long as the rest of its names.
const SHOWN_BYTES_MAX: usize = 1 << 10;

/// Patterns that may be given.
const PATTERNS_MAX: usize = 64;

/// Bytes of one pattern: as long as a key can be.
const PATTERN_BYTES_MAX: usize = 317;

/// What is shown unless the configuration says otherwise: the labels by which Kubernetes and its tools name an application
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>). The project and the service of Compose
/// are fields of their own.
const DEFAULT: [&str; 6] = [
    "app",
    "k8s-app",
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
];

/// The labels that events show: those whose key one of the patterns matches.
#[derive(Debug, Clone)]
pub struct ShownLabels {
    patterns: Vec<String>,
    set: GlobSet,
}

impl Default for ShownLabels {
    fn default() -> Self {
        Self::new(DEFAULT.map(str::to_owned).to_vec()).expect("plain texts are patterns")
    }
}

impl PartialEq for ShownLabels {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for ShownLabels {}

impl ShownLabels {
    /// Those whose key a pattern matches: `*` stands for any characters, `?` for one. No pattern: none.
    ///
    /// # Errors
    /// What is wrong with which pattern, as a sentence.
    pub fn new(patterns: Vec<String>) -> Result<Self, String> {
        if patterns.len() > PATTERNS_MAX {
            return Err(format!(
                "there are {} patterns of labels; at most {PATTERNS_MAX} can be given",
                patterns.len()
            ));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
                return Err(format!("a pattern of labels has from 1 to {PATTERN_BYTES_MAX} bytes"));
            }
            let glob = GlobBuilder::new(pattern).backslash_escape(false).build();
            set.add(glob.map_err(|error| format!("`{pattern}` is no pattern: {}", error.kind()))?);
        }
        let set =
            set.build().map_err(|error| format!("the patterns of labels are too large: {}", error.kind()))?;
        Ok(Self { patterns, set })
    }

    /// Takes the other labels, and what exceeds the bounds, out of what events show of a container.
    #[must_use]
    pub fn of(&self, mut names: Names) -> Names {
        let (mut shown, mut unshown) = (BTreeMap::new(), std::mem::take(&mut names.labels_unshown));
        let before = unshown.len();
        let mut bytes = 0;
        for (key, value) in std::mem::take(&mut names.labels) {
            let more = bytes + key.len() + value.len();
            let room = shown.len() < SHOWN_MAX && more <= SHOWN_BYTES_MAX;
            if room && self.set.is_match(&*key) {
                bytes = more;
                shown.insert(key, value);
            } else {
                unshown.insert(key, value);
            }
        }
        let hidden = u32::try_from(unshown.len() - before).unwrap_or(u32::MAX);
        names.labels_omitted = names.labels_omitted.saturating_add(hidden);
        (names.labels, names.labels_unshown) = (shown, unshown);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{LABEL_BYTES_MAX, LABELS_MAX, Labels, Stated};
    use crate::model::{Label, StatedBy};

    fn names(labels: &[(&str, &str)]) -> Names {
        let stated = Stated { labels: Labels::collect(labels.iter().copied()), ..Stated::default() };
        stated.names(StatedBy { uid: 0, user: None }, false)
    }

    fn shown(patterns: &[&str]) -> ShownLabels {
        ShownLabels::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).expect("patterns")
    }

    fn keys(names: &Names) -> Vec<&str> {
        names.labels.keys().map(|key| &**key).collect()
    }

    #[test]
    fn events_show_the_labels_that_are_asked_for() {
        let all = names(&[
            ("app", "orders"),
            ("app.kubernetes.io/name", "orders"),
            ("com.docker.compose.config-hash", "9c1e"),
            ("team/owner", "shop"),
        ]);
        let some = ShownLabels::default().of(all.clone());
        assert_eq!((keys(&some), some.labels_omitted), (vec!["app", "app.kubernetes.io/name"], 2));
        assert_eq!(some.label("team/owner"), Label::Value(&"shop".into()));
        assert_eq!(some.label("team"), Label::Absent);
        assert_eq!(keys(&shown(&["team*", "com.docker.*"]).of(all.clone())).len(), 2);
        assert_eq!(shown(&["*"]).of(all.clone()), all);
        let none = shown(&[]).of(all);
        assert_eq!((keys(&none), none.labels_omitted), (vec![], 4));
    }

    #[test]
    fn no_container_fills_the_events_with_its_labels() {
        let long = "v".repeat(LABEL_BYTES_MAX / LABELS_MAX - 8);
        let keys: Vec<String> = (0..100).map(|number| format!("app-{number:03}")).collect();
        let labels: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), &*long)).collect();
        let names = shown(&["*"]).of(names(&labels));
        let bytes: usize = names.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(bytes <= SHOWN_BYTES_MAX && !names.labels.is_empty(), "{bytes}");
        assert_eq!(names.labels.len() + names.labels_omitted as usize, 100);
        assert_eq!(
            (names.label("app-063"), names.label("app-064")),
            (Label::Value(&long.as_str().into()), Label::Omitted)
        );
        let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(shown(&["*"]).of(self::names(&many)).labels.len(), SHOWN_MAX);
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let error = |pattern: &str| ShownLabels::new(vec![pattern.to_owned()]).expect_err("no pattern");
        assert!(error("app[").starts_with("`app[` is no pattern: "), "{}", error("app["));
        assert!(error("").contains("from 1 to"), "{}", error(""));
        let many = ShownLabels::new(vec!["a".to_owned(); 65]).expect_err("too many");
        assert!(many.contains("at most 64"), "{many}");
    }
}
