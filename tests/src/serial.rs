//! Tests that must not run beside others of their program.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test that calls this runs; to be held to the end of the test.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed has no effect on the next one.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
