//! What the kernel decided of a listener, for encodings that have no field for it.

use super::object::Object;
use crate::event::Listener;

/// Whether anything was decided that is worth a word.
pub(super) const fn is_decided(listener: &Listener) -> bool {
    listener.denied || listener.would_deny || listener.repeated > 0
}

/// What it was.
pub(super) fn decided(listener: &Listener, o: &mut Object<'_>) {
    if listener.denied {
        o.put("denied", true);
    }
    if listener.would_deny {
        o.put("would_deny", true);
    }
    if listener.repeated > 0 {
        o.put("repeated", listener.repeated);
    }
}
