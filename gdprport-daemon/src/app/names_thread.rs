//! Host names are looked up on threads of their own: what name servers answer is parsed without a privilege.

use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::host::confine::{self, Role};

/// Starts the runtime on which names are looked up. It ends with the process: a look-up may hang in the C library.
///
/// # Errors
/// If there can be no runtime or no thread.
pub(super) fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().thread_name("names").build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("names".to_owned()).spawn(move || {
        // The threads that wait for the C library are started by this one, and have what it has.
        confine::enter(Role::Closed);
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(handle)
}
