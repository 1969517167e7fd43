//! Waiting for the end of a policy's trial: a key, another terminal, or its time.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::super::format::duration;
use super::super::screen::columns;
use super::super::table::wrap;
use crate::control::api::PolicyText;
use crate::control::client::{ClientError, ControlClient};

/// How often a trial is looked after.
const LOOK: Duration = Duration::from_millis(500);

/// For how long after the end of a trial a daemon that does not answer is waited for.
const SILENT: Duration = Duration::from_secs(30);

/// How a trial ended.
pub(super) enum End {
    /// It is to be kept.
    Keep,
    /// It is to be taken back.
    TakeBack,
    /// Somebody else kept it.
    Kept,
    /// It was taken back.
    TakenBack,
}

/// Waits for the end of a trial: the return key, another terminal, or its time.
pub(super) fn watch(runtime: &Runtime, client: &ControlClient, digest: &str) -> anyhow::Result<End> {
    let keys = io::stdin().is_terminal().then(answers);
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    let (mut begun, mut ends) = (false, Timestamp::now());
    loop {
        let in_force = match runtime.block_on(client.policy()) {
            Ok(reply) => reply.value,
            // One that is slow is there, and takes the policy back in time.
            Err(ClientError::Silent(_)) if Timestamp::now() < ends + SILENT => {
                std::thread::sleep(LOOK);
                continue;
            }
            Err(error) => return Err(lost(error)),
        };
        let PolicyText { digest: now, trial, .. } = in_force;
        let Some(trial) = trial.filter(|_| now == digest) else {
            bar.finish_and_clear();
            return Ok(if now == digest { End::Kept } else { End::TakenBack });
        };
        ends = trial.until;
        if !begun {
            begun = true;
            explain(keys.is_some(), trial.until);
        }
        bar.set_message(format!("on trial for {} more", duration(trial.left_s)));
        bar.tick();
        match &keys {
            None => std::thread::sleep(LOOK),
            Some(keys) => match keys.recv_timeout(LOOK) {
                Ok(end) => {
                    bar.finish_and_clear();
                    return Ok(end);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Its input has ended: its time decides, or another terminal.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            },
        }
    }
}

/// The daemon is not there, or does not answer.
fn lost(error: ClientError) -> anyhow::Error {
    let then = match error {
        ClientError::NoDaemon(_) | ClientError::Ended(_) => {
            "its trial has ended with it: the next daemon reads the files, which have not been changed"
        }
        _ => "the trial ends by itself, if it has not yet: `gdprport daemon status` says what is in force",
    };
    let text = format!("{error}\n{then}");
    anyhow::Error::new(error).context(text)
}

fn explain(asks: bool, until: Timestamp) {
    let until = until.strftime("%H:%M:%S UTC");
    let line = if asks {
        format!(
            "In force until {until}, and then taken back. See whether all works, in another terminal too."
        )
    } else {
        format!("in force until {until}, and then taken back, unless `sudo gdprport policy confirm` keeps it")
    };
    let width = usize::from(columns(&io::stderr()));
    wrap(&line, width).iter().for_each(|line| eprintln!("{line}"));
    if asks {
        eprintln!("Return key: keep it. n and return: take it back now.");
    }
}

/// What is typed, one line after the other, until something was decided.
fn answers() -> Receiver<End> {
    let (to, keys) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            let end = match line.trim().to_lowercase().as_str() {
                "" | "y" | "yes" => End::Keep,
                "n" | "no" => End::TakeBack,
                _ => {
                    line.clear();
                    continue;
                }
            };
            // Nobody waits once it is over.
            let _ = to.send(end);
            return;
        }
    });
    keys
}
