//! Accounts: which are persons, and what the host's files say of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::key::Key;

/// The first id that is given to persons (`UID_MIN` of login.defs(5); systemd's `SYSTEM_UID_MAX` + 1).
const FIRST_PERSON: u32 = 1000;

/// `nobody`, also as `(uid_t)-1` in 16 bits.
const NOBODY: [u32; 2] = [65_534, 65_535];

/// Ids that systemd gives to services while they run (systemd: "Users, Groups, UIDs and GIDs").
const DYNAMIC: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// Accounts that are kept of the host's files: more are not remembered, and count as persons.
const CAP: usize = 65_536;

/// Whether an id may be a person's. That of a user namespace counts as one: behind it is the person who made it.
pub(super) fn is_person(id: u32) -> bool {
    id >= FIRST_PERSON && id != u32::MAX && !NOBODY.contains(&id) && !DYNAMIC.contains(&id)
}

/// The pseudonym of the name of a user or group: of those that are called the same it is the same, as a user and the group
/// of its own are.
pub(super) fn name(key: &Key, name: &str) -> String {
    format!("u-{:016x}", key.digest("user", name.as_bytes()))
}

/// The pseudonym of the id of a user or group: from 2³¹ on, where no host has any.
pub(super) fn id(key: &Key, id: u32) -> u32 {
    let low = key.digest("id", &id.to_be_bytes()) & 0x7fff_ffff;
    // The greatest one is the kernel's invalid id.
    (0x8000_0000 | u32::try_from(low).unwrap_or(0)).min(u32::MAX - 1)
}

/// Whether a text has the pseudonym of a name in it.
#[must_use]
pub fn names_pseudonym(text: &str) -> bool {
    text.match_indices("u-").any(|(at, begin)| {
        let digits =
            text[at + begin.len()..].bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.count() == 16
    })
}

/// Whether an id is a pseudonym, as far as that shows: hosts have no such ids.
#[must_use]
pub const fn is_pseudonymous_id(id: u32) -> bool {
    id >= 0x8000_0000 && id != u32::MAX
}

/// What the host's files of users and groups say: which names are the system's, and whose homes are where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Names of users and groups whose ids are the system's.
    system: HashSet<Arc<str>>,
    /// Names of persons.
    persons: HashSet<Arc<str>>,
    /// Whose home is where, without a slash at the end.
    homes: HashMap<Arc<str>, Arc<str>>,
}

impl Accounts {
    /// Reads passwd(5) and group(5). A line that cannot be read is left out.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        let mut accounts = Self::default();
        for line in passwd.lines().take(CAP) {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, _, _, home, ..] = fields[..] else { continue };
            let Ok(uid) = uid.parse() else { continue };
            accounts.add(name, uid);
            // `/` or `/srv` would be a part of other paths.
            let home = home.trim_end_matches('/');
            if is_person(uid) && home.starts_with('/') && home.matches('/').count() > 1 {
                accounts.homes.entry(home.into()).or_insert_with(|| name.into());
            }
        }
        for line in group.lines().take(CAP) {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(gid))) = (fields.next(), fields.nth(1).map(str::parse)) {
                accounts.add(name, gid);
            }
        }
        accounts
    }

    fn add(&mut self, name: &str, id: u32) {
        if name.is_empty() {
            return;
        }
        if is_person(id) {
            self.persons.insert(name.into());
        } else {
            self.system.insert(name.into());
        }
    }

    /// Whether a name is known as one of the system's.
    pub(super) fn is_system(&self, name: &str) -> bool {
        self.system.contains(name)
    }

    /// Whether a name is known as a person's, and not also as one of the system's, such as a group.
    pub(super) fn is_person(&self, name: &str) -> bool {
        self.persons.contains(name) && !self.system.contains(name)
    }

    /// Whose home a directory is.
    pub(super) fn at_home(&self, directory: &str) -> Option<&Arc<str>> {
        self.homes.get(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_the_system_are_no_persons() {
        for id in [0, 1, 107, 999, 61_184, 65_519, 65_534, 65_535, u32::MAX] {
            assert!(!is_person(id), "{id}");
        }
        for id in [1000, 1001, 60_001, 61_183, 100_000, 2_000_000_000] {
            assert!(is_person(id), "{id}");
        }
    }

    #[test]
    fn broken_lines_are_left_out() {
        let accounts = Accounts::parse(
            "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000:A:/home/alice/:/bin/sh\nbroken\n:x:1:1::/:\n\
             bob:x:1001:1001::/:/bin/sh\neve:x:-1:0::/home/eve:\n",
            "wheel:x:10:alice\nalice:x:1000:\nx\n",
        );
        assert!(accounts.is_system("wheel") && accounts.is_system("root") && accounts.is_person("alice"));
        assert_eq!(accounts.at_home("/home/alice").map(|name| &**name), Some("alice"));
        assert!(accounts.at_home("").is_none() && accounts.at_home("/home/eve").is_none());
    }
}
