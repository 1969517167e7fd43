//! What a change of the policy, of its names or of names of accounts and containers does to open flows.

use std::collections::HashMap;

use super::change::{Change, ChangeKind, Removal};
use super::context::Context;
use super::entry::judge;
use super::table::Table;
use super::types::Flow;
use crate::model::Process;
use crate::shared::Shared;

impl Table {
    /// Re-evaluates every flow, as after a change of the policy; reports those whose verdict changed.
    pub fn reevaluate(&mut self, cx: &mut impl Context, out: &mut Vec<Change>) {
        self.reevaluate_those(|_| true, cx, out);
    }

    /// The same of flows that are `wanted` only.
    pub fn reevaluate_those(
        &mut self,
        wanted: impl Fn(&Flow) -> bool,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        for entry in self.flows.values_mut().filter(|entry| wanted(&entry.flow)) {
            if judge(&mut entry.flow, cx) && !entry.pending {
                out.push(entry.change(ChangeKind::Updated));
            }
        }
    }

    /// Gives processes the names of their users, groups and containers that they had to go without, re-evaluates their
    /// flows and reports these.
    pub fn resolve_names(&mut self, cx: &mut impl Context, out: &mut Vec<Change>) {
        // Flows share their processes, and keep sharing the new ones: found by address, with a clone each, so that no other
        // process takes the address.
        let mut resolved = HashMap::new();
        let mut resolve = |process: &mut Option<Shared<Process>>, cx: &mut _| {
            let Some(old) = process.as_ref().filter(|process| process.lacks_names()) else { return false };
            let ask = || (Shared::clone(old), Context::with_names(cx, old));
            let (_, new) = resolved.entry(old.address()).or_insert_with(ask);
            new.as_ref().map(|new| *process = Some(Shared::clone(new))).is_some()
        };
        for entry in self.flows.values_mut() {
            resolve(&mut entry.flow.peer_process, cx);
            if resolve(&mut entry.flow.process, cx) {
                judge(&mut entry.flow, cx);
                if !entry.pending {
                    out.push(entry.change(ChangeKind::Updated));
                }
            }
        }
    }

    /// Removes flows that `keep` does not want, as before a change of the watched ports; returns how many. One that was
    /// not reported yet is.
    pub fn retain(&mut self, keep: impl Fn(&Flow) -> bool, out: &mut Vec<Change>) -> usize {
        // Their ports are those of the policy that they were judged by.
        self.stop_waiting(u64::MAX, out);
        let gone: Vec<u64> =
            self.flows.values().filter(|entry| !keep(&entry.flow)).map(|entry| entry.flow.cookie).collect();
        for cookie in &gone {
            self.evict(*cookie, Removal::Unwatched, out);
        }
        self.connecting.retain(keep);
        gone.len()
    }
}
