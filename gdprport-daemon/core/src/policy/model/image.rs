//! Patterns of images: which part of a reference is asked for, and how it compares.
//!
//! Belongs here: comparing. The grammar of references is `container::image`'s, reading a pattern is `merge::intern`'s.
//!
//! A part that is given must match, a part that is not given is not asked. Registry, path and tag are patterns by
//! themselves, so that no wildcard reaches from one into the next; a digest is compared exactly.

use super::fit::Fit;
use super::pattern::{ImagePattern, Pattern};
use crate::container::{DOCKER_HUB, ImageRef, digest};
use crate::model::Names;

/// What the state of a container's runtime says of its image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageFacts<'n> {
    name: Name<'n>,
    /// Digits of the manifest's digest, by the state and by the reference, and of the configuration's.
    pub digests: [Option<&'n str>; 3],
}

/// How the image was asked for.
#[derive(Debug, Clone, Copy)]
enum Name<'n> {
    Reference(ImageRef<'n>),
    /// A text that is no reference: no pattern means it.
    Other,
    /// The state has no reference, or only a digest.
    Unknown,
}

impl<'n> ImageFacts<'n> {
    pub(crate) fn of(names: &'n Names) -> Self {
        let digits = |text: &'n str| text.strip_prefix("sha256:").unwrap_or(text);
        let written = names.image.as_deref();
        let reference = written.and_then(ImageRef::parse);
        let alone = written.filter(|text| reference.is_none() && digest(text).is_some());
        let name = match (reference, written) {
            (Some(reference), _) => Name::Reference(reference),
            (None, Some(_)) if alone.is_none() => Name::Other,
            (None, _) => Name::Unknown,
        };
        let asked = reference.and_then(|reference| reference.digest).or(alone);
        let digests = [names.image_digest.as_deref(), asked, names.image_id.as_deref()];
        Self { name, digests: digests.map(|digest| digest.map(digits)) }
    }

    /// Whether it is known how the image was asked for.
    pub(crate) const fn is_named(&self) -> bool {
        !matches!(self.name, Name::Unknown)
    }

    /// Whether both digests are known that an image has.
    pub(crate) const fn has_digests(&self) -> bool {
        let [manifest, asked, id] = self.digests;
        (manifest.is_some() || asked.is_some()) && id.is_some()
    }

    /// The repository's path.
    pub(crate) const fn path(&self) -> Option<&'n str> {
        match self.name {
            Name::Reference(reference) => Some(reference.repository),
            Name::Other | Name::Unknown => None,
        }
    }
}

impl ImagePattern {
    pub(crate) fn compare(&self, image: &ImageFacts<'_>) -> Fit {
        let named = match (&self.path, image.name) {
            (None, _) => Fit::Matches,
            (Some(path), Name::Reference(reference)) if self.names(path, &reference) => Fit::Matches,
            (Some(_), Name::Reference(_) | Name::Other) => Fit::Fails,
            (Some(_), Name::Unknown) => Fit::Unknown,
        };
        let exact = match &self.digest {
            None => Fit::Matches,
            Some(wanted) if image.digests.contains(&Some(wanted)) => Fit::Matches,
            Some(_) if image.has_digests() => Fit::Fails,
            Some(_) => Fit::Unknown,
        };
        named.and(exact)
    }

    fn names(&self, path: &Pattern, reference: &ImageRef<'_>) -> bool {
        let registry = reference.registry_or_default();
        let is_official = || {
            let official = self.official.as_ref().filter(|_| registry == DOCKER_HUB);
            official.is_some_and(|official| official.text_matches(reference.repository))
        };
        self.registry.as_ref().is_none_or(|pattern| pattern.text_matches(registry))
            && (path.text_matches(reference.repository) || is_official())
            && self
                .tag
                .as_ref()
                .is_none_or(|pattern| reference.tag_or_default().is_some_and(|tag| pattern.text_matches(tag)))
    }
}
