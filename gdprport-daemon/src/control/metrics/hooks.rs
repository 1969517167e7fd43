//! The hooks, and what the kernel counts of their programs.

use super::family::{Family, Samples, Value};
use crate::control::api::{Hook, HookState};

pub(super) fn metrics(hooks: &[Hook]) -> Vec<Family> {
    let state = |state: HookState| match state {
        HookState::Attached => "attached",
        HookState::Missing => "missing",
        HookState::Failed => "failed",
        HookState::Untried => "untried",
    };
    let mut states = Samples::default();
    for hook in hooks {
        states.add([&hook.name, state(hook.state)], 1_u64);
    }
    let runs = hooks.iter().filter_map(|hook| Some((&*hook.name, hook.runs?)));
    let time = hooks.iter().filter_map(|hook| Some((&*hook.name, Value::seconds(hook.run_ns?))));
    vec![
        Family::gauge(
            "gdprport_hook_state",
            &["hook", "state"],
            "1 for the state of each hook: `attached`; `missing`, which this kernel does not offer and another hook replaces; `failed`.",
            states,
        ),
        Family::counter(
            "gdprport_hook_runs_total",
            &["hook"],
            "How often the program of each hook has run; no value unless `kernel.bpf_stats_enabled` is 1.",
            Samples::by(runs),
        ),
        Family::counter(
            "gdprport_hook_run_seconds_total",
            &["hook"],
            "For how long, on all processors together; no value unless `kernel.bpf_stats_enabled` is 1.",
            Samples::by(time),
        ),
    ]
}
