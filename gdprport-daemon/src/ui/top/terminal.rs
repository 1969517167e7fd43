//! The terminal: taken over, given back whatever happens, and left to the shell for a while.

use std::io::{self, IsTerminal as _, Stdout};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal, kill_current_process_group};
use thiserror::Error;

/// Why there is no screen to draw on.
#[derive(Debug, Error)]
pub(in crate::ui) enum NoScreen {
    /// Standard output goes elsewhere.
    #[error(
        "`top` draws on a terminal, and standard output is none: `gdprport daemon status` and `gdprport flows` print the same once, \
         with --json for programs"
    )]
    Output,
    /// Keys come from elsewhere.
    #[error("`top` reads keys from a terminal, and standard input is none: run it without a pipe before it")]
    Input,
    /// The terminal cannot move its cursor.
    #[error(
        "this terminal (TERM={0}) cannot be drawn on: use `gdprport daemon status` and `gdprport flows`, or set TERM"
    )]
    Dumb(String),
    /// JSON was asked for.
    #[error(
        "`top` has no JSON of its own: use `gdprport daemon status --json` and `gdprport flows --json`, or the key `s` in it"
    )]
    Json,
}

/// Whether there is a terminal that can be drawn on.
///
/// # Errors
/// If not, with what to use instead.
pub(super) fn check() -> Result<(), NoScreen> {
    if !io::stdout().is_terminal() {
        return Err(NoScreen::Output);
    }
    if !io::stdin().is_terminal() {
        return Err(NoScreen::Input);
    }
    match std::env::var("TERM") {
        Ok(term) if term == "dumb" => Err(NoScreen::Dumb(term)),
        _ => Ok(()),
    }
}

/// The terminal while it is ours. Dropping it gives it back, and so does a panic.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes it over.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self { terminal: ratatui::try_init()? })
    }

    /// Gives it back, stops until the shell brings this job back, and takes it over again.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.terminal.show_cursor()?;
        ratatui::try_restore()?;
        // As the terminal itself does with Ctrl-Z: to all of this job. Where nobody could bring it back the kernel ignores it.
        kill_current_process_group(Signal::TSTP)?;
        self.again()
    }

    /// Takes it over again, whatever others did to it meanwhile.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(super) fn again(&mut self) -> io::Result<()> {
        use ratatui::crossterm::execute;
        use ratatui::crossterm::terminal::{EnterAlternateScreen, disable_raw_mode, enable_raw_mode};
        // What is known of its settings is of before.
        disable_raw_mode()?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        self.blank()
    }

    /// Forgets what is drawn, so that all of it is drawn again. Ratatui's own `clear` asks the terminal where the cursor is, and the
    /// answer would come among the keys.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        let whole = self.terminal.size()?.into();
        self.terminal.resize(whole)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.terminal.show_cursor();
        ratatui::restore();
    }
}
