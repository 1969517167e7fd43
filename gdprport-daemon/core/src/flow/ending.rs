//! Flows that are to be ended, because the policy denies them. Which ones is not decided here, nor how they are ended.

use super::entry::Ending;
use super::table::Table;
use super::types::Flow;

impl Table {
    /// A flow is to be ended: that it was is then its outcome, if its record shows that the kernel was asked for it. False if it
    /// was to be already, or is not here.
    pub fn begin_ending(&mut self, cookie: u64) -> bool {
        let entry = self.flows.get_mut(&cookie).filter(|entry| entry.ending == Ending::NotAsked);
        entry.map(|entry| entry.ending = Ending::Asked).is_some()
    }

    /// The kernel has ended a flow that was to be. The record of its end says the same, if there is one: not of a socket that
    /// is older than what watches it.
    pub fn ended_as_asked(&mut self, cookie: u64, now_ns: u64) {
        if let Some(entry) = self.flows.get_mut(&cookie) {
            entry.ending = Ending::Done(now_ns);
        }
    }

    /// A flow that was to be ended goes on: whatever ends it later is something else.
    pub fn give_up_ending(&mut self, cookie: u64) {
        if let Some(entry) = self.flows.get_mut(&cookie) {
            entry.ending = Ending::NotAsked;
        }
    }

    /// The flow with this cookie, and whether it has settled: its owner is as well known as it will be soon.
    #[must_use]
    pub fn settled(&self, cookie: u64) -> Option<(&Flow, bool)> {
        self.flows.get(&cookie).map(|entry| (&entry.flow, !entry.pending))
    }
}
