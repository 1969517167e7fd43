//! Names of users and groups, remembered.
//!
//! The C library's look-up (NSS) reads files or asks a directory service and makes the caller wait. Every
//! answer is therefore kept, "no such id" too: each id is asked for at most once per [`LIFE_NS`].

use std::sync::Arc;

use crate::host::cache::Generations;

/// How long an answer is kept: renaming users is rare, and a name that is minutes old still tells whose id
/// it was; a directory service is asked at most 12 times an hour for each id.
const LIFE_NS: u64 = 300_000_000_000;

/// Answers kept: more ids than a host's services and users have, about 100 bytes each.
const CAP: usize = 4096;

#[derive(Debug)]
struct Answer {
    asked_ns: u64,
    name: Option<Arc<str>>,
}

/// The cache of names.
#[derive(Debug)]
pub(super) struct Names {
    users: Generations<u32, Answer>,
    groups: Generations<u32, Answer>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { users: Generations::new(CAP), groups: Generations::new(CAP) }
    }

    /// The user's name, `None` if the id has none. May wait for NSS when the answer is not known.
    pub(super) fn user(&mut self, uid: u32, now_ns: u64) -> Option<Arc<str>> {
        remembered(&mut self.users, uid, now_ns, || {
            uzers::get_user_by_uid(uid).map(|user| Arc::from(user.name().to_string_lossy()))
        })
    }

    /// The group's name, `None` if the id has none. May wait for NSS when the answer is not known.
    pub(super) fn group(&mut self, gid: u32, now_ns: u64) -> Option<Arc<str>> {
        remembered(&mut self.groups, gid, now_ns, || {
            uzers::get_group_by_gid(gid).map(|group| Arc::from(group.name().to_string_lossy()))
        })
    }
}

fn remembered(
    answers: &mut Generations<u32, Answer>,
    id: u32,
    now_ns: u64,
    ask: impl FnOnce() -> Option<Arc<str>>,
) -> Option<Arc<str>> {
    if let Some(answer) = answers.get(&id).filter(|a| now_ns.saturating_sub(a.asked_ns) < LIFE_NS) {
        return answer.name.clone();
    }
    let name = ask();
    answers.insert(id, Answer { asked_ns: now_ns, name: name.clone() });
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_asked_for_once_per_lifetime_even_without_a_name() {
        let mut answers = Generations::new(CAP);
        let mut asked = 0;
        for now_ns in [0, 1, LIFE_NS - 1, LIFE_NS, LIFE_NS + 1] {
            remembered(&mut answers, 7, now_ns, || {
                asked += 1;
                None
            });
        }
        assert_eq!(asked, 2);
    }

    #[test]
    fn root_has_a_name_and_the_invalid_id_has_none() {
        let mut names = Names::new();
        assert_eq!(names.user(0, 0).as_deref(), Some("root"));
        assert_eq!(names.group(0, 0).as_deref(), Some("root"));
        assert_eq!(names.user(u32::MAX, 0), None);
    }
}
