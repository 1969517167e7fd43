//! What the loop reacts to: keys, answers and signals. What is done then is `run`'s.

use ratatui::crossterm::event::KeyEvent;

use super::model::Update;

/// What the loop reacts to.
#[derive(Debug)]
pub(super) enum Message {
    Key(KeyEvent),
    /// The size of the terminal is another one.
    Resized,
    Update(Box<Update>),
    /// A signal asks for the end.
    End,
    /// The shell has brought this job back.
    Continued,
    /// Keys cannot be read any more: the terminal is gone.
    NoKeys,
    /// The thread that asks has ended.
    SourceEnded,
}
