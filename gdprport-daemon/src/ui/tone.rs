//! The palette: how a piece of text is meant, and its colour.
//!
//! Tables always carry colour, and the stream removes it where there should be none; lines ask first. Does not belong here: where text
//! goes (`table`, `lines`).

use anstyle::{AnsiColor, Style};

/// How a piece of text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Warn,
    Bad,
    Dim,
    /// About the daemon itself, or advice: neither good nor bad.
    Note,
}

impl Tone {
    pub(super) const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Note => AnsiColor::Cyan.on_default(),
        }
    }

    /// The text in this tone.
    pub(super) fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}
