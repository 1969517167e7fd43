//! Where a command writes: standard output, in colour or not, as wide as its terminal.

use std::io::{self, IsTerminal, StdoutLock, Write};
use std::os::fd::AsFd;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

use serde::Serialize;

use super::cli::Color;
use gdprport_core::encode;

/// Columns where no terminal reports how many there are.
const WIDTH_OF_A_PIPE: u16 = 120;

/// Columns of a terminal that does not say how many it has.
const WIDTH_OF_A_TERMINAL: u16 = 80;

/// What tables have to fit, and the time they count from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// Columns.
    pub(super) width: u16,
    /// Ages are counted up to here.
    pub(super) now: jiff::Timestamp,
}

/// Where a command writes.
pub(super) struct Output {
    stream: AutoStream<StdoutLock<'static>>,
    pub(super) terminal: bool,
}

impl Output {
    pub(super) fn new(color: Color) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let choice = choice(color, &stdout);
        Self { stream: AutoStream::new(stdout.lock(), choice), terminal }
    }

    pub(super) fn screen(&self) -> Screen {
        let size = if self.terminal { rustix::termios::tcgetwinsize(io::stdout()).ok() } else { None };
        // Some terminals (serial lines) report no columns at all.
        let width = size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(WIDTH_OF_A_PIPE);
        Screen { width, now: jiff::Timestamp::now() }
    }

    /// Writes text that may be coloured.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    /// Writes a value as one line of JSON.
    pub(super) fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut json = Vec::new();
        encode::json(value, &mut json);
        self.json(&json)
    }

    /// Writes one JSON value as it came, with its newline.
    pub(super) fn json(&mut self, json: &[u8]) -> io::Result<()> {
        self.stream.write_all(json)?;
        self.stream.write_all(b"\n")?;
        self.stream.flush()
    }
}

/// Columns of the terminal that a stream writes to; 80 where it does not say.
pub(super) fn columns(stream: &impl AsFd) -> u16 {
    let size = rustix::termios::tcgetwinsize(stream).ok();
    size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(WIDTH_OF_A_TERMINAL)
}

/// Whether to write colours to a stream.
pub(super) fn choice(color: Color, stream: &impl RawStream) -> ColorChoice {
    match color {
        Color::Auto => AutoStream::choice(stream),
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}
