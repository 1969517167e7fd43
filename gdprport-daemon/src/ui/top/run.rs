//! The loop: keys, answers and signals come in, the screen goes out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use gdprport_core::top::{Filter, FilterError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::draw::{Palette, screen};
use super::message::Message;
use super::model::{Effect, Model, Wanted, press, saved};
use super::source::{self, OpenLedger};
use super::terminal::{self, NoScreen, Screen};
use crate::control::client::ControlClient;

/// Messages that may wait: keys, and a few answers.
const WAITING: usize = 256;

/// Messages that are taken before the screen is drawn again.
const AT_ONCE: usize = 64;

/// Names that are tried for a file, if there are files already that were saved in the same second.
const NAMES: u32 = 9;

/// What the command line asks for.
pub(in crate::ui) struct TopOptions {
    pub(in crate::ui) client: ControlClient,
    pub(in crate::ui) filter: String,
    pub(in crate::ui) ledger: OpenLedger,
    pub(in crate::ui) colour: bool,
    pub(in crate::ui) json: bool,
    pub(in crate::ui) host: String,
    /// Writes a file that does not exist; `Err(None)`: it does.
    pub(in crate::ui) save: fn(&Path, &[u8]) -> Result<(), Option<String>>,
}

/// A filter of the command line that is wrong.
#[derive(Debug, Error)]
#[error("the filter `{0}`: {1}; `gdprport top --help` has examples")]
pub(in crate::ui) struct WrongFilter(String, FilterError);

/// Shows it until somebody quits.
///
/// # Errors
/// If there is no terminal, the filter is wrong, or no daemon answers at the beginning.
pub(in crate::ui) fn run(options: TopOptions) -> anyhow::Result<()> {
    let TopOptions { client, filter: text, ledger, colour, json, host, save } = options;
    if json {
        return Err(NoScreen::Json.into());
    }
    terminal::check()?;
    let filter: Filter = text.parse().map_err(|error| WrongFilter(text.clone(), error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| anyhow!("cannot start the async runtime: {error}"))?;
    // Before the terminal is taken: what to do without a daemon stands on an ordinary line.
    runtime.block_on(client.status())?;
    drop(runtime);

    let mut model = Model::new(host, TimeZone::system(), filter, text);
    let (to, messages) = sync_channel(WAITING);
    let (wanted_to, wanted) = watch::channel(model.wanted());
    let mut screen = Screen::take().map_err(|error| anyhow!("the terminal cannot be used: {error}"))?;
    source::start(client, ledger, wanted, to.clone(), signals(to.clone()))?;
    thread::Builder::new().name("top-keys".to_owned()).spawn(move || keys(&to))?;
    let shown = Shown { palette: Palette::new(colour), save };
    let ended = shown.until_the_end(&mut screen, &mut model, &messages, &wanted_to);
    drop(screen);
    ended
}

/// Waits for signals for ever. Those that are listened to do not kill the process.
async fn signals(to: SyncSender<Message>) {
    let listen = |kind| signal(kind).ok();
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    let (mut hangup, mut go_on) = (listen(SignalKind::hangup()), listen(SignalKind::from_raw(libc::SIGCONT)));
    loop {
        let message = tokio::select! {
            () = next(&mut terminate) => Message::End,
            () = next(&mut interrupt) => Message::End,
            () = next(&mut hangup) => Message::End,
            () = next(&mut go_on) => Message::Continued,
        };
        // There is room, or the loop is too busy to end in order.
        let _ = to.try_send(message);
    }
}

/// Waits for a signal; for ever for one that is not listened to.
async fn next(of: &mut Option<Signal>) {
    match of {
        Some(of) => drop(of.recv().await),
        None => std::future::pending().await,
    }
}

/// Reads keys until the terminal is gone or nobody takes them.
fn keys(to: &SyncSender<Message>) {
    loop {
        let message = match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Message::Key(key),
            Ok(Event::Resize(..)) => Message::Resized,
            Ok(_) => continue,
            Err(_) => Message::NoKeys,
        };
        let is_last = matches!(message, Message::NoKeys);
        if to.send(message).is_err() || is_last {
            return;
        }
    }
}

struct Shown {
    palette: Palette,
    save: fn(&Path, &[u8]) -> Result<(), Option<String>>,
}

impl Shown {
    fn until_the_end(
        &self,
        on: &mut Screen,
        model: &mut Model,
        messages: &Receiver<Message>,
        wanted: &watch::Sender<Wanted>,
    ) -> anyhow::Result<()> {
        loop {
            let now = Timestamp::now();
            model.tick(now);
            on.terminal
                .draw(|frame| screen(frame, model, self.palette, now))
                .map_err(|error| lost(&error))?;
            let first = match messages.recv_timeout(until_next_second(now)) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let more = std::iter::from_fn(|| messages.try_recv().ok()).take(AT_ONCE);
            let all: Vec<Message> = first.into_iter().chain(more).collect();
            for message in all {
                if self.handle(message, on, model)? {
                    return Ok(());
                }
            }
            let want = model.wanted();
            wanted.send_if_modified(|known| {
                let new = *known != want;
                *known = want;
                new
            });
        }
    }

    /// True: it is over.
    fn handle(&self, message: Message, on: &mut Screen, model: &mut Model) -> anyhow::Result<bool> {
        let now = Timestamp::now();
        match message {
            Message::End | Message::NoKeys => return Ok(true),
            Message::SourceEnded => {
                return Err(anyhow!("the part that asks the daemon has ended: this is a bug"));
            }
            Message::Update(update) => model.take(*update, now),
            // The next drawing asks for the size.
            Message::Resized => {}
            Message::Continued => on.again().map_err(|error| lost(&error))?,
            Message::Key(key) => match press(model, key, now) {
                Effect::Nothing => {}
                Effect::Quit => return Ok(true),
                Effect::Suspend => on.suspend().map_err(|error| lost(&error))?,
                Effect::Redraw => on.blank().map_err(|error| lost(&error))?,
                Effect::Save => self.save(model, now),
            },
        }
        Ok(false)
    }

    fn save(&self, model: &mut Model, now: Timestamp) {
        let Some(json) = saved(model, now) else {
            return model.say("nothing is shown yet that could be saved".to_owned(), true, now);
        };
        let name = now.strftime("gdprport-top-%Y%m%dT%H%M%SZ");
        let names = (1..=NAMES).map(|n| match n {
            1 => PathBuf::from(format!("{name}.json")),
            n => PathBuf::from(format!("{name}-{n}.json")),
        });
        for path in names {
            match (self.save)(&path, &json) {
                Ok(()) => {
                    let whole = std::path::absolute(&path).unwrap_or(path);
                    return model.say(format!("saved in {}", whole.display()), false, now);
                }
                Err(None) => {}
                Err(Some(why)) => return model.say(why, true, now),
            }
        }
        model.say(format!("{name}.json exists already, and so do its others; try again"), true, now);
    }
}

/// The terminal does not take what is drawn.
fn lost(error: &io::Error) -> anyhow::Error {
    anyhow!("the terminal cannot be written to: {error}")
}

/// The clock in the corner goes on then.
fn until_next_second(now: Timestamp) -> Duration {
    let within = u64::try_from(now.subsec_millisecond()).unwrap_or(0);
    Duration::from_millis(1_000_u64.saturating_sub(within).max(20))
}
