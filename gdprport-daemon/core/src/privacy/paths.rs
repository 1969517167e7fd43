//! Paths, names of units and other texts in which a person's name or id stands.
//!
//! Belongs here: which parts of a text are replaced. A part is replaced where its place says that it is a person's (a home,
//! a user's slice), or where it is the name or id of the very user that the text is about.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::settings::Privacy;

/// Parts of names that systemd gives, before the id of a user.
const BEFORE_ID: [&str; 3] = ["user-", "user@", "user-runtime-dir@"];

/// Words of systemd and of every file system. Of a person who is called like one it stays: it says nothing of whom.
const WORDS: [&str; 19] = [
    "app",
    "background",
    "bin",
    "home",
    "init",
    "lib",
    "machine",
    "opt",
    "run",
    "scope",
    "service",
    "session",
    "slice",
    "socket",
    "srv",
    "system",
    "user",
    "usr",
    "var",
];

/// The wildcards of a policy's patterns.
const WILDCARDS: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// Who a text is about: a user and group that are persons'.
#[derive(Debug, Clone, Default)]
pub(super) struct Own<'a> {
    /// Names, longest first, so that one that begins another does not hide it.
    names: Vec<Cow<'a, str>>,
    id: Option<u32>,
}

impl<'a> Own<'a> {
    /// Of these names, and of this id.
    pub(super) fn new(names: impl IntoIterator<Item = &'a str>, id: Option<u32>) -> Self {
        let mut own = Self { names: Vec::new(), id };
        for name in names.into_iter().filter(|name| !name.is_empty() && !WORDS.contains(name)) {
            own.names.push(name.into());
            // As systemd writes a dash within the name of a unit (systemd.unit(5)).
            if name.contains('-') {
                own.names.push(name.replace('-', "\\x2d").into());
            }
        }
        own.names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        own.names.dedup();
        own
    }
}

impl Privacy {
    /// What is shown of a path, the name of a unit or of a cgroup, or a command's name.
    pub(super) fn text(&self, text: &Arc<str>, own: &Own<'_>) -> Arc<str> {
        match self.replaced(text, own) {
            Some(shown) => shown.into(),
            None => Arc::clone(text),
        }
    }

    /// What is shown of a path or pattern of the policy, which is about nobody.
    #[must_use]
    pub(crate) fn policy_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, &Own::default()).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// What is shown of a name of a user or group in the policy: one that is not known as the system's may be a person's.
    #[must_use]
    pub(crate) fn policy_account<'t>(&self, name: &'t str) -> Cow<'t, str> {
        if !self.hides_users() || self.accounts.is_system(name) {
            Cow::Borrowed(name)
        } else if name.contains(WILDCARDS) {
            Cow::Borrowed("a pattern")
        } else {
            Cow::Owned(self.user_name(name))
        }
    }

    /// `None`: as it is.
    fn replaced(&self, text: &str, own: &Own<'_>) -> Option<String> {
        if !self.hides_users() {
            return None;
        }
        let mut shown = String::with_capacity(text.len() + 32);
        // Where the part ends, and the two parts before it.
        let (mut end, mut before) = (0, ["", ""]);
        let root = text.find('/').unwrap_or(text.len());
        for part in text.split('/') {
            end += part.len();
            let is_directory = end < text.len();
            shown.push_str(&self.part(
                part,
                text.get(root..end).unwrap_or_default(),
                before,
                is_directory,
                own,
            ));
            if is_directory {
                shown.push('/');
                end += 1;
            }
            before = [before[1], part];
        }
        (shown != text).then_some(shown)
    }

    /// What is shown of one part of a path that is `path` up to its end, behind these two parts.
    fn part<'p>(
        &self,
        part: &'p str,
        path: &str,
        before: [&str; 2],
        is_directory: bool,
        own: &Own<'_>,
    ) -> Cow<'p, str> {
        if part.is_empty() {
            return Cow::Borrowed(part);
        }
        if let Some(owner) = self.accounts.at_home(path) {
            return Cow::Owned(self.user_name(owner));
        }
        if before[1] == "home" {
            let is_pattern = part.contains(WILDCARDS);
            return if is_pattern { Cow::Borrowed("*") } else { Cow::Owned(self.user_name(part)) };
        }
        if is_directory && self.accounts.is_person(part) {
            return Cow::Owned(self.user_name(part));
        }
        let own_id = |digits: &str| own.id.is_some_and(|id| digits.parse() == Ok(id));
        if own_id(part) || before == ["run", "user"] {
            return part.parse().map_or(Cow::Borrowed(part), |id| Cow::Owned(self.id(id).to_string()));
        }
        if let Some(shown) = self.unit(part, own_id) {
            return Cow::Owned(shown);
        }
        own.names.iter().fold(Cow::Borrowed(part), |part, name| match bounded(&part, name) {
            true => Cow::Owned(replace_bounded(&part, name, &self.user_name(&name.replace("\\x2d", "-")))),
            false => part,
        })
    }

    /// What is shown of the name of a unit that is a user's, or of a session. `None`: it is none.
    fn unit(&self, name: &str, own_id: impl Fn(&str) -> bool) -> Option<String> {
        let (stem, suffix) = name.rsplit_once('.')?;
        if let Some(number) = stem.strip_prefix("session-") {
            return (suffix == "scope").then(|| format!("session-{}.scope", self.session(number)));
        }
        for prefix in BEFORE_ID {
            if let Some(Ok(id)) = stem.strip_prefix(prefix).map(str::parse) {
                return Some(format!("{prefix}{}.{suffix}", self.id(id)));
            }
        }
        let (template, instance) = stem.split_once('@')?;
        let shown = match instance {
            _ if own_id(instance) => self.id(instance.parse().ok()?).to_string(),
            _ if self.accounts.is_person(instance) => self.user_name(instance),
            _ => return None,
        };
        Some(format!("{template}@{shown}.{suffix}"))
    }

    /// What is shown of a text that may name addresses of peers. `None`: as it is.
    #[must_use]
    pub(crate) fn addresses_in(&self, text: &str) -> Option<String> {
        let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
        // The shortest address has two characters of these, and one of them is no digit.
        if !self.hides_peers() || !text.contains([':', '.']) {
            return None;
        }
        let mut shown = String::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some(begin) = rest.find(is_part) {
            let end = rest[begin..].find(|c| !is_part(c)).map_or(rest.len(), |length| begin + length);
            shown.push_str(&rest[..begin]);
            let token = rest[begin..end].trim_end_matches(['.', ':']);
            let token = if token.is_empty() || rest[begin..end].parse::<IpAddr>().is_ok() {
                &rest[begin..end]
            } else {
                token
            };
            match (token.parse::<IpAddr>(), token.parse::<SocketAddr>()) {
                (Ok(ip), _) => shown.push_str(&self.address(ip).to_string()),
                (_, Ok(end)) => {
                    shown.push_str(&SocketAddr::new(self.address(end.ip()), end.port()).to_string());
                }
                _ => shown.push_str(token),
            }
            rest = &rest[begin + token.len()..];
            let skipped = end - begin - token.len();
            shown.push_str(&rest[..skipped]);
            rest = &rest[skipped..];
        }
        shown.push_str(rest);
        (shown != text).then_some(shown)
    }

    /// What is shown of a peer as the policy names it: of a single address what is shown of a peer. Names and networks
    /// stay; a network that is smaller than what is kept of an address becomes as large.
    #[must_use]
    pub(crate) fn policy_peer<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.hides_peers() {
            return Cow::Borrowed(text);
        }
        match text.parse::<IpNet>() {
            Ok(net) if net.prefix_len() == net.max_prefix_len() => {
                Cow::Owned(self.address(net.addr()).to_string())
            }
            Ok(net) => match self.truncated(net.addr()) {
                Some(kept) if kept.prefix_len() < net.prefix_len() => Cow::Owned(kept.to_string()),
                _ => Cow::Borrowed(text),
            },
            Err(_) => self.addresses_in(text).map_or(Cow::Borrowed(text), Cow::Owned),
        }
    }
}

/// Where a name stands in a text as a word of its own.
fn words<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        !is_inside(text[..*at].chars().next_back()) && !is_inside(text[at + name.len()..].chars().next())
    })
}

fn bounded(text: &str, name: &str) -> bool {
    words(text, name).next().is_some()
}

fn replace_bounded(text: &str, name: &str, with: &str) -> String {
    let (mut shown, mut from) = (String::with_capacity(text.len() + with.len()), 0);
    for at in words(text, name) {
        // Two that overlap are one.
        if at >= from {
            shown.push_str(&text[from..at]);
            shown.push_str(with);
            from = at + name.len();
        }
    }
    shown.push_str(&text[from..]);
    shown
}
