//! Ends of flows whose opening was counted and not described: they are counted too.

use gdprport_common::SocketRole;

use super::context::Context;
use super::entry::judge;
use super::intake::{direction_of, of_event};
use super::table::Table;
use super::types::Flow;
use crate::decode::{ConnectionEnd, SocketEvent};
use crate::model::{Direction, Nat};
use crate::overload::posture;

impl Table {
    /// Flows that ended since the last call and are to be counted; nothing else is reported of them.
    pub fn take_summed(&mut self) -> Vec<Flow> {
        std::mem::take(&mut self.summed)
    }

    /// Whether the host may translate the addresses of a flow that is not asked about.
    #[must_use]
    pub fn may_be_translated(&self, flow: &Flow) -> bool {
        self.translating.may_be(flow)
    }

    pub(super) fn end_counted(&mut self, event: &SocketEvent, end: &ConnectionEnd, cx: &mut impl Context) {
        let mut flow = of_event(event, direction_of(event, false));
        // Who it was in particular is nowhere shown of a sum, and an end has not what a process is known again by: it would be
        // looked up in /proc for each.
        flow.process = cx.in_common(&event.owner);
        flow.owner_withheld = event.owner.withheld;
        flow.posture = Some(posture());
        flow.nat = self.translating.may_be(&flow).then_some(Nat::Unknown);
        judge(&mut flow, cx);
        if flow.port_index.is_none() && event.owner.role == SocketRole::None {
            // Nobody is known to have called connect: the port that is watched says which end it was.
            flow.direction = Direction::In;
            judge(&mut flow, cx);
        }
        end.apply(&mut flow, event.time_ns);
        self.summed.push(flow);
    }
}
