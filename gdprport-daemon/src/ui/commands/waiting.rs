//! What a client waits with.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::{self, Runtime};

/// A client has one thing to wait for at a time: one thread is enough.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("cannot start the async runtime: {error}"))
}

/// What takes no longer shows nothing.
const QUIET: Duration = Duration::from_secs(1);

/// How often it is drawn again.
const REDRAW: Duration = Duration::from_millis(100);

/// Works on a thread of its own, and shows what it does and for how long if it takes long and somebody watches.
pub(super) fn shown_while<T: Send>(what: &'static str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (to, done) = channel();
        let worker = scope.spawn(move || {
            let made = work();
            // Nobody waits for it any more if it was quick.
            let _ = to.send(());
            made
        });
        if done.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
            // It draws nothing where standard error is no terminal.
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what);
            while done.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
