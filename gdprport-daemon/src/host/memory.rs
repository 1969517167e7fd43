//! Memory that is free goes back to the system.
//!
//! Starting reads the kernel's types, 6 MB of them, and a burst of flows or a sink that was stuck leaves as much behind.
//! The C library keeps what is freed below something that is still in use; asked for it, it gives those pages back.

/// Gives back what is free. Takes a millisecond for every few ten megabytes, so: rarely.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function takes no pointer, and may be called by any thread at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
