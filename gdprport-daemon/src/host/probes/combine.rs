//! Counters of the kernel side, count by count: their sum over processors, and their difference to what was reported.

use gdprport_common::{Counters, EnforceTally, HOOKS, HookCounters};

/// Combines two sets of counters, count by count.
pub(super) fn combine(a: &Counters, b: &Counters, with: impl Fn(u64, u64) -> u64) -> Counters {
    let mut both = Counters {
        unkept: with(a.unkept, b.unkept),
        decisions: combine_decisions(&a.decisions, &b.decisions, &with),
        arrivals: combine_decisions(&a.arrivals, &b.arrivals, &with),
        repeated: with(a.repeated, b.repeated),
        binds: combine_decisions(&a.binds, &b.binds, &with),
        repeated_binds: with(a.repeated_binds, b.repeated_binds),
        ..Counters::default()
    };
    for hook in 0..HOOKS {
        let (a, b) = (&a.hooks[hook], &b.hooks[hook]);
        both.hooks[hook] = HookCounters {
            seen: with(a.seen, b.seen),
            emitted: with(a.emitted, b.emitted),
            filtered: with(a.filtered, b.filtered),
            grouped: with(a.grouped, b.grouped),
            dropped_ring_full: with(a.dropped_ring_full, b.dropped_ring_full),
        };
    }
    both
}

fn combine_decisions(a: &EnforceTally, b: &EnforceTally, with: impl Fn(u64, u64) -> u64) -> EnforceTally {
    EnforceTally {
        asked: with(a.asked, b.asked),
        left: with(a.left, b.left),
        allowed: with(a.allowed, b.allowed),
        unknown: with(a.unknown, b.unknown),
        would_deny: with(a.would_deny, b.would_deny),
        denied: with(a.denied, b.denied),
        unsettled: with(a.unsettled, b.unsettled),
    }
}
