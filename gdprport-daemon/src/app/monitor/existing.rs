//! Flows that are open as a policy comes into force: what becomes of those that it denies, and whether any can be ended.

use std::sync::Arc;

use gdprport_core::flow::{Flow, Standing};
use gdprport_core::policy::{Existing, Mode, OnExisting, OnPosture, PortInfo};
use jiff::Timestamp;

use super::monitor::Monitor;
use super::resets::port_of;
use crate::control::api::{ExistingFlow, ExistingFlows};
use crate::host::ending::Endings;
use crate::host::process::TaskLookup;
use crate::host::sockets::can_end;

/// Connections that are described to whoever reloads; more are counted.
const SHOWN: usize = 5;

/// What becomes of flows that were open when a policy came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Comes {
    /// It came to stay: what it denies is ended where it asks for that.
    ToStay,
    /// It is on trial: nothing is done that could not be taken back.
    OnTrial,
    /// It is back from before a trial: a way back ends nothing.
    Back,
}

/// Flows that the policy denies.
impl<K: TaskLookup> Monitor<K> {
    /// Has flows ended by this from now on, where a policy asks for it.
    pub(in crate::app) fn end_by(&mut self, endings: Endings) {
        self.resets.endings = Some(endings);
    }

    /// Connects are decided by the active policy from now on, or not any more.
    pub(in crate::app) fn decided(&mut self, in_force: bool) {
        let asks = |what: fn(&PortInfo) -> bool| {
            let mut enforced =
                self.active_policy.watched().filter(|port| port.enforcement.mode == Mode::Enforce);
            enforced.any(what)
        };
        let existing = asks(|port| port.enforcement.existing == OnExisting::Reset);
        let posture = asks(|port| port.enforcement.posture == OnPosture::Reset);
        let unable = (existing || posture).then(|| can_end().err()).flatten().map(|why| why.to_string());
        let resets = &mut self.resets;
        if unable != resets.counts.unable
            && let Some(why) = &unable
        {
            tracing::error!("connections that the policy denies cannot be ended: {why}");
        }
        (resets.existing, resets.posture) = (existing && in_force, posture && in_force);
        resets.counts.unable = unable;
        if !in_force {
            resets.undecided.clear();
            resets.awaits = false;
        }
    }

    /// Looks at every flow that is open as a policy comes into force. `None`: it denies none of them.
    pub(in crate::app) fn end_existing(&mut self, comes: Comes, now: Timestamp) -> Option<ExistingFlows> {
        let Self { flows, active_policy, resets, publisher, .. } = self;
        resets.awaits = comes == Comes::ToStay;
        let (mut listed, mut ending) = (ExistingFlows::default(), Vec::new());
        for flow in flows.iter() {
            let unsettled = flows.settled(flow.cookie).is_none_or(|(_, settled)| !settled);
            if unsettled || Standing::from(&*flow.verdict) == Standing::Undecided {
                if comes == Comes::ToStay && resets.existing {
                    resets.undecided.insert(flow.cookie);
                }
                continue;
            }
            let becomes = match (resets.fate(flow, active_policy, now), comes) {
                (None, _) => continue,
                (Some(Existing::Ended), Comes::ToStay) if resets.existing => {
                    ending.push(flow.cookie);
                    listed.ended += 1;
                    "ended"
                }
                (Some(Existing::Ended), Comes::OnTrial) => {
                    listed.to_end += 1;
                    "to-end"
                }
                (Some(_), _) => {
                    listed.kept += 1;
                    "kept"
                }
            };
            if listed.first.len() < SHOWN {
                let name = port_of(flow, active_policy).map_or_else(|| "".into(), |port| port.name.clone());
                listed.first.push(described(&publisher.shown(flow), name, becomes));
            }
        }
        resets.end(&ending, flows);
        let ExistingFlows { ended, to_end, kept, .. } = listed;
        (ended + to_end + kept > 0).then(|| {
            tracing::info!(ended, to_end, kept, "connections are open that the policy denies");
            listed
        })
    }
}

fn described(flow: &Flow, port: Arc<str>, becomes: &str) -> ExistingFlow {
    let process = flow.process.as_deref();
    ExistingFlow {
        port,
        direction: flow.direction,
        local: flow.local,
        peer: flow.peer,
        exe: process.and_then(|process| process.exe.as_deref()).map(ToOwned::to_owned),
        pid: process.map(|process| process.pid),
        becomes: becomes.to_owned(),
    }
}
