//! References of images: registry, repository, tag and digest.
//!
//! Belongs here: the grammar, and what is meant where a part is left out. Comparing with what a rule asks is `policy`'s.
//!
//! Source: `github.com/distribution/reference` (`reference.go`, `normalize.go`), which Docker, containerd, Podman and CRI-O
//! all use.

/// The registry of references that name none.
pub const DOCKER_HUB: &str = "docker.io";

/// The tag of references that have neither a tag nor a digest.
pub const DEFAULT_TAG: &str = "latest";

/// Bytes of registry and repository together (`RepositoryNameTotalLengthMax`).
const NAME_MAX: usize = 255;

/// Bytes of a tag.
const TAG_MAX: usize = 128;

/// The parts of an image's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageRef<'a> {
    /// The registry with its port, as it is written; `None` if the reference names none. `index.docker.io` is `docker.io`.
    pub registry: Option<&'a str>,
    /// The repository's path in the registry, for docker.io without `library/`.
    pub repository: &'a str,
    /// The tag, `None` if the reference has none.
    pub tag: Option<&'a str>,
    /// The digest with its algorithm, `None` if the reference has none.
    pub digest: Option<&'a str>,
}

impl<'a> ImageRef<'a> {
    /// Reads a whole reference. `None` for any text that no runtime would take for one, and for an image's id alone
    /// (`sha256:…` or its 64 digits).
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if super::digest(text).is_some() {
            return None;
        }
        let parts = Self::split(text);
        let name = text.split_once('@').map_or(text, |(name, _)| name);
        let name_len = name.len() - parts.tag.map_or(0, |tag| tag.len() + 1);
        let valid = name_len <= NAME_MAX
            && parts.registry.is_none_or(is_registry)
            && parts.repository.split('/').all(is_component)
            && parts.tag.is_none_or(is_tag)
            && parts.digest.is_none_or(is_digest);
        valid.then_some(parts)
    }

    /// Takes a text apart at the places where a reference would be, whatever the parts are: they may be empty or patterns.
    #[must_use]
    pub fn split(text: &'a str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let last = name.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match name[last..].find(':').map(|at| last + at) {
            Some(at) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some(("index.docker.io", path)) => (Some(DOCKER_HUB), path),
            Some((first, path)) if names_registry(first) => (Some(first), path),
            _ => (None, name),
        };
        let is_hub = registry.is_none_or(|registry| registry == DOCKER_HUB);
        let official = path.strip_prefix("library/").filter(|rest| is_hub && !rest.contains('/'));
        Self { registry, repository: official.unwrap_or(path), tag, digest }
    }

    /// The registry that is meant: docker.io if none is named.
    #[must_use]
    pub fn registry_or_default(&self) -> &'a str {
        self.registry.unwrap_or(DOCKER_HUB)
    }

    /// The tag that is meant: `latest` if there is neither a tag nor a digest.
    #[must_use]
    pub fn tag_or_default(&self) -> Option<&'a str> {
        self.tag.or_else(|| self.digest.is_none().then_some(DEFAULT_TAG))
    }
}

/// True if the first part of a name is a registry and not a directory of docker.io (`splitDockerDomain`).
fn names_registry(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':' | b'A'..=b'Z'))
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return is_address(address),
        Some((address, port)) => match port.strip_prefix(':') {
            Some(port) => return is_address(address) && is_port(port),
            None => return false,
        },
        None => registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port))),
    };
    port.is_none_or(is_port) && host.split('.').all(is_host_label)
}

fn is_address(address: &str) -> bool {
    !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Letters in lower case and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(component: &str) -> bool {
    let mut rest = component;
    loop {
        let word = rest.bytes().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        if rest.is_empty() {
            return true;
        }
        let dashes = rest.bytes().take_while(|byte| *byte == b'-').count();
        let separator = match rest.as_bytes() {
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            _ => dashes,
        };
        if separator == 0 {
            return false;
        }
        rest = &rest[separator..];
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// An algorithm's name and at least 32 hexadecimal digits; of `sha256`, the only one in use, exactly 64.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    if algorithm == "sha256" {
        return super::digest(digest).is_some();
    }
    algorithm.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && algorithm
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b'_'))
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parts(text: &str) -> Option<(&str, &str, Option<&str>, bool)> {
        let image = ImageRef::parse(text)?;
        Some((image.registry_or_default(), image.repository, image.tag_or_default(), image.digest.is_some()))
    }

    #[test]
    fn a_reference_without_registry_is_docker_hubs() {
        for text in ["postgres", "library/postgres", "docker.io/postgres", "index.docker.io/library/postgres"]
        {
            assert_eq!(parts(text), Some(("docker.io", "postgres", Some("latest"), false)), "{text}");
        }
        assert_eq!(parts("shop/orders:1.4"), Some(("docker.io", "shop/orders", Some("1.4"), false)));
        assert_eq!(ImageRef::parse("postgres").map(|image| (image.registry, image.tag)), Some((None, None)));
    }

    #[test]
    fn a_registry_is_known_by_dot_port_or_localhost() {
        assert_eq!(
            parts("registry.example/library/db:1"),
            Some(("registry.example", "library/db", Some("1"), false))
        );
        assert_eq!(parts("registry:5000/a/b"), Some(("registry:5000", "a/b", Some("latest"), false)));
        assert_eq!(parts("localhost/orders"), Some(("localhost", "orders", Some("latest"), false)));
        assert_eq!(parts("LOCAL/orders"), Some(("LOCAL", "orders", Some("latest"), false)));
        assert_eq!(parts("[fd00::1]:5000/a:b"), Some(("[fd00::1]:5000", "a", Some("b"), false)));
        assert_eq!(parts("localhost:5000"), Some(("docker.io", "localhost", Some("5000"), false)));
    }

    #[test]
    fn a_digest_stands_beside_the_tag_or_alone() {
        let text = format!("postgres@sha256:{HEX}");
        assert_eq!(parts(&text), Some(("docker.io", "postgres", None, true)));
        let text = format!("quay.example:443/a/b:1.2@sha256:{HEX}");
        assert_eq!(parts(&text), Some(("quay.example:443", "a/b", Some("1.2"), true)));
    }

    /// An id looks like a repository, or like a repository `sha256` with a tag.
    #[test]
    fn an_id_alone_is_no_reference() {
        assert_eq!((parts(HEX), parts(&format!("sha256:{HEX}"))), (None, None));
    }

    #[test]
    fn what_no_runtime_takes_is_no_reference() {
        let long = format!("{}/a", "a.".repeat(127));
        let tag = format!("a:{}", "1".repeat(129));
        let wrong = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a:",
            ":a",
            "a:b:c",
            "a@",
            "@",
            "Orders",
            "shop/Orders",
            "a b",
            "a\n",
            "a\u{1b}[2J",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a_",
            "a/../b",
            "a*",
            "é",
            "a.example:port/b",
            "-a.example/b",
            "[::1/a",
            "[]/a",
            "[::1]5/a",
            "a:-b",
            "a@sha256:12",
            "a@md5",
            "https://a.example/b",
            &long,
            &tag,
        ];
        for text in wrong {
            assert_eq!(ImageRef::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn separators_are_those_of_the_grammar() {
        for text in ["a.b", "a_b", "a__b", "a-b", "a---b", "a0.b1_c2__d3-e4"] {
            assert!(ImageRef::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_pattern_is_taken_apart_at_the_same_places() {
        let split = ImageRef::split("*.example/shop/*:1.*");
        assert_eq!((split.registry, split.repository, split.tag), (Some("*.example"), "shop/*", Some("1.*")));
        assert_eq!(ImageRef::split("library/a/b").repository, "library/a/b");
    }
}
