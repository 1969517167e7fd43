//! What a client waits with.

use anyhow::anyhow;
use tokio::runtime::{self, Runtime};

/// A client has one thing to wait for at a time: one thread is enough.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("cannot start the async runtime: {error}"))
}
