//! Postures that flows share, and those of flows of which nothing was seen.

use crate::model::{Posture, PostureState};
use crate::posture::Tracker;
use crate::shared::Shared;

/// Why a flow that predates the daemon has no known encryption: its first bytes had passed.
pub(super) const PREDATES: &str = "opened before watching";
/// The same of a flow whose opening was lost or forgotten.
const UNSEEN: &str = "its beginning was not seen";
/// Why a flow that was only opened and closed has no encryption: a look whether a port is open, a spare connection.
const NO_DATA: &str = "no data: neither side sent a byte";

/// How many different postures are shared: a host's services and its clients' settings.
const SHARED: usize = 16;

/// The posture of a flow whose opening was lost or forgotten.
pub(super) fn unseen() -> Shared<Posture> {
    Shared::new(Posture::unknown(UNSEEN))
}

/// Postures that flows share: those of one service are the same but for its clients' settings, and what is shared is
/// kept, judged and written once.
#[derive(Debug)]
pub(super) struct Postures {
    /// Of every flow that ends and of which no payload was captured.
    silent: Shared<Posture>,
    /// Of every flow that ends and had none.
    no_data: Shared<Posture>,
    recent: Vec<Shared<Posture>>,
    /// The place that the next new one takes.
    next: usize,
}

impl Default for Postures {
    fn default() -> Self {
        Self {
            silent: Shared::new(Tracker::new(None).conclude()),
            no_data: Shared::new(Posture::new(PostureState::NoData, NO_DATA)),
            recent: Vec::new(),
            next: 0,
        }
    }
}

impl Postures {
    /// The posture of a flow that ends and had no payload.
    pub(super) fn no_data(&self) -> Shared<Posture> {
        Shared::clone(&self.no_data)
    }

    /// The posture of a flow that ends and of which no payload was captured.
    pub(super) fn silent(&self) -> Shared<Posture> {
        Shared::clone(&self.silent)
    }

    /// The shared one that is equal.
    pub(super) fn share(&mut self, posture: Posture) -> Shared<Posture> {
        if let Some(known) = self.recent.iter().find(|known| ***known == posture) {
            return Shared::clone(known);
        }
        let posture = Shared::new(posture);
        if self.recent.len() < SHARED {
            self.recent.push(Shared::clone(&posture));
        } else {
            self.recent[self.next % SHARED] = Shared::clone(&posture);
            self.next += 1;
        }
        posture
    }
}
