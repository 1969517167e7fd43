//! The few styles: colour for signals, and one accent. Backgrounds are the terminal's own, so that it looks right on dark and on
//! light ones; every signal has a sign or a word too.

use gdprport_core::top::Rank;
use ratatui::style::{Color, Modifier, Style};

use crate::control::api::HealthState;

/// The styles, with colours or without.
#[derive(Debug, Clone, Copy)]
pub(in crate::ui::top) struct Palette {
    colour: bool,
}

impl Palette {
    pub(in crate::ui::top) const fn new(colour: bool) -> Self {
        Self { colour }
    }

    const fn coloured(self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.colour { style.fg(colour) } else { style }
    }

    /// What is wrong.
    pub(super) const fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
    }

    /// What is open or accepted.
    pub(super) const fn warn(self) -> Style {
        self.coloured(Color::Yellow, Modifier::empty())
    }

    /// Where one is.
    pub(super) const fn accent(self) -> Style {
        self.coloured(Color::Cyan, Modifier::BOLD)
    }

    #[expect(clippy::unused_self, reason = "a style like the others")]
    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    #[expect(clippy::unused_self, reason = "a style like the others")]
    pub(super) const fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is selected: one bar. A colour of a cell or a dim one would be the ground that its text stands on.
    #[expect(clippy::unused_self, reason = "a style like the others")]
    pub(super) const fn selected(self) -> Style {
        Style::reset().add_modifier(Modifier::REVERSED)
    }

    /// Of a verdict.
    pub(super) const fn rank(self, rank: Rank) -> Style {
        match rank {
            Rank::Declared => Style::new(),
            Rank::Undecided | Rank::Accepted => self.warn(),
            Rank::Violation => self.bad(),
        }
    }

    /// Of the health of the daemon.
    pub(super) const fn health(self, state: HealthState) -> Style {
        match state {
            HealthState::Healthy => Style::new(),
            HealthState::Degraded => self.warn(),
            HealthState::Losing => self.bad(),
        }
    }
}

/// The sign of a verdict.
pub(super) const fn sign(rank: Rank) -> &'static str {
    match rank {
        Rank::Declared => "✓",
        Rank::Undecided => "?",
        Rank::Accepted => "!",
        Rank::Violation => "✗",
    }
}
