//! Which binds that the kernel side denied were reported, and how often the same came again.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::listener::Listener;
use gdprport_core::model::Process;

/// How long the same makes no other event; ns.
const EVERY_NS: u64 = 60_000_000_000;

/// Programs that are told apart; a host that is attacked by more has one event a minute for the others of each port.
const CAP: usize = 1_024;

/// Who tried to listen where.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Who {
    port: u16,
    exe: Option<Arc<str>>,
    user: Option<u32>,
    unit: Option<Arc<str>>,
}

/// What was reported of it.
#[derive(Debug)]
struct Reported {
    listener: Listener,
    /// When, boottime ns.
    at_ns: u64,
    /// How often it came again.
    repeated: u64,
}

/// Binds that were denied in the last minute.
#[derive(Debug, Default)]
pub(super) struct DeniedBinds(HashMap<Who, Reported>);

impl DeniedBinds {
    /// Counts one that was reported before. Returns who it counts as, if it was not.
    pub(super) fn again(&mut self, mut who: Who) -> Option<Who> {
        if self.0.len() >= CAP && !self.0.contains_key(&who) {
            who = Who { port: who.port, ..Who::default() };
        }
        let Some(reported) = self.0.get_mut(&who) else { return Some(who) };
        reported.repeated += 1;
        None
    }

    /// Remembers one that is reported at `at_ns`.
    pub(super) fn reported(&mut self, who: Who, listener: Listener, at_ns: u64) {
        self.0.insert(who, Reported { listener, at_ns, repeated: 0 });
    }

    /// What came again and is to be reported, with how often. Whoever did not come again is forgotten.
    pub(super) fn due(&mut self, now_ns: u64, all: bool) -> Vec<(Listener, u64)> {
        let mut due = Vec::new();
        self.0.retain(|_, reported| {
            if !all && now_ns.saturating_sub(reported.at_ns) < EVERY_NS {
                return true;
            }
            let repeated = std::mem::take(&mut reported.repeated);
            if repeated > 0 {
                due.push((reported.listener.clone(), repeated));
            }
            reported.at_ns = now_ns;
            repeated > 0
        });
        due
    }
}

impl Who {
    /// By what is known of the process.
    pub(super) fn of(port: u16, process: Option<&Process>) -> Self {
        Self {
            port,
            exe: process.and_then(|process| process.exe.clone()),
            user: process.map(|process| process.uid),
            unit: process.and_then(|process| process.unit.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use gdprport_core::model::Endpoint;
    use gdprport_core::verdict::Verdict;

    use super::*;

    fn listener(port: u16) -> Listener {
        Listener {
            cookie: 1,
            local: Endpoint::new([127, 0, 0, 1].into(), port),
            process: None,
            verdict: Verdict::Declared { rule: "listen".into() },
            opened_ns: None,
            netns_cookie: 0,
            found: false,
            would_deny: false,
        }
    }

    fn by(user: u32, port: u16) -> Who {
        Who { port, user: Some(user), ..Who::default() }
    }

    /// Returns whether it is an event of its own.
    fn came(binds: &mut DeniedBinds, who: Who, at_ns: u64) -> bool {
        let port = who.port;
        let Some(who) = binds.again(who) else { return false };
        binds.reported(who, listener(port), at_ns);
        true
    }

    #[test]
    fn what_comes_again_is_one_event_a_minute_with_its_count() {
        let mut binds = DeniedBinds::default();
        assert!(came(&mut binds, by(1, 5432), 0));
        assert!(came(&mut binds, by(2, 5432), 0) && came(&mut binds, by(1, 5433), 0));
        assert!((0..40).all(|_| !came(&mut binds, by(1, 5432), 1)));
        assert_eq!(binds.due(EVERY_NS - 1, false), []);
        let due = binds.due(EVERY_NS, false);
        assert_eq!(due.iter().map(|(of, count)| (of.local.port, *count)).collect::<Vec<_>>(), [(5432, 40)]);
        assert_eq!(binds.0.len(), 1, "whoever did not come again is forgotten");
        assert!(!came(&mut binds, by(1, 5432), EVERY_NS + 1));
        assert_eq!(binds.due(EVERY_NS + 2, true)[0].1, 1, "nothing is left out at the end");
    }

    #[test]
    fn too_many_programs_are_counted_together_by_port() {
        let mut binds = DeniedBinds::default();
        let many = u32::try_from(CAP).expect("small");
        assert!((0..=many).all(|user| came(&mut binds, by(user, 5432), 0)), "one for all others");
        assert!((many..2 * many).all(|user| !came(&mut binds, by(user + 1, 5432), 0)));
        assert_eq!(binds.0.len(), CAP + 1);
    }
}
