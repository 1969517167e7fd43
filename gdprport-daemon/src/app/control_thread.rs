//! The control socket's server, on a thread of its own.

use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::options::RunError;
use crate::control::handle::LoopHandle;
use crate::control::server::Server;
use crate::host::confine::{self, Role};

/// The control socket's server, on a thread of its own: a long list of flows must not hold up the reading of records.
pub(super) struct ControlThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl ControlThread {
    pub(super) fn start(server: Server, handle: LoopHandle, socket: &Path) -> Result<Self, RunError> {
        let directory = socket.parent().unwrap_or(Path::new(".")).to_owned();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                confine::enter(Role::Server(&directory));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(server.serve(handle, async {
                    let _ = stopped.await;
                }))
            })
            .map_err(RunError::System)?;
        Ok(Self { stop, thread })
    }

    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}
