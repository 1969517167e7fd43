//! The way of checkpoints off the host: as events into the spool, whose reader sends them to receivers. Who has one of those can see
//! a later change of what it covers.

use std::sync::Arc;

use gdprport_core::encode::Encoder;
use gdprport_core::event::{Body, EvidenceCheckpoint, SignedCheckpoint, Stamper};
use gdprport_core::evidence::{Checkpoint, Note};
use jiff::Timestamp;

use crate::sink::destination::Inlet;
use crate::sink::{Batch, Sink};

/// Makes events of checkpoints and puts them into one sink.
#[derive(Debug)]
pub(crate) struct Outlet {
    sink: Inlet,
    stamper: Stamper,
    encoder: Encoder,
}

impl Outlet {
    /// Into this sink. `stamper`: of a run of its own, for no other sink gets these events.
    pub(crate) fn new(sink: &Sink, stamper: Stamper) -> Self {
        Self { sink: sink.inlet(), stamper, encoder: Encoder::default() }
    }

    /// Sends a checkpoint that was just made. It finds room where other events do not, and is never waited for.
    pub(super) fn send(&mut self, note: &Note) {
        let Some(checkpoint) = signed(note) else { return };
        let made = note.unverified_text().parse::<Checkpoint>().ok().and_then(|read| read.facts);
        let time = made.map_or_else(Timestamp::now, |facts| facts.time);
        let body = Body::EvidenceCheckpoint(Box::new(EvidenceCheckpoint { checkpoint }));
        let event = self.stamper.stamp(time, body);
        let mut batch = Batch::default();
        batch.add(|line| self.encoder.native(&event, line));
        batch.mark();
        self.sink.push(&Arc::new(batch));
    }
}

/// A checkpoint of the log's own as events have it.
fn signed(note: &Note) -> Option<SignedCheckpoint> {
    let Checkpoint { origin, head, facts } = note.unverified_text().parse().ok()?;
    let facts = facts?;
    Some(SignedCheckpoint {
        log: origin.as_str().into(),
        sequence: facts.sequence,
        size: head.size,
        root: head.root.base64(),
        reason: facts.reason.word().to_owned(),
        note: note.to_string(),
    })
}
