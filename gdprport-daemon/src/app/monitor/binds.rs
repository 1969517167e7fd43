//! Binds that the kernel side denied: each is reported once, and what comes again of the same program once a minute as a number.

use gdprport_core::decode::SocketEvent;
use gdprport_core::flow::Context as _;
use gdprport_core::listener::Listener;
use gdprport_core::verdict::Verdict;
use jiff::Timestamp;

use super::accepted;
use super::denied_binds::Who;
use super::monitor::Monitor;
use crate::host::clock::boottime_ns;
use crate::host::process::TaskLookup;

impl<K: TaskLookup> Monitor<K> {
    /// Reports a bind that was denied.
    pub(super) fn bind_denied(&mut self, event: &SocketEvent, now: Timestamp) {
        let SocketEvent { cookie, local, owner, time_ns, .. } = event;
        let Some(port) = self.publisher.port_numbered(local.port, &self.active_policy) else {
            self.counters.unwatched_listeners += 1;
            return;
        };
        let process = self.evidence.context(&self.active_policy, now).process_of(owner);
        // A verdict costs a comparison with each rule, so that only what is reported has one.
        let Some(who) = self.binds.again(Who::of(local.port, process.as_deref())) else { return };
        let listener = Listener {
            cookie: *cookie,
            local: *local,
            verdict: self.active_policy.evaluate_bind(*local, process.as_deref(), now),
            process,
            opened_ns: None,
            netns_cookie: owner.netns_cookie,
            found: false,
            would_deny: false,
        };
        let accepted = accepted::of_listener(&self.active_policy, &listener, now);
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            let counters = self.counters.port(port.port.number, &port.port.name);
            counters.violation(&listener.verdict);
            counters.accepted(false, accepted.is_some());
        }
        self.publisher.listener_denied(&listener, &port, accepted, 0, now);
        self.binds.reported(who, listener, *time_ns);
    }

    /// Reports what was denied again. `all`: also what is not due, at the end.
    pub(in crate::app) fn report_binds(&mut self, all: bool, now: Timestamp) {
        for (listener, repeated) in self.binds.due(boottime_ns(), all) {
            if let Some(port) = self.publisher.port_numbered(listener.local.port, &self.active_policy) {
                let accepted = accepted::of_listener(&self.active_policy, &listener, now);
                self.publisher.listener_denied(&listener, &port, accepted, repeated, now);
            }
        }
    }
}
