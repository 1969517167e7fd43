//! What a sink has lost, in its own stream once it works again.
//!
//! Such an event is for one sink only. So it is of a run of its own, of that sink, and leaves no gap in the `seq` of the others.

use gdprport_core::encode::Encoder;
use gdprport_core::event::Stamper;
use jiff::Timestamp;
use uuid::Uuid;

use crate::sink::Fanout;

/// Who stamps the events that one sink alone gets, by its number.
#[derive(Debug, Default)]
pub(super) struct OwnRuns(Vec<Option<Stamper>>);

impl OwnRuns {
    /// Sends each sink what it is to know of its losses now. `stamper`: of the events that all get.
    pub(super) fn send_lost(
        &mut self,
        fanout: &mut Fanout,
        (stamper, encoder): (&Stamper, &mut Encoder),
        now: Timestamp,
        ending: bool,
    ) {
        for (sink, bodies) in fanout.lost(now, ending) {
            if self.0.len() <= sink {
                self.0.resize_with(sink + 1, || None);
            }
            let Some(own) = self.0.get_mut(sink) else { continue };
            let own = own.get_or_insert_with(|| stamper.of_run(Uuid::now_v7()));
            let events = bodies.into_iter().map(|body| own.stamp(now, body));
            fanout.publish_to(sink, events, |event, line| encoder.native(event, line));
        }
    }
}
